"""Files are opened, and folders listed, in vpd_mm/files and nowhere else, but for the exceptions below."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
#: Methods of paths that open or list, whatever the object; ``open`` where it has no other meaning.
METHODS = {'read_text', 'read_bytes', 'write_text', 'write_bytes', 'rmtree'} | {'glob', 'rglob', 'iterdir'}
#: Functions that open a path.  json.load and the like, which take an open file, are not among them.
FUNCTIONS = {
    *('os.listdir', 'os.scandir', 'os.walk', 'glob.iglob'),
    *('open', 'os.open', 'io.open', 'np.load', 'np.save', 'np.savez', 'np.savez_compressed'),
    *('np.loadtxt', 'np.genfromtxt', 'np.fromfile', 'torch.load', 'torch.save', 'json.loads', 'cv2.imread'),
    *('cv2.imwrite', 'cv2.VideoCapture', 'pickle.load', 'pickle.loads', 'yaml.load', 'scipy.io.loadmat'),
    *('zipfile.ZipFile', 'zipfile.is_zipfile', 'tarfile.open', 'gzip.open', 'av.open', 'lmdb.open'),
    *('pd.read_csv', 'Config.fromfile', 'PIL.Image.open'),
}
#: Files outside vpd_mm/files to what they open there, and why they may.
ALLOWED: dict[str, tuple[set[str], str]] = {
    # libraries that open by path, after check_file, or that write into a file of atomic_write
    'vpd_mm/compat/checkpoint_loading.py': ({'torch.load', 'zipfile.ZipFile'}, 'with weights_only; of an open file'),
    'vpd_mm/corpus/shard.py': ({'lmdb.open'}, 'LMDB opens by path'),
    'vpd_mm/engine/config.py': ({'Config.fromfile'}, 'a config is a program that the user trusts'),
    'vpd_mm/infer/frame_source.py': ({'cv2.VideoCapture'}, 'cameras'),
    'vpd_mm/structures/npz_io.py': (
        {'np.savez', 'zipfile.ZipFile', 'os.open'},
        'on open files; a file that was checked, opened again for each draw and compared by inode and times',
    ),
    'vpd_mm/visualize/video_writer.py': ({'av.open'}, 'writes into a file of atomic_write'),
    'vpd_mm/compat/checkpoint_saving.py': (
        {'.rmtree', '.glob'},
        'old checkpoints of the work dir; hidden temporary files',
    ),
    'vpd_mm/retrieve/search_parts.py': ({'.glob'}, 'its own folder, which it empties; hidden temporary files'),
    'vpd_mm/corpus/corpus_check.py': ({'zipfile.ZipFile', '.rglob'}, 'of an open file; hidden temporary files'),
    'vpd_mm/importers/json_io.py': ({'gzip.open'}, 'bytes in memory, bounded'),
    'vpd_mm/engine/checkpoint_packer.py': ({'torch.save'}, 'into memory'),
    'vpd_mm/export/onnx_export.py': ({'.write_bytes'}, 'into a temporary folder'),
    'vpd_mm/engine/cli.py': ({'.open'}, 'the log, which is appended to'),
    'vpd_mm/experiments/jobs.py': ({'.iterdir'}, 'its own folder, which it empties'),
    'vpd_mm/repair/corpus_repair.py': ({'.rmtree'}, 'outputs of its student'),
    'vpd_mm/studio/predictions.py': ({'.rmtree'}, 'trainings that do not count any more'),
    'vpd_mm/engine/locks.py': ({'os.open'}, 'a lock, in which only the number of a process is replaced'),
    'vpd_mm/compat/mmengine.py': ({'.read_text', 'json.loads'}, 'metadata of an installed package, our own text'),
    'vpd_mm/compat/mmaction.py': ({'.read_text'}, 'source of an installed package'),
    'vpd_mm/compat/xtcocotools.py': ({'.read_bytes'}, 'an installed package'),
    'vpd_mm/__main__.py': ({'.read_bytes'}, 'a tool of this project'),
    'vpd_mm/engine/tool_list.py': ({'.read_text'}, 'tools of this project'),
    'vpd_mm/compat/environment_fix.py': ({'.read_text'}, 'requirements of this project'),
    'tools/demo_real.py': ({'zipfile.ZipFile'}, 'a wheel that pip has downloaded'),
    'benchmarks/scale.py': ({'.read_text', '.iterdir', '.rmtree'}, 'memory of a process; its own folder'),
    'benchmarks/published_loader.py': ({'cv2.imread', 'cv2.imwrite'}, 'as the published code does'),
    'benchmarks/studio.py': (
        {'av.open', '.read_text', 'json.loads'},
        'a temporary folder; memory and answers of its own server',
    ),
    'vpd_mm/interchange/archives.py': ({'zipfile.ZipFile'}, 'zip archives in memory, of limited size'),
    'benchmarks/prepare.py': ({'av.open'}, 'writes into a temporary folder'),
    'benchmarks/retrieval.py': ({'.open'}, 'the table that the benchmark has made'),
    'benchmarks/containers.py': ({'av.open', '.read_bytes', '.write_bytes'}, 'a temporary folder'),
    'benchmarks/vipe_recipes.py': ({'.write_text', 'Config.fromfile'}, 'a temporary folder; our own config'),
    'benchmarks/bigru.py': ({'Config.fromfile'}, 'our own config'),
    'benchmarks/distill.py': ({'Config.fromfile'}, 'our own config'),
    'benchmarks/vipe.py': ({'Config.fromfile'}, 'our own config'),
}
_MODE = re.compile('[rwax]b?[+]?')


def opened(tree: ast.AST) -> set[str]:
    """Names of the calls in a module that open a file by its path."""
    names = set()
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        name, method = ast.unparse(node.func), getattr(node.func, 'attr', '')
        arguments = [getattr(a, 'value', None) for a in node.args]
        is_mode = not arguments or (isinstance(arguments[0], str) and _MODE.fullmatch(arguments[0]))
        if name in FUNCTIONS:
            names.add(name)
        elif method in METHODS or (method == 'open' and is_mode):
            names.add(f'.{method}')
    return names


def test_files_are_opened_in_one_room():
    found = {}
    for path in sorted(p for room in ('vpd_mm', 'tools', 'benchmarks') for p in (ROOT / room).rglob('*.py')):
        if path.parent != ROOT / 'vpd_mm' / 'files' and (calls := opened(ast.parse(path.read_text(encoding='utf-8')))):
            found[str(path.relative_to(ROOT))] = calls
    extra = {name: calls - ALLOWED.get(name, (set(), ''))[0] for name, calls in found.items()}
    assert not {name: calls for name, calls in extra.items() if calls}
    unused = {name: calls - found.get(name, set()) for name, (calls, _) in ALLOWED.items()}
    assert not {name: calls for name, calls in unused.items() if calls}


def test_calls_that_open_files_are_recognised():
    code = "open(p); Path(p).read_text(); path.open('ab'); np.load(p); json.loads(t); shutil.rmtree(d)"
    assert opened(ast.parse(code)) == {'open', '.read_text', '.open', 'np.load', 'json.loads', '.rmtree'}
    assert not opened(ast.parse('Corpus.open(root); webbrowser.open(url); read_text(p); f.read(); json.dump(a, f)'))
