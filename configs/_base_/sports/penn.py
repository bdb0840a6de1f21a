"""Penn Action: 15 sports and exercises, a clip each."""

corpus = 'data/penn'
num_classes = 15
window = dict(before_sec=0.0, after_sec=0.0)
paper_selection = 'val'
