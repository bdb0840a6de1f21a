#!/usr/bin/env python3
"""Evaluate a checkpoint of vpd_mm or mmaction2 with the test part of its config.

tools/test.py RUN_FOLDER
tools/test.py CONFIG CHECKPOINT [--corpus data/fx35]
tools/test.py configs/teacher/VIPE_CONFIG CHECKPOINT --views cam1.npz cam2.npz
"""

from pathlib import Path

from vpd_mm.engine.cli import ToolParser, add_corpus_arguments, add_run_arguments, run_tool
from vpd_mm.errors import UserError

#: Fields of a config that a training alone reads, or that arguments set.
TRAINING = r'(train|val)_|(optim_wrapper|param_scheduler|auto_scale_lr|load_from|resume|launcher)\b'


def main(argv=None):
    parser = ToolParser(__doc__)
    add_run_arguments(parser, 'run folder of the training, or its config: ')
    add_corpus_arguments(parser)
    parser.add_argument('checkpoint', nargs='?', help='the .pth file to evaluate (default: the best of the run folder)')
    parser.add_argument(
        '--views',
        nargs='+',
        metavar='POSES',
        help='VIPE*: find poses again across these synchronised cameras, a pose file (npz) or folder each',
    )
    parser.set_defaults(subfolder='test')  # the config of the training stays
    args = parser.parse_args(argv)

    from vpd_mm.detect.search import use_recorded_rule
    from vpd_mm.engine.config import check_read
    from vpd_mm.engine.model_files import find_one_trained
    from vpd_mm.engine.run import build_runner
    from vpd_mm.features.corpus_config import HOLDOUT_FIELDS, load_corpus_config

    held_out = rf'(?!train_dataloader\.dataset\.({"|".join(HOLDOUT_FIELDS)})\b)'  # the test follows the training
    check_read(args.cfg_options, f'{held_out}({TRAINING})', 'tools/test.py')
    args.config, args.checkpoint = find_one_trained(args.config, 'model', args.checkpoint or '')
    cfg = load_corpus_config(args)
    if not Path(args.checkpoint).is_file():
        raise UserError(f'checkpoint {args.checkpoint}: no such file')
    if not cfg.get('test_dataloader'):
        raise UserError(f'{args.config}: has no test_dataloader to evaluate on')
    cfg.load_from, cfg.resume = args.checkpoint, False  # the config of a resumed training resumes
    use_recorded_rule(cfg, args.checkpoint)
    if args.views:
        use_views(cfg, args)
    build_runner(cfg).test()


def use_views(cfg, args):
    if cfg.model.type.rpartition('.')[2] != 'VIPE':
        raise UserError(f'--views: {args.config} is a config of {cfg.model.type}, needed is one of VIPE')
    cfg.test_dataloader.dataset = dict(type='PoseViewDataset', views=args.views)


if __name__ == '__main__':
    run_tool(main)
