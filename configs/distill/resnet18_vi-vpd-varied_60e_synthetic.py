"""300,000 more crops of VI-VPD, cut in several ways, of any colour and of more athletes, as 2D-VPD's varied_60e."""

_base_ = ['resnet18_2d-vpd-varied_60e_synthetic.py']

load_from = 'work_dirs/resnet18_vi-vpd-turned_60e_synthetic/epoch_60.pth'
vipe = dict(
    type='TurnedVipe',
    config='configs/teacher/vipe_fc512_240e_synthetic.py',
    checkpoint='vpd_mm/synthetic/checkpoints/vipe_fc512_240e_synthetic.pth',
)
# Embeddings are made anew for a turned athlete, not for a turned crop.
embedded_pipeline = [
    dict(step, targets=vipe) if step['type'] == 'AthleteRotation' else step
    for step in _base_.varied_pipeline
    if step['type'] != 'CropRotation'
]
model = dict(student=dict(out_dims=64), decoder=dict(dims=64), test_cfg=dict(flip_test=False))
data = dict(teacher='vipe')
train_dataloader = dict(dataset=dict(data, pipeline=embedded_pipeline))
val_dataloader = dict(dataset=data)
test_dataloader = dict(dataset=dict(data, truth_dir=None))
