"""300,000 crops of VI-VPD, from the backbone of ..2d-vpd_200e_synthetic; turned poses are embedded anew."""

_base_ = ['resnet18-teacher-start_2d-vpd_60e_synthetic.py']

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
start = 'work_dirs/resnet18-teacher-start_2d-vpd_200e_synthetic/epoch_200.pth'
model = dict(
    student=dict(out_dims=64, init_cfg=dict(_delete_=True, type='Pretrained', checkpoint=start)),
    decoder=dict(dims=64),
    test_cfg=dict(flip_test=False),
)
data = dict(teacher='vipe')
train_dataloader = dict(dataset=dict(data, pipeline=embedded_pipeline))
val_dataloader = dict(dataset=data)
test_dataloader = dict(dataset=dict(data, truth_dir=None))
