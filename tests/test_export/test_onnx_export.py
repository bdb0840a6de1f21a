"""Exported networks equal PyTorch at any batch size and length; errors name the reason."""

import numpy as np
import pytest
import torch

pytest.importorskip('onnx')
pytest.importorskip('onnxruntime')

from vpd_mm.engine.model_files import build_model, read_model_config
from vpd_mm.errors import UserError
from vpd_mm.export.onnx_export import TOLERANCE, export_model, parity, write_graph
from vpd_mm.export.onnx_graphs import Graph, graphs_of
from vpd_mm.infer.onnx_backend import OnnxNetwork, run_in_onnx

STUDENT = """
default_scope = 'vpd_mm'
model = dict(type='PoseDistiller', channels_last=True, decoder={decoder},
    student=dict(type='PoseStudent', out_dims=26, in_channels={channels},
        backbone=dict(type='mmpose.ResNet', depth=18, base_channels=8, out_indices=(3,))),
    data_preprocessor=dict(type='CropPreprocessor', with_flow={flow}))
"""
SEQUENCE = """
default_scope = 'vpd_mm'
model = dict(type='{kind}', num_classes=4, data_preprocessor=dict(type='SequencePreprocessor'),
    backbone=dict(type='BiGRU', in_dims=6, hidden_dims=8, num_layers=2, pool={pool!r}))
"""
RECOGNIZER = SEQUENCE.format(kind='SequenceRecognizer', pool='max')


def save(folder, text, classes=()):
    """A config and a checkpoint whose batch norms are not the identity."""
    (folder / 'c.py').write_text(text)
    torch.manual_seed(0)
    model = build_model(read_model_config(folder / 'c.py'))
    with torch.no_grad():
        for name, buffer in model.named_buffers():
            if name.endswith('running_mean'):
                buffer.normal_(0, 0.3)
            elif name.endswith('running_var'):
                buffer.uniform_(0.5, 2)
    torch.save(
        {'state_dict': model.state_dict(), 'meta': {'dataset_meta': {'classes': list(classes)}}}, folder / 'c.pth'
    )
    return folder / 'c.py', folder / 'c.pth', model


@pytest.mark.parametrize(('channels', 'decoder'), [(5, "dict(type='MotionDecoder', dims=26)"), (3, None)])
def test_student_of_raw_crops(tmp_path, channels, decoder):
    text = STUDENT.format(channels=channels, decoder=decoder, flow=channels == 5)
    config, checkpoint, model = save(tmp_path, text)
    done = export_model(config, checkpoint, tmp_path / 's.onnx')
    assert [d.kind for d in done] == (['student', 'decoder'] if decoder else ['student'])
    assert max(d.error for d in done) <= TOLERANCE
    swapped = build_model(read_model_config(config))
    run_in_onnx(swapped, tmp_path / 's.onnx')
    crops = torch.randint(0, 256, (3, 5, 80, 80)).half()
    with torch.no_grad():
        expected = model(model.data_preprocessor({'inputs': crops})['inputs'])
        result = swapped(swapped.data_preprocessor({'inputs': crops})['inputs'])
        assert expected.abs().max() > 0.1
        torch.testing.assert_close(result, expected, atol=1e-4, rtol=1e-4)
        torch.testing.assert_close(swapped.decode(result), model.decode(expected), atol=1e-4, rtol=1e-4)


def test_recognizer_at_any_batch_and_length(tmp_path):
    config, checkpoint, model = save(tmp_path, RECOGNIZER, 'abcd')
    [done] = export_model(config, checkpoint, tmp_path / 'r.onnx')
    assert done.kind == 'recognizer'
    swapped = build_model(read_model_config(config))
    note = run_in_onnx(swapped, tmp_path / 'r.onnx')
    assert note['classes'] == ['a', 'b', 'c', 'd']
    inputs = [torch.randn(2, n, 6) for n in (3, 50, 17)]
    expected, result = (m.test_step({'inputs': inputs}) for m in (model, swapped))
    for e, f in zip(expected, result, strict=True):
        torch.testing.assert_close(f.pred_score, e.pred_score, atol=1e-4, rtol=0)
    # one sequence alone: the padding of the others had no effect
    torch.testing.assert_close(swapped.test_step({'inputs': inputs[:1]})[0].pred_score, result[0].pred_score)


