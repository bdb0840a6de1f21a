#!/usr/bin/env python3
"""Evaluate a checkpoint of vpd_mm or mmaction2 with the test part of its config."""

from pathlib import Path

from vpd_mm.engine.cli import ToolParser, add_run_arguments, load_config, run_tool
from vpd_mm.errors import UserError


def main(argv=None):
    parser = ToolParser(__doc__)
    add_run_arguments(parser)
    parser.add_argument('checkpoint', help='the .pth file to evaluate')
    args = parser.parse_args(argv)
    cfg = load_config(args)
    if not Path(args.checkpoint).is_file():
        raise UserError(f'checkpoint {args.checkpoint}: no such file')
    if not cfg.get('test_dataloader'):
        raise UserError(f'{args.config}: has no test_dataloader to evaluate on')
    cfg.load_from = args.checkpoint

    from vpd_mm.engine.run import build_runner

    build_runner(cfg).test()


if __name__ == '__main__':
    run_tool(main)
