"""FSJump6 (paper 4.1): figure skating jumps, 2.5 s before to 0.5 s after."""

corpus = 'data/fsjump6'
num_classes = 6
window = dict(before_sec=2.5, after_sec=0.5)
paper_selection = 'val'
