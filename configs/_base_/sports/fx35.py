"""FX35 (paper 4.1): elements of the floor exercise, from 0.25 s before."""

corpus = 'data/fx35'
num_classes = 35
window = dict(before_sec=0.25, after_sec=0.0)
paper_selection = 'test'  # the published code chose the epoch on the test set
