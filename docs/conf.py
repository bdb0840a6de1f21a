"""Sphinx configuration of the documentation: ``make docs``."""

import os
import re
import sys
import urllib.request
from pathlib import Path

DOCS = Path(__file__).resolve().parent
ROOT = DOCS.parent
sys.path.insert(0, str(ROOT))

from vpd_mm import __version__  # noqa: E402  # installs the bridges before autodoc imports OpenMMLab

project = 'vpd_mm'
author = 'The vpd_mm contributors'
copyright = 'the vpd_mm contributors, BSD-3-Clause'
version = release = __version__

extensions = [
    'myst_nb',
    'sphinx.ext.autodoc',
    'sphinx.ext.napoleon',
    'sphinx.ext.intersphinx',
    'sphinx_copybutton',
]
exclude_patterns = ['_build']
nb_execution_mode = 'off'  # the outputs are in the notebooks; tests/test_tutorials.py runs them
nb_merge_streams = True
myst_enable_extensions = ['colon_fence', 'deflist']
myst_heading_anchors = 3

autodoc_member_order = 'bysource'
autodoc_typehints = 'signature'
autodoc_typehints_format = 'short'
autodoc_preserve_defaults = True
autodoc_default_options = {'members': True, 'show-inheritance': True}
autoclass_content = 'class'
napoleon_use_rtype = False

html_theme = 'furo'
html_title = f'vpd_mm {__version__}'
html_static_path = ['_static']
html_css_files = ['vpd_mm.css']
html_copy_source = False
copybutton_exclude = '.linenos, .gp, .go'

linkcheck_timeout = 10
linkcheck_retries = 2
linkcheck_anchors = False

#: Pages whose text is a file elsewhere in the repository.
ELSEWHERE = {
    'contributing': 'CONTRIBUTING.md',
    'changelog': 'CHANGELOG.md',
    'security': 'SECURITY.md',
    'synthetic': 'configs/synthetic/README.md',
    'vipe': 'configs/teacher/README.md',
    'packed_models': 'vpd_mm/synthetic/checkpoints/README.md',
}
_INVENTORIES = {
    'python': 'https://docs.python.org/3/',
    'numpy': 'https://numpy.org/doc/stable/',
    'torch': 'https://docs.pytorch.org/docs/stable/',
    'mmengine': 'https://mmengine.readthedocs.io/en/latest/',
    'mmpose': 'https://mmpose.readthedocs.io/en/latest/',
    'mmaction2': 'https://mmaction2.readthedocs.io/en/latest/',
}


def fetched_inventories(folder: Path) -> dict[str, tuple[str, str]]:
    """Map each project to its site and the inventory of its API, which is fetched once.

    Without a network there are no links to other projects, and the build has no warning.
    """
    mapping: dict[str, tuple[str, str]] = {}
    folder.mkdir(parents=True, exist_ok=True)
    for name, url in _INVENTORIES.items():
        path = folder / f'{name}.inv'
        try:
            if not path.is_file():
                request = urllib.request.Request(f'{url}objects.inv', headers={'User-Agent': 'vpd_mm docs'})  # noqa: S310
                with urllib.request.urlopen(request, timeout=5) as response:  # noqa: S310
                    data = response.read()
                if not data.startswith(b'# Sphinx inventory version 2'):
                    continue
                path.write_bytes(data)
        except OSError:
            if not mapping:
                break  # no network
            continue
        mapping[name] = (url, str(path))
    return mapping


intersphinx_mapping = fetched_inventories(DOCS / '_build' / 'inventories')
linkcheck_ignore = [] if intersphinx_mapping else ['https?://']


def read_page(app: object, docname: str, source: list[str]) -> None:
    """Put in the text of a page of ``ELSEWHERE``, and let links to such files lead to their pages."""
    path = ROOT / ELSEWHERE.get(docname, f'docs/{docname}.md')
    folder = (DOCS / docname).parent
    pages = {ROOT / file: DOCS / f'{name}.md' for name, file in ELSEWHERE.items()}

    def relink(match: re.Match) -> str:
        target = (path.parent / match[1]).resolve()
        return f']({os.path.relpath(pages.get(target, target), folder)}{match[2]}'

    text = path.read_text(encoding='utf-8') if docname in ELSEWHERE else source[0]
    source[0] = re.sub(r'\]\(([^)#\s:]+)([)#])', relink, text)


def drop_aliases(app: object, what: str, name: str, obj: object, options: object, lines: list[str]) -> None:
    """Leave out the docstrings that ``NamedTuple`` gives its fields."""
    if lines and lines[0].startswith('Alias for field number'):
        lines.clear()


def setup(app) -> None:
    app.connect('source-read', read_page)
    app.connect('autodoc-process-docstring', drop_aliases)
