"""model-index.yml and its metafiles: as OpenMMLab's tools read them, and the README tables are made from them."""

import re
from pathlib import Path

import pytest
import yaml
from vpd_mm.experiments.report_metafile import readme_tables

ROOT = Path(__file__).resolve().parents[1]
INDEX = yaml.safe_load((ROOT / 'model-index.yml').read_text(encoding='utf-8'))


def models() -> list[dict]:
    return [model for path in INDEX['Import'] for model in read(path)['Models']]


def read(path: str) -> dict:
    return yaml.safe_load((ROOT / path).read_text(encoding='utf-8'))


def test_all_metafiles_are_imported():
    assert sorted(INDEX['Import']) == sorted(str(p.relative_to(ROOT)) for p in (ROOT / 'configs').rglob('metafile.yml'))


@pytest.mark.parametrize('path', INDEX['Import'])
def test_a_metafile_names_what_there_is(path):
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


def test_tables_of_the_readme_are_those_of_the_metafiles():
    readme = (ROOT / 'README.md').read_text(encoding='utf-8')
    blocks = dict(re.findall(r'<!-- compare:(\w+) -->\n(.*?)\n<!-- /compare -->', readme, re.DOTALL))
    assert blocks
    for name, table in blocks.items():
        rows = [model for model in models() if model['Metadata'].get('Comparison') == name]
        assert readme_tables(rows).strip() == table, f'run tools/compare.py with --metafile and --readme for {name}'
