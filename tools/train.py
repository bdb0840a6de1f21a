#!/usr/bin/env python3
"""Train a model of vpd_mm or mmaction2 from a config.

tools/train.py configs/baselines/gsm.py --corpus data/fx35 --stream flow
"""

from pathlib import Path

from vpd_mm.engine.cli import (
    ToolParser,
    add_corpus_arguments,
    add_overwrite_argument,
    add_train_arguments,
    merge_train_arguments,
    run_tool,
)
from vpd_mm.files import disk_errors_name


def main(argv=None):
    parser = ToolParser(__doc__)
    add_train_arguments(parser)
    add_corpus_arguments(parser)
    add_overwrite_argument(parser, 'train from the start where the work dir holds checkpoints, and replace them')
    args = parser.parse_args(argv)

    from vpd_mm.engine.resume import train_alone
    from vpd_mm.engine.run import build_runner
    from vpd_mm.features.corpus_config import load_corpus_config

    cfg = load_corpus_config(args)
    merge_train_arguments(cfg, args)
    with (
        train_alone(Path(cfg.work_dir), resume=bool(args.resume), overwrite=args.overwrite),
        disk_errors_name(cfg.work_dir),
    ):
        build_runner(cfg).train()


if __name__ == '__main__':
    run_tool(main)
