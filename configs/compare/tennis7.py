"""Tennis7: the methods of the paper, and the detection of swings (Table 4)."""

_base_ = ['../_base_/sports/tennis7.py', '../_base_/compare_paper.py']

name = 'tennis7'
title = 'Tennis7: tennis swings'
dataset = 'Tennis7'
names = dict(sport='tennis7')
detection = dict(
    methods=[
        dict(name='R(2+1)D', config='configs/detect/bigru_joints_100e_{sport}.py', features='features/r2plus1d_18'),
        dict(name='2D joints', config='configs/detect/bigru_joints_100e_{sport}.py', features='teacher/joints'),
        dict(name='2D-VPD', config='configs/detect/bigru_vpd_100e_{sport}.py', features='features/vpd'),
        dict(name='VI-VPD', config='configs/detect/bigru_vpd_100e_{sport}.py', features='features/vi-vpd'),
    ]
)
