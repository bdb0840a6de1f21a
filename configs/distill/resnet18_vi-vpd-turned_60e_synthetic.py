"""300,000 crops, the athlete turned and spun (not in the paper); VIPE* embeds the turned pose: half an hour."""

_base_ = ['resnet18_2d-vpd-turned_200e_synthetic.py']

vipe = dict(
    type='TurnedVipe',
    config='configs/teacher/vipe_fc512_240e_synthetic.py',
    checkpoint='vpd_mm/synthetic/checkpoints/vipe_fc512_240e_synthetic.pth',
)
steps = _base_.turned_pipeline
embedded_pipeline = [*steps[:4], dict(steps[4], targets=vipe), *steps[5:]]
model = dict(student=dict(out_dims=64), decoder=dict(dims=64))
data = dict(teacher='vipe')
max_epochs = 60
train_dataloader = dict(dataset=dict(data, pipeline=embedded_pipeline))
val_dataloader = dict(dataset=data)
test_dataloader = dict(dataset=dict(data, truth_dir=None))
train_cfg = dict(max_epochs=max_epochs)
param_scheduler = dict(T_max=max_epochs)
