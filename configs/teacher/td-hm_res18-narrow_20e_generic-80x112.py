"""The packed teacher: td-hm_res18-narrow_18e_generic-64x96 trained further at 80x112, on images of separate people.

Data: ``tools/make_synthetic.py generic --out data/generic-clear --clear --train 20000 --val 600``.
"""

_base_ = './td-hm_res18-narrow_18e_generic-64x96.py'

load_from = 'work_dirs/td-hm_res18-narrow_18e_generic-64x96/epoch_18.pth'
data_root = 'data/generic-clear/'
max_epochs = 20
size = (80, 112)

codec = dict(
    input_size=size,
    heatmap_size=(20, 28),
    # Share of correct joints by raw score (tools/calibrate_teacher.py), on the generic validation images, in which
    # people occlude each other; images of separate people have too few errors.
    score_table=[
        (0.5575, 0.3866),
        (0.7384, 0.5919),
        (0.8078, 0.7526),
        (0.8438, 0.8419),
        (0.8639, 0.9098),
        (0.876, 0.9296),
        (0.8851, 0.9579),
        (0.8918, 0.9733),
        (0.8982, 0.986),
        (0.9038, 0.986),
        (0.91, 0.986),
        (0.9197, 0.986),
    ],
)
model = dict(head=dict(decoder=codec))

changed = {
    'mmpose.TopdownAffine': dict(input_size=size),
    'mmpose.GenerateTarget': dict(encoder={**_base_.codec, **codec}),
}
train_pipeline = [dict(step, **changed.get(step['type'], {})) for step in _base_.train_pipeline]
val_pipeline = [dict(step, **changed.get(step['type'], {})) for step in _base_.val_pipeline]
train_dataloader = dict(dataset=dict(data_root=data_root, pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(data_root=data_root, pipeline=val_pipeline))
test_dataloader = val_dataloader

train_cfg = dict(max_epochs=max_epochs, val_interval=2)
optim_wrapper = dict(optimizer=dict(lr=2e-3))
param_scheduler = [
    dict(step, end=max_epochs, T_max=max_epochs) if 'T_max' in step else step for step in _base_.param_scheduler
]
