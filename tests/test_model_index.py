"""model-index.yml and its metafiles follow OpenMMLab's format; the demonstration quotes their numbers."""

import ast
import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
INDEX = yaml.safe_load((ROOT / 'model-index.yml').read_text(encoding='utf-8'))


def models() -> list[dict]:
    return [model for path in INDEX['Import'] for model in read(path)['Models']]


def read(path: str) -> dict:
    return yaml.safe_load((ROOT / path).read_text(encoding='utf-8'))


def test_all_metafiles_are_imported():
    assert sorted(INDEX['Import']) == sorted(str(p.relative_to(ROOT)) for p in (ROOT / 'configs').rglob('metafile.yml'))


@pytest.mark.parametrize('path', INDEX['Import'])
def test_a_metafile_names_existing_files_and_collections(path):
    content = read(path)
    collections = {collection['Name'] for collection in content['Collections']}
    assert len({model['Name'] for model in content['Models']}) == len(content['Models']) > 0
    for model in content['Models']:
        assert model['In Collection'] in collections
        for config in model['Config'].split(' + '):  # an ensemble has several
            assert config.startswith('DTW') or (ROOT / config).is_file(), config
        assert 'Weights' not in model or (ROOT / model['Weights']).is_file(), model['Weights']
        for result in model['Results']:
            assert result['Task']
            assert result['Dataset']
            assert all(isinstance(value, int | float) for value in result['Metrics'].values())


def longer_runs() -> str:
    """Text ``LONGER`` of the demonstration's report."""
    for path in sorted((ROOT / 'tools').rglob('*.py')):
        for node in ast.parse(path.read_text(encoding='utf-8')).body:
            if isinstance(node, ast.Assign) and 'LONGER' in [getattr(target, 'id', '') for target in node.targets]:
                return ast.literal_eval(node.value)
    raise AssertionError('no file in tools/ assigns LONGER')


def test_the_demonstration_quotes_the_tables():
    quoted = re.findall(r'([0-9.]+) %', longer_runs())
    tops = {
        model['Metadata']['Method']: f'{model["Results"][0]["Metrics"]["Top 1 Accuracy"]:.1f}'
        for model in models()
        if model['Name'].startswith('synthetic-table: ')
    }
    page = (ROOT / 'docs' / 'train.md').read_text(encoding='utf-8')
    student = re.search(r'start_2d-vpd_200e_synthetic.py`\) \|.*\| (\d+) % \|', page)[1]
    random_start = re.search(r'From random weights it took\s+1,450,000 crops .* to reach (\d+) %', page)[1]
    assert quoted == [student, tops['2D-VPD + BiGRU'], tops['2D joints + BiGRU'], random_start]
