"""The demonstration at its smallest, for tests: every step runs, nothing is learnt."""

_base_ = ['small.py']

videos = dict(train=2, val=1, test=1)
side = 128
sub_frames = 1
epochs = [1, 1]
draws = 200
val_frames = 50
test_frames = 0
ks = ['all']
subsets = 1
iters = 10
baseline_epochs = 1
detect_epochs = 1
precision_ks = [1, 3]
