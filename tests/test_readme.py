"""Code blocks and links of the documentation: commands run or are parsed, Python runs, links lead somewhere."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from documentation import (
    LANGUAGES,
    PAGES,
    anchors,
    block_commands,
    blocks,
    links,
    named_files,
    parse_command,
    read_page,
)
from media import make_inputs
from studio_server import start_studio

ROOT = Path(__file__).resolve().parents[1]
SHARED = ROOT.parent / 'shared'
#: Words of the README, code included.
MAX_WORDS = 900
#: Run by CI itself.
ELSEWHERE = ('make ', 'pip ', 'python -m vpd_mm check_env')
#: What makes a long training short: the command's own epochs, with few draws each; twelve frames are held out singly.
SHORTER = {
    'resnet18_2d-vpd_40e_real.py': [
        '--cfg-options',
        'train_dataloader.sampler.num_samples=8',
        'train_dataloader.dataset.holdout=frame',
        'val_dataloader.dataset.holdout=frame',
    ],
    'stgcn_joint_8e_generated.py': ['--cfg-options', 'train_dataloader.dataset.num_clips=16'],
    'stgcn-gn_joint_8e_generated.py': ['--cfg-options', 'train_cfg.max_epochs=1'],
    'fewshot.py': [
        *('--subsets', '1', '--jobs', '1'),
        '--cfg-options',
        'train_cfg.max_iters=10',
        'train_cfg.val_interval=10',
        'default_hooks.checkpoint.interval=10',
    ],
}
#: Parts of the commands that take long and on which no other one depends: they run with ``make test-full``.
LONG = ('Penn_Action', 'data/penn', 'configs/baselines', 'work_dirs/stgcn', 'benchmark.py')
#: Boxes and poses of the tests' videos, in which no detector sees an athlete; test_default_models.py runs the defaults.
GIVEN = {
    'tools/prepare.py my_videos/ --out data/real': ['--boxes', 'my_boxes/', '--poses', 'my_poses/'],
    'tools/infer.py my_videos/run.mp4': ['--boxes', 'my_boxes/'],
}
SHELL_PAGES = [page for page in PAGES if any(block.language in ('bash', 'sh') for block in blocks(page))]
PYTHON_PAGES = [page for page in PAGES if any(block.language == 'python' for block in blocks(page))]


def commands() -> list[str]:
    """Commands of the bash blocks, each once, in the order of the pages."""
    texts = [block.text for page in PAGES for block in blocks(page) if block.language == 'bash']
    lines = [line.split('  #')[0].strip() for text in texts for line in text.splitlines()]
    return list(dict.fromkeys(line for line in lines if line and not line.startswith(ELSEWHERE)))


def marked_commands() -> list:
    """The commands; those of LONG are marked 'full'."""
    return [
        pytest.param(command, marks=[pytest.mark.full] if any(part in command for part in LONG) else [])
        for command in commands()
    ]


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """A user's folder: tools/ as in the checkout, two videos with boxes and poses."""
    folder = tmp_path_factory.mktemp('user')
    if (SHARED / 'penn_action').is_dir():
        (folder / 'Penn_Action').symlink_to(SHARED / 'penn_action')
    (folder / 'tools').symlink_to(ROOT / 'tools')
    make_inputs(folder, ['jump', 'run'], 'my_videos', 'my_boxes', 'my_poses')
    [table] = [block.text for block in blocks('docs/label_formats.md') if block.text.startswith('video,')]
    (folder / 'my_labels.csv').write_text(table)
    return folder


def test_there_are_commands():
    assert len(commands()) >= 16


