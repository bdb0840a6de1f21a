"""2D-VPD on the synthetic sport on two cores: half-width ResNet-18, 64 px, 200,000 crops, tested on unseen athletes."""

_base_ = ['../_base_/models/distill_resnet18-small.py', '../_base_/schedules/distill_40e_small.py']

# The packed teacher is often confident of an upright body for inverted athletes; 0.7 is the paper's gate for tennis.
data = dict(corpus='data/synthetic', splits=('train', 'val'), min_score=0.7)
train_dataloader = dict(sampler=dict(num_samples=5000), dataset=data)
val_dataloader = dict(dataset=dict(data, max_frames=1000))
test_dataloader = dict(
    dataset=dict(
        corpus='data/synthetic',
        splits=('test',),
        unlabelled=False,
        subset='all',
        gate=False,
        ground_truth_dir='ground_truth/poses',
    )
)
