"""The demonstration at full size: hours on two cores, or a GPU."""

_base_ = ['small.py']

videos = dict(train=120, val=16, test=40, unlabelled=80)
epochs = [100, 40]
draws = 20000
val_frames = 4000
test_frames = 0
ks = [1, 2, 4, 8, 16]
iters = 1000
clips = 50
baseline_epochs = 0
folds = 5
detect_epochs = 100
precision_ks = [1, 10, 50]
