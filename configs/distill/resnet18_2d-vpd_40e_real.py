"""One or two videos of your own (data/real of the README), minutes on a CPU."""

_base_ = ['../_base_/models/distill_resnet18-small.py', '../_base_/schedules/distill_40e_small.py']

# Whole videos cannot be held out of two: runs of 25 frames are.
data = dict(corpus='data/real', holdout='block')
# In a flip every other frame may lack a pose; those between teach the pose without its change.
train_dataloader = dict(sampler=dict(num_samples=2000), batch_size=50, dataset=dict(data, lone_poses=True))
val_dataloader = dict(dataset=data)
test_dataloader = dict(dataset=data)
