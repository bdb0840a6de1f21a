#!/usr/bin/env python3
"""Coverage-guided fuzzing of the readers: mutate kept inputs, keep what reaches new lines, print a table.

python tests/fuzz_readers.py --seconds 5 [--keep 18]

An input is a chain of seeds: the valid file of its reader, mutated with each of them.  ``--keep`` writes so many inputs
of each reader to tests/data/fuzz_inputs.json, new failures and those that it holds first;
tests/test_fuzz/test_kept_inputs.py reads them again.
"""

import argparse
import io
import json
import os
import resource
import signal
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

if __name__ == '__main__':
    sys.path[:0] = [str(Path(__file__).resolve().parent), str(Path(__file__).resolve().parents[1])]

import numpy as np
import torch
from fuzzing import TOKENS, read_or_refuse
from interchange_corpus import export, make_corpus, without_labels
from media import make_video
from test_fuzz.test_corpus_files import crops_content
from test_fuzz.test_foreign_files import BINARY_FORMATS, JSON_FORMATS, write
from test_fuzz.test_label_files import FILES, SAMPLES, merge_alone
from tiny_corpus import make_tiny

from vpd_mm.athlete.recipe import Recipe
from vpd_mm.athlete.video_reader import VideoReader
from vpd_mm.compat.checkpoint_loading import load_checkpoint_safely
from vpd_mm.corpus import Corpus, CropHeader
from vpd_mm.corpus.shard import seal, unseal
from vpd_mm.files import read_json
from vpd_mm.interchange import FORMATS
from vpd_mm.structures import FeatureSequence, load_actions, load_classes

KEPT = Path(__file__).resolve().parent / 'data' / 'fuzz_inputs.json'
#: Limits of one input: seconds, and bytes of memory beyond those of the process.
MAX_SEC, MAX_BYTES = 10, 1 << 30
#: LMDB maps a damaged file and may end the process: each input is read in a process of its own.
SHARD = 'shard of crops'
CRASHES = {f'the process ended with status {number}' for number in (signal.SIGBUS, signal.SIGSEGV, signal.SIGABRT)}
PACKAGE = str(Path(__file__).resolve().parents[1] / 'vpd_mm')
#: Audit events of code that leaves the process.
REFUSED = {'os.system', 'os.exec', 'os.posix_spawn', 'os.fork', 'subprocess.Popen', 'socket.connect', 'pty.spawn'}


def readers(folder: Path) -> dict[str, tuple[bytes, Callable[[bytes], object]]]:
    """Name of each reader to a valid file and a function that reads changed bytes."""
    made: dict[str, tuple[bytes, Callable[[bytes], object]]] = {}
    for name, (file, content, read) in JSON_FORMATS.items():
        root = folder / f'json {name}'
        made[name] = json.dumps(content).encode(), partial(_through, root, file, lambda _, r=root, f=read: f(r))
    for name, (content, read) in BINARY_FORMATS.items():
        file = 'v.pkl' if 'meta' in name else 'v'
        made[f'{name} (pickle)' if name in ('poses', 'video meta') else name] = (
            content,
            partial(_through, folder / f'binary {name}', file, read),
        )
    sequence = FeatureSequence(np.arange(4), np.ones((4, 2, 3), np.float32), np.ones(4, np.float32))
    sequence.save(folder / 'a.npz')
    made['npz'] = (folder / 'a.npz').read_bytes(), partial(_through, folder / 'npz', 'a.npz', FeatureSequence.load)
    header = CropHeader(32, {'clip': 20.0}, (48, 64), 900, np.array([0, 1]), np.ones((2, 3), int), np.array([0]))
    text = json.dumps(header.to_json()).encode()
    made['header of crops'] = text, CropHeader.from_json
    made['sealed record of crops'] = seal(b'h/a', text), lambda data: CropHeader.from_json(unseal(b'h/a', data))
    corpus = b'{"layout_version": 1, "name": "a", "sport": "", "fps": 25, "window": {"before_sec": 1}}'
    made['corpus.json'] = corpus, partial(_through, folder / 'c', 'corpus.json', lambda p: Corpus.open(p.parent))
    videos = b'video,path,fps,num_frames,width,height\na,a.mp4,25.0,9,64,48\nb,,12.5,8,64,48\n'
    made['videos.csv'] = videos, partial(_through, folder / 'd', 'videos.csv', lambda p: Corpus(p.parent, 'a').videos())
    actions = b'action_id,video,start_frame,end_frame,label,split\na1,a,0,5,0,train\na2,b,2,8,0,test\n'
    made['actions.csv'] = actions, partial(_through, folder, 'actions.csv', lambda p: load_actions(p, 1))
    made['classes.txt'] = 'jump\nLäufer\nspin'.encode(), partial(_through, folder, 'classes.txt', load_classes)
    recipe = json.dumps(Recipe('full', None, {'method': 'path', 'every': 2}, 64).to_json()).encode()
    made['recipe of a checkpoint'] = (
        recipe,
        partial(_through, folder, 'r.json', lambda p: Recipe.from_json(read_json(p, 'train again'), p)),
    )
    file = io.BytesIO()
    torch.save({'meta': {'epoch': 1}, 'state_dict': {'w': torch.ones(3, 2)}}, file)
    made['checkpoint'] = file.getvalue(), partial(_through, folder, 'x.pth', lambda p: load_checkpoint_safely(str(p)))
    for suffix in ('mp4', 'avi'):
        path = folder / f'valid.{suffix}'
        make_video(path, 6)
        made[f'video ({suffix})'] = path.read_bytes(), partial(_through, folder, f'v.{suffix}', _frames)
    full = make_corpus(folder / 'labelled')
    corpus = without_labels(full, folder / 'labels')
    files = {'csv': export(full, 'csv', ['pal', 'anna__match'])['labels.csv']}
    files |= {f'{form} {file}': (SAMPLES / file).read_bytes() for form, names in FILES.items() for file in names}
    for name, content in files.items():
        made[f'labels: {name}'] = content, partial(merge_alone, corpus, FORMATS[name.split()[0]])
    [shard] = make_tiny(folder / 'tiny', {'a': 9, 'b': 8}).crops_dir.glob('*.lmdb')
    whole = crops_content(shard.parent)
    made[SHARD] = shard.read_bytes(), partial(_through, folder / 'shards', shard.name, partial(_read_shard, whole))
    return made