def test_frame_scorer_over_windows(tmp_path):
    config, checkpoint, model = save(tmp_path, SEQUENCE.format(kind='FrameScorer', pool=None))
    export_model(config, checkpoint, tmp_path / 'd.onnx')
    swapped = build_model(read_model_config(config))
    run_in_onnx(swapped, tmp_path / 'd.onnx')
    inputs = [torch.randn(2, 600, 6)]
    expected, result = (m.test_step({'inputs': inputs})[0].frame_scores for m in (model, swapped))
    assert expected.shape == (600, 4)
    torch.testing.assert_close(result, expected, atol=1e-4, rtol=0)


def test_any_encoder_of_poses(tmp_path):
    torch.manual_seed(0)
    model = torch.nn.Module()
    layers = torch.nn.Linear(39, 16), torch.nn.ReLU(), torch.nn.Linear(16, 4)
    model.encoder = torch.nn.Sequential(torch.nn.Flatten(), *layers).eval()  # stands in for VIPE*
    [graph] = graphs_of(model)
    assert (graph.kind, graph.samples[0][0].shape) == ('encoder', (2, 13, 3))
    write_graph(graph, tmp_path / 'e.onnx', {})
    assert parity(graph, tmp_path / 'e.onnx') < TOLERANCE
    with pytest.raises(UserError, match='is no student, recognizer, scorer or pose encoder'):
        list(graphs_of(torch.nn.Conv2d(3, 3, 1)))


def test_parity_detects_a_different_file(tmp_path):
    [graph] = graphs_of(torch.nn.Sequential(torch.nn.Linear(4, 2)).eval())
    write_graph(graph, tmp_path / 'e.onnx', {})
    other = torch.nn.Sequential(torch.nn.Linear(4, 2)).eval()
    assert parity(Graph('encoder', other, graph.inputs, graph.outputs, graph.samples), tmp_path / 'e.onnx') > 0.01


def test_only_exported_files_are_replaced_and_only_by_good_ones(tmp_path, monkeypatch):
    config, checkpoint, _ = save(tmp_path, RECOGNIZER)
    out = tmp_path / 'r.onnx'
    out.write_bytes(b'of the user')
    with pytest.raises(UserError, match=r'r\.onnx: exists and was not written by this tool'):
        export_model(config, checkpoint, out)
    export_model(config, checkpoint, out, overwrite=True)
    export_model(config, checkpoint, out)
    before = out.read_bytes()
    monkeypatch.setattr('vpd_mm.export.onnx_export.TOLERANCE', -1.0)
    with pytest.raises(UserError, match='would differ from PyTorch'):
        export_model(config, checkpoint, out)
    assert out.read_bytes() == before
    (tmp_path / 'link.onnx').symlink_to(checkpoint)
    with pytest.raises(UserError, match=r'link\.onnx: is an input of this command'):
        export_model(config, checkpoint, tmp_path / 'link.onnx', overwrite=True)


def test_errors_are_one_line(tmp_path, monkeypatch):
    config, checkpoint, _ = save(tmp_path, RECOGNIZER)
    with pytest.raises(UserError, match=r'must end in \.onnx'):
        export_model(config, checkpoint, tmp_path / 'r.bin')
    with pytest.raises(UserError, match=r'none\.pth: no such file'):
        export_model(config, tmp_path / 'none.pth', tmp_path / 'r.onnx')
    monkeypatch.setattr('vpd_mm.export.onnx_export.TOLERANCE', -1.0)
    with pytest.raises(UserError, match=r'r\.onnx: would differ from PyTorch by'):
        export_model(config, checkpoint, tmp_path / 'r.onnx')
    assert not (tmp_path / 'r.onnx').exists()
    monkeypatch.undo()
    export_model(config, checkpoint, tmp_path / 'r.onnx')
    with pytest.raises(UserError, match=r'r\.onnx: is a recognizer, expected a student'):
        OnnxNetwork(tmp_path / 'r.onnx', 'student')
    (tmp_path / 'bad.onnx').write_bytes(b'nothing')
    with pytest.raises(UserError, match=r'bad\.onnx: onnxruntime cannot read it'):
        OnnxNetwork(tmp_path / 'bad.onnx', 'student')
    (tmp_path / 'other.py').write_text(RECOGNIZER.replace('=4', '=5'))
    with pytest.raises(UserError, match='has 4 classes, the config says 5'):
        run_in_onnx(build_model(read_model_config(tmp_path / 'other.py')), tmp_path / 'r.onnx')
    result = OnnxNetwork(tmp_path / 'r.onnx', 'recognizer')
    with pytest.raises(UserError, match=r'r\.onnx: does not take inputs \(1, 2, 7\)'):
        result(torch.zeros(1, 2, 7), torch.tensor([2]))
    assert np.isfinite(result(torch.zeros(1, 2, 6), torch.tensor([2])).numpy()).all()
