"""BiGRU of paper 4.3 that scores each frame as action or not: 483,586 parameters with d=26."""

model = dict(
    type='FrameScorer',
    backbone=dict(type='BiGRU', in_dims=26, hidden_dims=128, num_layers=2, input_dropout=0.2, pool=None),
    num_classes=1,
    window=250,
    data_preprocessor=dict(type='SequencePreprocessor'),
)
