"""Frame scorer of the studio: bigru_detector, smaller and with fewer epochs; made in seconds.  Not run alone."""

_base_ = ['../detect/bigru_detector.py']

max_epochs = 8
model = dict(backbone=dict(hidden_dims=64))
train_cfg = dict(max_epochs=max_epochs)
