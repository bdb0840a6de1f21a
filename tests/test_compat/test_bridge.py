"""The import hook: stand-ins only where asked for, patches around the execution of the true module."""

import importlib
import json
import sys

import pytest

from vpd_mm import compat
from vpd_mm.compat.bridge import Bridge, BridgeFinder, provider, rebind


@pytest.fixture
def arm(tmp_path, monkeypatch):
    """Arm bridges over packages that live in tmp_path; undo everything afterwards."""
    before = set(sys.modules)
    monkeypatch.syspath_prepend(str(tmp_path))

    def make(**files):
        for name, text in files.items():
            (tmp_path / f'{name}.py').write_text(text)
        importlib.invalidate_caches()

    def arm(*bridges):
        finder = BridgeFinder(bridges)
        monkeypatch.setattr(sys, 'meta_path', [finder, *sys.meta_path])
        return finder

    arm.make = make
    yield arm
    for name in set(sys.modules) - before:
        del sys.modules[name]


def bridge(why='broken', **kwargs):
    return Bridge(name='b', upstream='u', fix='c', applies=lambda: why, **kwargs)


def test_stand_in_takes_part_only_where_the_break_is(arm):
    def fill(module):
        module.value = 'stand-in'

    arm.make(present_a='value = "true"', present_b='value = "true"')
    arm(
        bridge(stand_ins={'present_a': fill, 'absent_a': lambda module: None, 'absent_a.inner': fill}),
        bridge('', stand_ins={'present_b': fill, 'absent_b': fill}),
    )
    assert importlib.import_module('present_a').value == 'stand-in'
    assert importlib.import_module('present_b').value == 'true'
    assert importlib.import_module('absent_a.inner').value == 'stand-in'
    with pytest.raises(ModuleNotFoundError, match='absent_b'):
        importlib.import_module('absent_b')


def test_around_runs_before_and_after_the_true_module(arm):
    seen = []

    def around(module):
        seen.append(('before', hasattr(module, 'value')))
        yield
        seen.append(('after', module.value))
        module.value += ' patched'

    arm.make(patched='value = "true"', healthy='value = "true"')
    arm(bridge(around={'patched': around}), bridge('', around={'healthy': around}))
    module = importlib.import_module('patched')
    assert seen == [('before', False), ('after', 'true')]
    assert module.value == 'true patched'
    assert type(module.__spec__.loader).__name__ == 'SourceFileLoader'
    assert importlib.import_module('healthy').value == 'true'


def test_module_imported_earlier_is_patched_too(arm):
    def around(module):
        yield
        module.value = 'patched'

    arm.make(early='value = "true"')
    module = importlib.import_module('early')
    arm(bridge(around={'early': around})).patch_imported()
    assert module.value == 'patched'


def test_rebind_reaches_re_exports_of_upstream_only(monkeypatch):
    import mmengine.utils
    from mmengine.utils import package_utils

    def old():
        pass

    monkeypatch.setattr(package_utils, 'probe', old, raising=False)
    monkeypatch.setattr(mmengine.utils, 'probe', old, raising=False)
    monkeypatch.setattr(json, 'probe', old, raising=False)
    rebind(old, 'new')
    assert package_utils.probe == mmengine.utils.probe == 'new'
    assert json.probe is old


def test_install_twice_arms_once():
    compat.install()
    assert sum(isinstance(finder, BridgeFinder) for finder in sys.meta_path) == 1


def test_provider_names_the_distribution():
    assert provider('mmaction')[0] in ('mmaction2', 'onedl-mmaction2')
    assert provider('no_such_package') is None


def test_upstream_imported_first_is_patched(run_python, tmp_path):
    """mmaction2's own tools import mmengine and reach vpd_mm through ``custom_imports``."""
    code = """
import mmengine.runner, mmengine.hub, vpd_mm
from mmengine.utils import get_installed_path
from mmengine.runner.checkpoint import _load_checkpoint
print(get_installed_path("mmaction2"))
try:
    _load_checkpoint("none.pth")
except vpd_mm.errors.UserError as e:
    print(e)
"""
    done = run_python('-c', code, cwd=tmp_path, env={'PYTHONPATH': str(tmp_path)})
    assert done.returncode == 0, done.stderr
    path, *_, message = done.stdout.splitlines()
    assert path.endswith('mmaction')
    assert message == 'checkpoint none.pth: no such file'


def test_the_text_of_a_config_is_formatted_once():
    from mmengine.config import Config, config
    from yapf.yapflib.yapf_api import FormatCode

    cfg = Config(dict(a=[1, 2], b=dict(c='d')))
    first = cfg.pretty_text
    assert cfg.pretty_text is first
    cfg.a.append(3)
    assert cfg.pretty_text == "a = [\n    1,\n    2,\n    3,\n]\nb = dict(c='d')\n"
    for style in ('pep8', {'based_on_style': 'pep8'}):
        assert config.FormatCode('a=1\n', style_config=style) == FormatCode('a=1\n', style_config=style)