@pytest.mark.parametrize('command', marked_commands(), ids=lambda c: ' '.join(c.split()[:3]))
def test_command_runs(command, folder, run_python):
    if ('Penn_Action' in command or 'data/penn' in command) and not (folder / 'Penn_Action').exists():
        pytest.skip('needs Penn Action')
    program, tool, *arguments = shlex.split(command)
    if tool in ('tools/train.py', 'tools/dist_train.sh', 'tools/fewshot.py'):
        arguments += [word for name, extra in SHORTER.items() if name in command for word in extra]
    arguments += GIVEN.get(command.removeprefix('python '), [])
    if tool == 'tools/studio.py':
        with start_studio(*arguments, cwd=folder) as url:
            assert httpx.get(f'{url}/api/corpus').json()['features'] == ['vpd']
        return
    if program == 'python' and tool.endswith('.py'):
        done = run_python(folder / tool, *arguments, cwd=folder)
    else:
        path = f'{Path(sys.executable).parent}{os.pathsep}{os.environ["PATH"]}'
        environment = {**os.environ, 'PATH': path, 'PORT': '29583'}
        words = [program, tool, *arguments]
        done = subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, f'{done.stdout[-1000:]}\n{done.stderr[-2000:]}'


@pytest.mark.parametrize('page', PYTHON_PAGES)
def test_python_runs(page, folder, run_python):
    """The blocks of a page are one program, in the folder in which the commands have run."""
    path = folder / f'{Path(page).stem}_blocks.py'
    path.write_text('\n'.join(block.text for block in blocks(page) if block.language == 'python'))
    done = run_python(path, cwd=folder)
    assert done.returncode == 0, f'{done.stdout[-1000:]}\n{done.stderr[-2000:]}'


@pytest.mark.parametrize('page', SHELL_PAGES)
def test_commands_are_parsed(page, tmp_path):
    for block in blocks(page):
        if block.language in ('bash', 'sh'):
            words = block_commands(block.text, tmp_path)
            assert words, f'{page}:{block.line}: no command'
            for command in words:
                parse_command(command)


def test_errors_in_commands_are_reported(tmp_path):
    [command] = block_commands(
        'A=configs/distill/nothing.py  # comment\npython tools/train.py $A \\\n  --resume\n', tmp_path
    )
    assert command == ['python', 'tools/train.py', 'configs/distill/nothing.py', '--resume']
    for text, error in {
        'python tools/train.py configs/distill/nothing.py': 'no such file',
        'python tools/train.py': 'config',
        'python tools/prepare.py a --out b --flow fast': 'fast',
        'python tools/nothing.py': 'no such file',
        'make nothing': 'nothing',
        'pip install torch==0.1': 'torch',
        'rmdir a': 'unknown command',
    }.items():
        [command] = block_commands(text, tmp_path)
        with pytest.raises(Exception, match=error):
            parse_command(command)


@pytest.mark.parametrize('page', PAGES)
def test_every_block_is_known(page):
    for block in blocks(page):
        where = f'{page}:{block.line}'
        assert block.language in LANGUAGES, f'{where}: language {block.language!r} is not one of {sorted(LANGUAGES)}'
        if block.language not in ('bash', 'sh'):
            shell = re.search(r'^\s*(python|pip|make|bash|vpd-mm|git) ', block.text, re.MULTILINE)
            assert not shell, f'{where}: a command; mark the block as bash (it runs) or sh (it is parsed)'


@pytest.mark.parametrize('page', PAGES)
def test_links_and_files_exist(page):
    missing = [name for name in named_files(page) if not (ROOT / name).exists()]
    for target in links(page):
        file, _, anchor = target.partition('#')
        path = (ROOT / page).parent / file if file else ROOT / page
        if not path.exists() or (anchor and anchor not in anchors(path)):
            missing.append(target)
    assert not missing, f'{page}: {missing}'


def test_the_readme_is_short():
    assert len(read_page('README.md').split()) <= MAX_WORDS


def test_every_room_has_a_page_of_the_api():
    rooms = {path.parent.name for path in (ROOT / 'vpd_mm').glob('*/__init__.py')}
    assert {path.stem for path in (ROOT / 'docs/api').glob('*.md')} == rooms
