#!/usr/bin/env python3
"""Write a trained student, recogniser, frame scorer or VIPE* as ONNX and compare the file with PyTorch."""

from pathlib import Path

from vpd_mm.engine.cli import ToolParser, run_tool


def main(argv=None):
    parser = ToolParser(__doc__)
    parser.add_argument('config', help='config that the model was trained with')
    parser.add_argument('checkpoint', help='its weights')
    parser.add_argument('--out', help='file to write, *.onnx; default: beside the checkpoint')
    parser.add_argument('--opset', type=int, default=17, help='of ONNX')
    args = parser.parse_args(argv)

    from vpd_mm.export.onnx_export import TOLERANCE, export_model

    out = args.out or Path(args.checkpoint).with_suffix('.onnx')
    for done in export_model(args.config, args.checkpoint, out, args.opset):
        sizes = '; '.join(' '.join('x'.join(map(str, shape)) for shape in shapes) for shapes in done.shapes)
        print(f'{done.path}: {done.kind}, {done.path.stat().st_size / 1e6:.1f} MB')
        print(f'  onnxruntime and PyTorch differ by {done.error:.1e} (limit {TOLERANCE:g}) on inputs {sizes}')


if __name__ == '__main__':
    run_tool(main)
