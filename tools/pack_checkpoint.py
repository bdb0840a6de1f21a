#!/usr/bin/env python3
"""Pack a training checkpoint for shipping: weights only, half precision, with its SHA-256.

python tools/pack_checkpoint.py work_dirs/CONFIG/epoch_40.pth student.pth
"""

from collections.abc import Sequence
from pathlib import Path

from vpd_mm.engine.checkpoint_packer import MAX_BYTES, pack_checkpoint
from vpd_mm.engine.cli import ToolParser, add_overwrite_argument, run_tool


def main(argv: Sequence[str] | None = None) -> None:
    parser = ToolParser(__doc__)
    parser.add_argument('checkpoint', type=Path, help='checkpoint of tools/train.py: work_dirs/<config>/epoch_N.pth')
    parser.add_argument('out', type=Path, help='file to write, *.pth; the hash is written to *.sha256 beside it')
    parser.add_argument('--max-bytes', type=int, default=MAX_BYTES, help=f'largest size (default: {MAX_BYTES})')
    parser.add_argument('--only', default='', help="keep the weights whose names start with this, e.g. 'encoder.'")
    add_overwrite_argument(parser)
    args = parser.parse_args(argv)
    digest = pack_checkpoint(args.checkpoint, args.out, args.max_bytes, args.only, args.overwrite)
    print(f'{args.out}: {args.out.stat().st_size} bytes, SHA-256 {digest}')


if __name__ == '__main__':
    run_tool(main)
