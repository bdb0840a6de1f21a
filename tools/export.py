#!/usr/bin/env python3
"""Export a trained student, recognizer, frame scorer or VIPE* to ONNX and compare the file with PyTorch.

python tools/export.py RUN_FOLDER --out student.onnx
"""

from importlib.util import find_spec
from pathlib import Path

from vpd_mm.engine.cli import ToolParser, add_overwrite_argument, run_tool
from vpd_mm.errors import UserError


def main(argv=None):
    parser = ToolParser(__doc__)
    parser.add_argument('config', help='run folder of the training, or its config')
    parser.add_argument('checkpoint', nargs='?', help='its weights (default: the best checkpoint of the run folder)')
    parser.add_argument('--out', help='file to write, *.onnx (default: beside the checkpoint)')
    parser.add_argument('--opset', type=int, default=17, help='ONNX opset (default: 17)')
    add_overwrite_argument(parser)
    args = parser.parse_args(argv)

    for package in ('onnx', 'onnxruntime'):  # before the slow imports
        if find_spec(package) is None:
            raise UserError(f'{package} is not installed; pip install onnx onnxruntime')

    from vpd_mm.engine.model_files import find_one_trained
    from vpd_mm.export.onnx_export import TOLERANCE, export_model

    config, checkpoint = find_one_trained(args.config, 'model', args.checkpoint or '')
    out = args.out or Path(checkpoint).with_suffix('.onnx')
    for file in export_model(config, checkpoint, out, args.opset, args.overwrite):
        sizes = '; '.join(' '.join('x'.join(map(str, shape)) for shape in shapes) for shapes in file.shapes)
        print(f'{file.path}: {file.kind}, {file.path.stat().st_size / 1e6:.1f} MB')
        print(f'  onnxruntime and PyTorch differ by {file.error:.1e} (limit {TOLERANCE:g}) on inputs {sizes}')


if __name__ == '__main__':
    run_tool(main)
