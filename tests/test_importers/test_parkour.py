"""LAAS Parkour: the layout of its repository, its Python 2 pickle, ground truth beside the training data."""
