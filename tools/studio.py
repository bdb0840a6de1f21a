#!/usr/bin/env python3
"""Open a corpus in the browser: look at videos, label actions, search by example, train, review, export.

python tools/studio.py data/parkour --features vpd
"""

import errno
import os
import socket
from pathlib import Path

from vpd_mm.corpus import Corpus
from vpd_mm.engine.cli import ToolParser, run_tool, share_freed_memory
from vpd_mm.errors import UserError, listed
from vpd_mm.files import list_folder

DEFAULT_PORT = 8765


def main(argv=None):
    args = parse_args(argv)
    share_freed_memory()
    corpus = Corpus.open(args.corpus)
    features = check_features(corpus, args.features)
    check_student(args.student)
    with bind(args.host, args.port) as listening:
        from vpd_mm.studio import Access, Workspace
        from vpd_mm.studio.server import serve

        access = Access.of_host(args.host)
        print(f'{corpus.name}: open {access.address(listening.getsockname()[1])} (Ctrl-C stops it)', flush=True)
        serve(Workspace(corpus, features, args.student), access, listening)


def check_features(corpus: Corpus, name: str | None) -> str:
    """Return the name of the features; the only ones of the corpus where none is given, '' where it has none."""
    if name is None:
        names = [path.name for path in list_folder(corpus.root / 'features') if list_folder(path, '*.npz')]
        if len(names) > 1:
            raise UserError(f'{corpus.root}: has several features; pass one of them: --features {listed(names)}')
        return names[0] if names else ''
    kind, _, run = name.rpartition('/')
    kinds = {'features': corpus.features_dir, 'teacher': corpus.teacher_dir}
    if kind not in ('', *kinds) or not any(kinds[k](run).is_dir() for k in ([kind] if kind else kinds)):
        known = [f'{k}/{path.name}' for k in kinds for path in list_folder(corpus.root / k) if path.is_dir()]
        raise UserError(
            f'--features {name}: {corpus.root} has {", ".join(known) or "none; run tools/extract_features.py"}'
        )
    return name


def check_student(spec: str) -> None:
    """Check that the files of a student exist; what they hold is checked when it is used."""
    parts = [Path(part) for part in spec.rpartition(':')[::2] if part]
    if not Path(spec).exists() and not all(part.exists() for part in parts):
        raise UserError(f'--student {spec}: no such file or folder; pass a run folder, or CONFIG:CHECKPOINT')


def bind(host: str, port: int) -> socket.socket:
    """Listen on an address."""
    try:
        family, *_, where = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        listening = socket.create_server(where[:2], family=family)
    except OSError as e:
        no_address = isinstance(e, socket.gaierror) or e.errno == errno.EADDRNOTAVAIL
        hint = 'pass an address of this machine' if no_address else 'another studio? pass --port 0 for a free one'
        reason = os.strerror(e.errno) if (e.errno or 0) > 0 else e.strerror  # that of a name has its own numbers
        raise UserError(f'--host {host} --port {port}: cannot listen there ({reason}); {hint}') from e
    return listening


def parse_args(argv):
    parser = ToolParser(__doc__)
    add = parser.add_argument
    add('corpus', help='the corpus, as data/parkour')
    add('--features', help='features for search and training (default: the only ones of the corpus)')
    text = 'student whose poses are drawn: a run folder or CONFIG:CHECKPOINT'
    add('--student', metavar='CONFIG:CHECKPOINT', default='', help=text)
    add('--port', type=int, default=DEFAULT_PORT, help='0: a free one')
    add(
        '--host', default='127.0.0.1', help='address to listen on; other machines need the token of the printed address'
    )
    args = parser.parse_args(argv)
    if not 0 <= args.port <= 65535:
        raise UserError(f'--port must be 0 to 65535, found {args.port}')
    return args


if __name__ == '__main__':
    run_tool(main)