def _read_shard(whole: str, path: Path) -> str:
    content = crops_content(path.parent)
    assert content == whole, 'reads something else'
    return content


def _frames(path: Path) -> int:
    return sum(1 for _ in VideoReader(path))


def _through(folder: Path, name: str, read: Callable[[Path], object], data: bytes) -> object:
    return read(write(folder, name, data))


def mutate(data: bytes, chain: list[int]) -> bytes:
    """``data`` changed one to four times with each seed: bits, bytes, tokens, cuts and repetitions."""
    changed = bytearray(data)
    for seed in chain:
        rng = np.random.default_rng(seed)
        for _ in range(rng.integers(1, 5)):
            at = int(rng.integers(len(changed) + 1))
            end = min(len(changed), at + int(2 ** rng.uniform(0, 12)))
            kind = rng.integers(7)
            if kind == 0 and at < len(changed):
                changed[at] ^= 1 << int(rng.integers(8))
            elif kind == 1:
                changed[at : at + 4] = rng.bytes(4)
            elif kind == 2:
                del changed[at:end]
            elif kind == 3:
                changed[at:at] = changed[at:end]
            elif kind == 4:
                changed[at : at + int(rng.integers(8))] = TOKENS[rng.integers(len(TOKENS))]
            elif kind == 5 and at < len(changed):
                changed[at] = int(rng.choice([0, 1, 127, 128, 255, 48, 45]))
            elif kind == 6 and rng.random() < 0.3:
                del changed[at:]
    return bytes(changed)


def limit_process() -> None:
    """Limit the memory of this process, and refuse what would start another one or open a connection."""
    with open('/proc/self/statm') as f:
        used = int(f.read().split()[0]) * os.sysconf('SC_PAGE_SIZE')
    resource.setrlimit(resource.RLIMIT_AS, (used + MAX_BYTES, used + MAX_BYTES))

    def refuse(event: str, _: tuple) -> None:
        if event in REFUSED:
            os._exit(99)

    sys.addaudithook(refuse)


def in_child(work: Callable[[], object], seconds: float) -> object:
    """Result of ``work()`` (JSON) in a limited child process; text where it raises or the child dies."""
    receive, send = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(receive)
        signal.alarm(int(seconds) + 1)
        try:
            os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # messages of OpenCV and FFmpeg
            limit_process()
            answer = work()
        except BaseException as e:
            answer = f'{type(e).__name__}: {e}'[:300]
        with os.fdopen(send, 'w') as f:
            json.dump(answer, f)
        os._exit(0)
    os.close(send)
    with os.fdopen(receive) as f:
        answer = f.read()
    _, status = os.waitpid(pid, 0)
    return json.loads(answer) if answer else f'the process ended with status {status}'


