"""VI-VPD on 300,000 crops, starting from the backbone of resnet18-teacher-start_2d-vpd_200e_synthetic."""

_base_ = ['resnet18-teacher-start_2d-vpd_60e_synthetic.py']

vipe = dict(
    type='TurnedVipe',
    config='configs/teacher/vipe_fc512_240e_synthetic.py',
    checkpoint='vpd_mm/synthetic/checkpoints/vipe_fc512_240e_synthetic.pth',
)
# Targets are embedded again for rotated athletes; rotated crops have no such targets.
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
test_dataloader = dict(dataset=dict(data, ground_truth_dir=None))
