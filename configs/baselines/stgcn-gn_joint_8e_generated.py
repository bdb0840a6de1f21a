"""stgcn_joint_8e_generated with group normalisation: its losses do not depend on the number of processes.

Not run on a real data set.
"""

_base_ = ['stgcn_joint_8e_generated.py']

norm = dict(type='GN', num_groups=4)
model = dict(
    backbone=dict(gcn_norm=norm, tcn_norm=norm, data_bn_type=None, inflate_stages=[], down_stages=[]),
    cls_head=dict(in_channels=16),
)
