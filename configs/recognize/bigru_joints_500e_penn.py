"""The paper's BiGRU on 2D joints of penn."""

_base_ = [
    '../_base_/sports/penn.py',
    '../_base_/models/recognize_bigru.py',
    '../_base_/schedules/recognize_500e.py',
]

data = dict(corpus=_base_.corpus, window=_base_.window, num_classes=_base_.num_classes, dims=26)
model = dict(num_classes=_base_.num_classes)
train_dataloader = dict(dataset=data)
val_dataloader = dict(dataset=data)
test_dataloader = dict(dataset=data)
