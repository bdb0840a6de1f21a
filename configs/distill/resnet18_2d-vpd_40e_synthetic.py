"""The embedded sport on two cores: a half-width ResNet-18 on 64 px, tested on athletes that it never saw."""

_base_ = ['../_base_/models/distill_resnet18-small.py', '../_base_/schedules/distill_40e_small.py']

data = dict(corpus='data/synthetic', splits=('train', 'val'))
train_dataloader = dict(sampler=dict(num_samples=10000), dataset=data)
val_dataloader = dict(dataset=dict(data, max_frames=2000))
test_dataloader = dict(
    dataset=dict(corpus='data/synthetic', splits=('test',), subset='all', gate=False, truth_dir='ground_truth/poses')
)