def try_chain(data: bytes, read: Callable[[bytes], object], chain: list[int]) -> str:
    """What is wrong with reading ``data`` changed by ``chain``; '' where it is read or refused in one line."""
    try:
        read_or_refuse(lambda: read(mutate(data, chain)), MAX_SEC)
    except Exception as e:  # any: this is what is looked for
        return f'{type(e).__name__}: {e}'[:200]
    return ''


def problems_of(name: str, data: bytes, read: Callable[[bytes], object], chains: list[list[int]]) -> object:
    """[chain, problem] of each chain whose input is neither read nor refused; text where the process ends."""
    if name != SHARD:
        return in_child(lambda: [[c, p] for c in chains if (p := try_chain(data, read, c))], 3 * MAX_SEC)
    answers = [[chain, in_child(partial(try_chain, data, read, chain), MAX_SEC)] for chain in chains]
    return [[chain, answer] for chain, answer in answers if answer and answer not in CRASHES]


def observe(data: bytes, read: Callable[[bytes], object], chain: list[int]) -> tuple[str, list[tuple[str, int]]]:
    """Result of :func:`try_chain`, and the lines of the package that it reached."""
    lines: set[tuple[str, int]] = set()

    def trace(frame, event: str, arg: object):
        name = frame.f_code.co_filename
        if not name.startswith(PACKAGE):
            return None
        lines.add((name, frame.f_lineno))
        return trace

    sys.settrace(trace)
    problem = try_chain(data, read, chain)
    sys.settrace(None)
    return problem, sorted(lines)


def campaign(name: str, data: bytes, read: Callable[[bytes], object], seconds: float, seed: int) -> dict:
    """Mutate inputs for some seconds, and keep those that reach new lines of the package."""
    lines: set[tuple[str, int]] = set()
    rng, kept, failures, tried, crashes, end = np.random.default_rng(seed), [[]], [], 0, 0, cpu_time() + seconds
    while cpu_time() < end:
        parent = kept[rng.integers(len(kept))] if tried else []
        chain = [*parent, int(rng.integers(1 << 31))][-6:] if tried else []
        before, work = len(lines), partial(observe, data, read, chain)
        answer = in_child(work, MAX_SEC) if name == SHARD else work()
        problem, reached = (answer, []) if isinstance(answer, str) else answer
        lines.update(map(tuple, reached))
        tried += 1
        if problem in CRASHES:
            crashes, problem = crashes + 1, ''
        if problem:
            failures.append([problem, chain])
        if (len(lines) > before or len(kept) < 8) and tried > 1:
            kept.append(chain)
    return {'tried': tried, 'kept': kept[1:], 'failures': failures, 'lines': len(lines), 'crashes': crashes}


def cpu_time() -> float:
    """CPU seconds of this process and of the children that have ended."""
    return sum(os.times()[:4])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--seconds', type=float, default=5, help='CPU seconds of each reader')
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--keep', type=int, help='inputs of each reader to write to tests/data/fuzz_inputs.json')
    args = parser.parse_args()
    kept, failed, total, former = {}, 0, 0, json.loads(KEPT.read_text())
    print('| reader | inputs tried | seconds | lines reached | failures |\n|---|---|---|---|---|')
    with tempfile.TemporaryDirectory() as folder:
        for name, (data, read) in readers(Path(folder)).items():
            work = partial(campaign, name, data, read, args.seconds, args.seed)
            result = work() if name == SHARD else in_child(work, 10 * args.seconds + 2 * MAX_SEC)
            if not isinstance(result, dict):
                result = {'tried': 0, 'kept': [], 'failures': [[result, []]], 'lines': 0, 'crashes': 0}
            numbers = f'{result["tried"]:,} | {args.seconds:g} | {result["lines"]} | {len(result["failures"])}'
            crashes = f' ({result["crashes"]} ended the process in LMDB)' if result['crashes'] else ''
            print(f'| {name} | {numbers}{crashes} |', flush=True)
            for problem, chain in {line.partition(':')[0]: (line, c) for line, c in result['failures']}.values():
                print(f'{name}: {problem} (chain {chain})', file=sys.stderr)
            chains = [*[chain for _, chain in result['failures']][:3], *former.get(name, []), *result['kept']]
            kept[name] = [*chains, *([number] for number in range(args.keep or 0))][: args.keep]
            failed, total = failed + len(result['failures']), total + result['tried']
    print(f'| all | {total:,} | {args.seconds * len(kept):g} | | {failed} |')
    if args.keep:
        KEPT.write_text(json.dumps(kept, separators=(',', ':')).replace(']],', ']],\n') + '\n')
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())
