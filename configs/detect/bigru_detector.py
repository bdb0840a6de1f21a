"""Actions in uncut videos by a BiGRU a frame (paper 4.3): normalised 2D joints, or any features with --features."""

_base_ = ['../_base_/models/detect_bigru.py', '../_base_/schedules/detect_100e.py']
