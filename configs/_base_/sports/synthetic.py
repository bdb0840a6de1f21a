"""The synthetic sport of this package: labelled moves in uncut routines."""

corpus = 'data/synthetic'
num_classes = 18
window = dict(before_sec=0.0, after_sec=0.0)
paper_selection = 'val'
