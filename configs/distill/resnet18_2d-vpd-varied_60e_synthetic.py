"""300,000 more crops, any colour, and 96 unlabelled films of 24 more athletes; goes on from ..mixed_30e_synthetic.

The test athletes wear colours that no other does, and 16 athletes are few; unlabelled video of others costs nobody
anything (``tools/demo.py make-sport --train 64 --val 12 --test 32 --unlabelled 96``).
"""

_base_ = ['resnet18_2d-vpd-mixed_30e_synthetic.py']

load_from = 'work_dirs/resnet18_2d-vpd-mixed_30e_synthetic/epoch_30.pth'
steps = _base_.mixed_pipeline
colour = dict(type='CropColorJitter', brightness=0.3, contrast=0.3, saturation=0.3, hue=0.5)
varied_pipeline = [colour if step['type'] == 'CropColorJitter' else step for step in steps]
max_epochs = 60
model = dict(test_cfg=dict(flip_test=True))
train_dataloader = dict(dataset=dict(pipeline=varied_pipeline))
train_cfg = dict(max_epochs=max_epochs)
param_scheduler = dict(T_max=max_epochs)
