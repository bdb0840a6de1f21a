"""The embedded sport on two cores: a half-width ResNet-18 on 64 px, 300,000 crops, tested on unseen athletes."""

_base_ = ['../_base_/models/distill_resnet18-small.py', '../_base_/schedules/distill_40e_small.py']

data = dict(corpus='data/synthetic', splits=('train', 'val'))
train_dataloader = dict(sampler=dict(num_samples=7500), dataset=data)
val_dataloader = dict(dataset=dict(data, max_frames=1000))
test_dataloader = dict(
    dataset=dict(corpus='data/synthetic', splits=('test',), subset='all', gate=False, truth_dir='ground_truth/poses')
)
