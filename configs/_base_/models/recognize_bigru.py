"""BiGRU of paper 4.1: 486,927 parameters with d=26 and 15 classes."""

model = dict(
    type='SequenceRecognizer',
    backbone=dict(type='BiGRU', in_dims=26, hidden_dims=128, num_layers=2, input_dropout=0.2, pool='max'),
    num_classes=15,
    hidden_dims=256,
    dropout=0.5,
    data_preprocessor=dict(type='SequencePreprocessor'),
)
