"""MS-G3D: joints or bones. Not run: no measured result."""

_base_ = ['_base_/skeleton.py', '_base_/msg3d.py']
