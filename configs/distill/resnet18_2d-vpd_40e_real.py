"""2D-VPD on videos of your own (data/real of the README), minutes on a CPU."""

_base_ = ['../_base_/models/distill_resnet18-small.py', '../_base_/schedules/distill_40e_small.py']

data = dict(corpus='data/real')
# In a flip every other frame may have no pose; such frames train the pose without its change.
train_dataloader = dict(sampler=dict(num_samples=2000), batch_size=50, dataset=dict(data, require_previous_pose=False))
val_dataloader = dict(dataset=data)
test_dataloader = dict(dataset=data)
