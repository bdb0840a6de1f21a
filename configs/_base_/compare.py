"""Default fields of a comparison (tools/compare.py)."""

name = ''  # of its block in README files and of its metafile rows
title = ''  # heading of the report
dataset = ''  # name of the data set in tables and in the paper
corpus = ''  # its folder
methods = []  # see vpd_mm.experiments.Method
ks = None  # training actions a class; None: 16 and 'all', as far as every class has them
subsets = 5  # fixed subsets for each k
seeds = 1  # for each subset
all_seeds = 3  # with all training actions
protocol = 'default'  # 'paper': as published: python -m vpd_mm paper
allow_short = False  # accept classes with fewer than k actions
allow_missing = False  # leave out actions without features
options = dict()  # merged into every config that is trained
ablation = dict(title='Ablation', ks=['all'], methods=[])
retrieval = dict(title='Retrieval', ks=['all'], methods=[])
detection = dict(title='Detection in uncut videos', ks=['all'], methods=[])  # ks: labelled videos
reference = ''  # JSON of published numbers; '' = vpd_mm/experiments/paper_numbers.json
