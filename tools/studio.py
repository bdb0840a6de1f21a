#!/usr/bin/env python3
"""Open a corpus in the browser: look at videos, label actions, search by example, train, review, export.

python tools/studio.py data/parkour --features vpd
"""

from vpd_mm.corpus import Corpus
from vpd_mm.engine.cli import ToolParser, run_tool


def main(argv=None):
    args = parse_args(argv)
    import uvicorn

    from vpd_mm.studio import Workspace, create_app

    workspace = Workspace(Corpus.open(args.corpus), args.features or '', args.student or '')
    print(f'http://127.0.0.1:{args.port}', flush=True)
    uvicorn.run(create_app(workspace), host='127.0.0.1', port=args.port, log_level='warning')


def parse_args(argv):
    parser = ToolParser(__doc__)
    parser.add_argument('corpus', help='the corpus, as data/parkour')
    parser.add_argument('--features', help='features for search and training; default: the newest of the corpus')
    parser.add_argument('--student', metavar='CONFIG:CHECKPOINT', help='student whose poses are drawn, or a run folder')
    parser.add_argument('--port', type=int, default=8765)
    return parser.parse_args(argv)


if __name__ == '__main__':
    run_tool(main)
