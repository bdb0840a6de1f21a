"""ST-GCN of mmaction2: joints or bones. Not run: no measured result."""

_base_ = ['_base_/skeleton.py', '_base_/stgcn.py']
