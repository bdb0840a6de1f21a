"""What a comparison (tools/compare.py) is unless its config says otherwise."""

name = ''  # of its block in README files
title = ''
dataset = ''  # the data set's name in tables and in the paper
methods = []  # see vpd_mm.baselines.comparison.Method
names = dict()  # what {sport} and the like in the methods' configs stand for
ks = [16, 'all']  # training actions a class
subsets = 5  # fixed subsets for each k
seeds = 1  # for each subset
all_seeds = 3  # with all training actions
protocol = 'default'  # 'paper': the checkpoint is chosen where the published code chose it
fps = 25.0  # at which nearest neighbours read clips
allow_short = False  # a class with fewer than k actions gives all it has
allow_missing = False  # leave out actions without features
options = dict()  # merged into every config that is trained
ablation = dict(title='Ablation', ks=['all'], methods=[])
detection = dict(title='Detection in uncut videos', methods=[])
reference = ''  # JSON of published numbers; '' = vpd_mm/baselines/paper_numbers.json
