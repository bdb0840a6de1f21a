"""Tennis7 (paper 4.1): swings, 0.5 s on both sides of the contact; detection counts 0.1 s on both sides."""

corpus = 'data/tennis7'
num_classes = 7
window = dict(before_sec=0.5, after_sec=0.5)
widen = dict(before_sec=0.1, after_sec=0.1)
paper_selection = 'val'
