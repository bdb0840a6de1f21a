"""What all tests share: the shared data of the developers (skipped where absent), the tools as subprocesses."""

import gc
import os
import subprocess
import sys
from pathlib import Path

import pytest
from forked import finish_tool, start_server, start_tool, use_server

# Before torch is imported: two teams of threads on the same cores wait for each other in loops, and a test takes ten
# times as long.
os.environ['OMP_NUM_THREADS'] = '1'

import vpd_mm  # noqa: F401  # the bridges come before any OpenMMLab import

ROOT = Path(__file__).resolve().parents[1]


#: Modules that take longest, started first so that no process works alone at the end.
LONGEST = (
    'test_demo_tiny',
    'test_tutorials',
    'test_browser_learning',
    'test_paper_sports',
    'test_readme',
    'test_quickstart',
    'test_runs',
    'test_learning',
    'test_breaks',
    'test_browser_labels',
    'test_browser_frames',
    'test_baseline_configs',
    'test_evil_checkpoint',
)


def pytest_configure(config) -> None:
    if hasattr(config, 'workerinput'):
        use_server()
    elif config.getoption('numprocesses', None):
        start_server()


@pytest.hookimpl(wrapper=True)
def pytest_collection():
    """The modules that are imported here stay: no search for garbage among them."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()
        gc.freeze()


def pytest_collection_modifyitems(items) -> None:
    order = {name: i for i, name in enumerate(LONGEST)}
    items.sort(key=lambda item: order.get(item.path.stem, len(order)))


@pytest.fixture(scope='session')
def shared() -> Path:
    """The developers' data beside the project; users do not have it."""
    path = ROOT.parent / 'shared'
    if not (path / 'README.md').is_file():
        pytest.skip('needs ../shared')
    return path


@pytest.fixture(scope='session', autouse=True)
def _own_state(tmp_path_factory):
    """The record of written configs belongs to the tests, not to the user who runs them."""
    os.environ['XDG_STATE_HOME'] = str(tmp_path_factory.mktemp('state'))


@pytest.fixture(scope='session')
def run_python(tmp_path_factory):
    """Run ``python ARGS`` in a folder and return the finished process (text); a tool is forked (``forked.py``)."""

    def run(*args: object, cwd: Path, env: dict | None = None, timeout: float = 300) -> subprocess.CompletedProcess:
        if Path(args[0]).suffix == '.py':
            folder = tmp_path_factory.mktemp('output')
            out, err = folder / 'out.txt', folder / 'err.txt'
            process = start_tool(*args, cwd=cwd, env=env, out=out, err=err)
            return finish_tool(process, out, err, timeout)
        return subprocess.run(
            [sys.executable, *map(str, args)],
            cwd=cwd,
            env={**os.environ, **(env or {})},
            timeout=timeout,
            capture_output=True,
            text=True,
        )

    return run


@pytest.fixture(autouse=True)
def _fresh_default_scope():
    """mmengine keeps the first default scope of a process for good."""
    yield
    if 'mmengine.registry' in sys.modules:
        from mmengine.registry import DefaultScope

        DefaultScope._instance_dict.clear()


@pytest.fixture(scope='session')
def full(tmp_path_factory):
    """Labelled corpus of the tests of label formats; no test changes it."""
    from interchange_corpus import make_corpus

    return make_corpus(tmp_path_factory.mktemp('interchange') / 'full')
