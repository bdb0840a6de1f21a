_base_ = [
    '../_base_/models/distill_resnet34.py',
    '../_base_/schedules/distill_1000e.py',
]

# Tennis: the gate is 0.7 (paper, supplement).
data = dict(corpus='data/tennis7', min_score=0.7)
train_dataloader = dict(dataset=data)
val_dataloader = dict(dataset=data)
test_dataloader = dict(dataset=data)
val_evaluator = dict(min_score=0.7)
test_evaluator = dict(min_score=0.7)
