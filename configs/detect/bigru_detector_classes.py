"""As bigru_detector.py, with a score for each class of the corpus: the intervals have classes.  Not run."""

_base_ = ['./bigru_detector.py']
model = dict(num_classes=2)  # more than one: as many as classes.txt has
