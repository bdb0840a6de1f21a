"""Sizes of the demonstration, tools/demo.py: 15 minutes on two cores."""

# the synthetic sport
videos = dict(train=0, val=3, test=8, unlabelled=0)  # train=0: as many as the largest k needs, and a tenth more
side = 256  # px
sub_frames = 8  # renderings averaged per frame

# distillation: crops seen = epochs x draws
epochs = [20, 2]  # of 2D-VPD, of VI-VPD
draws = 8000
val_frames = 500
test_frames = 2000  # 0: all

# recognition and detection
ks = [8]  # training actions per class, rising; 'all': all of them
subsets = 5  # few-shot subsets
iters = 300  # of a recogniser
clips = 16  # per batch of a recogniser
baseline_epochs = 3  # 0: those of their configs
folds = 2  # of a detector
detect_epochs = 8

precision_ks = [1, 5, 10]  # retrieval
