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
    launcher_ranks,
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

    from vpd_mm.engine.resume import ReplaceTrainingHook, train_alone
    from vpd_mm.engine.run import build_runner
    from vpd_mm.features.corpus_config import load_corpus_config

    cfg = load_corpus_config(args)
    merge_train_arguments(cfg, args)
    resume = (cfg.get('load_from') or 'auto') if cfg.get('resume') else None
    with (
        train_alone(Path(cfg.work_dir), resume=resume, overwrite=args.overwrite),
        disk_errors_name(cfg.work_dir),
    ):
        runner = build_runner(cfg)
        if args.overwrite or not resume:  # it may follow one that was killed before it had saved
            runner.register_hook(ReplaceTrainingHook(resume))
        runner.train()
    if launcher_ranks()[0] == 0 and (command := next_command(cfg)):
        print(f'next: {command}')


def next_command(cfg) -> str:
    """The command that uses the trained model, '' where there is none."""
    from vpd_mm.corpus import Corpus
    from vpd_mm.engine.tool_list import tool_command
    from vpd_mm.features.clip_summary import infer_command
    from vpd_mm.features.corpus_config import datasets_of

    dataset, model = next(datasets_of(cfg, 'train')), str(cfg.model.get('type')).rpartition('.')[2]
    if model == 'PoseDistiller':
        more = ['--out', 'vpd', '--preview'] if dataset.teacher == 'joints' else []
        return tool_command('extract_features', cfg.work_dir, '--corpus', dataset.corpus, *more)
    command = tool_command('test', cfg.work_dir) if cfg.get('test_dataloader') else ''
    if option := {'SequenceRecognizer': '--recognizer', 'FrameScorer': '--scorer'}.get(model):
        return infer_command(Corpus.open(dataset.corpus), dataset.features, option, cfg.work_dir) or command
    return command


if __name__ == '__main__':
    run_tool(main)
