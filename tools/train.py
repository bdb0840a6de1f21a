#!/usr/bin/env python3
"""Train a model of vpd_mm or mmaction2 from a config."""

from vpd_mm.engine.cli import ToolParser, add_train_arguments, load_config, merge_train_arguments, run_tool


def main(argv=None):
    parser = ToolParser(__doc__)
    add_train_arguments(parser)
    args = parser.parse_args(argv)
    cfg = load_config(args)
    merge_train_arguments(cfg, args)

    from vpd_mm.engine.run import build_runner

    build_runner(cfg).train()


if __name__ == '__main__':
    run_tool(main)
