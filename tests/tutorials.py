"""Run the tutorials of docs/tutorials.  ``make tutorials`` runs both and keeps their outputs in the repository."""

import tempfile
from collections.abc import Iterable
from pathlib import Path

import nbformat
from nbclient import NotebookClient

FOLDER = Path(__file__).resolve().parents[1] / 'docs' / 'tutorials'
NAMES = ('synthetic_sport', 'your_own_video')
#: Largest size of a notebook with its images, bytes.
MAX_BYTES = 1_500_000


def read_tutorial(name: str) -> nbformat.NotebookNode:
    return nbformat.read(FOLDER / f'{name}.ipynb', as_version=4)


def run_tutorial(name: str, folder: Path, sizes: str = '') -> nbformat.NotebookNode:
    """Execute all cells in ``folder``; ``sizes`` is code that follows the cell tagged ``sizes``.

    Raises CellExecutionError if a cell does.
    """
    notebook = read_tutorial(name)
    at = next(i for i, cell in enumerate(notebook.cells) if 'sizes' in cell.metadata.get('tags', ()))
    notebook.cells.insert(at + 1, nbformat.v4.new_code_cell(sizes))
    NotebookClient(
        notebook, timeout=1200, kernel_name='python3', resources={'metadata': {'path': str(folder)}}
    ).execute()
    del notebook.cells[at + 1]
    return notebook


def outputs(notebook: nbformat.NotebookNode) -> Iterable[nbformat.NotebookNode]:
    return (output for cell in notebook.cells for output in cell.get('outputs', ()))


def errors(notebook: nbformat.NotebookNode) -> list[str]:
    """Errors of cells, and of tools that a cell runs with ``%run``."""
    texts = [output.get('text', '') for output in outputs(notebook) if output.output_type == 'stream']
    lines = [line for text in texts for line in text.splitlines() if 'error: ' in line or 'Traceback' in line]
    return lines + [output.evalue for output in outputs(notebook) if output.output_type == 'error']


def num_images(notebook: nbformat.NotebookNode) -> int:
    return sum(any(kind.startswith('image/') for kind in output.get('data', ())) for output in outputs(notebook))


def save_tutorial(name: str, notebook: nbformat.NotebookNode) -> None:
    """Write a notebook without what differs from run to run: counts, times, versions."""
    notebook.metadata = {'kernelspec': {'name': 'python3', 'display_name': 'Python 3', 'language': 'python'}}
    for cell in notebook.cells:
        cell.metadata = {key: value for key, value in cell.metadata.items() if key == 'tags'}
        if cell.cell_type == 'code':
            cell.execution_count = None
            for output in cell.outputs:
                output.pop('execution_count', None)
                if output.output_type == 'execute_result':
                    output['execution_count'] = None
                if {'image/jpeg', 'text/html'} & set(output.get('data', ())):
                    output.data.pop('text/plain', None)
    nbformat.write(notebook, FOLDER / f'{name}.ipynb')


if __name__ == '__main__':
    for tutorial in NAMES:
        with tempfile.TemporaryDirectory() as root:
            done = run_tutorial(tutorial, Path(root))
            for output in outputs(done):
                if 'text' in output:
                    output.text = output.text.replace(f'{root}/', '')
        if found := errors(done):
            raise SystemExit(f'{tutorial}: {found}')
        save_tutorial(tutorial, done)
