"""300,000 crops with strong color jitter, rotated as in resnet18_2d-vpd-mixed_30e_synthetic.

The backbone starts from the first three stages of the packed teacher, which was trained on the generic domain only; the
paper starts from random weights.  The test athletes wear unseen colors and the 16 labeled athletes are few, so 96
unlabeled videos add 24 athletes (``tools/make_synthetic.py sport --train 64 --val 12 --test 32 --unlabelled 96``).
"""

_base_ = ['resnet18_2d-vpd-mixed_30e_synthetic.py']

load_from = None
steps = _base_.mixed_pipeline
colour = dict(type='CropColorJitter', brightness=0.3, contrast=0.3, saturation=0.3, hue=0.5)
varied_pipeline = [colour if step['type'] == 'CropColorJitter' else step for step in steps]
max_epochs = 60
model = dict(
    student=dict(
        backbone=dict(stem_channels=32),
        init_cfg=dict(
            type='Pretrained',
            checkpoint='vpd_mm/synthetic/checkpoints/td-hm_res18-narrow_20e_generic-80x112.pth',
            prefix='backbone.',
            partial=True,
        ),
    ),
    test_cfg=dict(flip_test=True),
)
train_dataloader = dict(dataset=dict(pipeline=varied_pipeline))
train_cfg = dict(max_epochs=max_epochs)
