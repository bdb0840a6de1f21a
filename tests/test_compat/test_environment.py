"""check_env: rows, hints and exit status."""

from vpd_mm.compat import BRIDGES, environment


def test_two_opencv_distributions_are_reported_with_a_hint():
    two = environment.opencv_row(['opencv-python-headless', 'opencv-contrib-python'])
    assert not two.good
    assert 'pip uninstall -y opencv-python-headless opencv-contrib-python' in two.hint
    assert two.hint.endswith('pip install opencv-python-headless')
    assert environment.opencv_row(['opencv-python-headless']).good
    assert environment.opencv_row().good


def test_main_path_runs_here(capsys, monkeypatch):
    monkeypatch.setenv('COLUMNS', '200')
    assert environment.main() == 0
    out = capsys.readouterr().out
    assert 'The main path can run here.' in out
    for title in ('Required', 'Bridges over upstream breaks', 'Optional'):
        assert title in out
    for bridge in BRIDGES:
        assert bridge.name in out


def test_missing_part_is_exit_1_with_the_command(capsys, monkeypatch):
    monkeypatch.setitem(environment.REQUIRED, 'no_such_module', 'no-such-distribution')
    assert environment.main() == 1
    assert 'no-such-distribution: missing; pip install no-such-distribution' in capsys.readouterr().err


def test_part_that_does_not_import_is_reported(tmp_path, monkeypatch):
    (tmp_path / 'dies_at_import.py').write_text('raise ValueError("numpy.dtype size changed")')
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(environment, 'MAIN_PATH', ('dies_at_import',))
    (problem,) = environment.problems()
    assert 'dies_at_import: ValueError: numpy.dtype size changed' in problem


def test_optional_parts_have_a_status_and_a_hint():
    rows = environment.optional_parts()
    assert {'CUDA', 'torchvision RAFT', 'compiled mmcv', 'mediapipe', 'onnxruntime'} <= {row.name for row in rows}
    assert all(row.good or row.hint for row in rows)
    assert all(row.status for row in rows)
