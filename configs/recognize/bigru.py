"""The paper's BiGRU: normalised 2D joints, or any features with --features. Not run: no measured result."""

_base_ = ['../_base_/models/recognize_bigru.py', '../_base_/schedules/recognize_500e.py']
