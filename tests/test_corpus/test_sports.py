"""Settings of the data sets, found by what corpus.json says."""

import doctest
import re
from pathlib import Path

import vpd_mm.corpus.sports
from vpd_mm.corpus.sports import SPORTS, Sport, Window, find_sport
from vpd_mm.synthetic.corpus import SPORT

IMPORTERS = Path(vpd_mm.corpus.sports.__file__).parents[1] / 'importers'


def test_every_importer_writes_a_known_sport():
    written = re.findall(r"\bsport='(\w+)'", ''.join(path.read_text() for path in IMPORTERS.glob('*.py')))
    assert {SPORT, *written} == {settings.sport for settings in SPORTS.values()}


def test_the_sport_decides_else_the_name():
    assert find_sport('tennis', 'fx35') is find_sport('tennis7', '') is find_sport('', 'tennis7') is SPORTS['tennis7']
    assert find_sport('golf', 'fx35') == Sport('golf')
    assert find_sport('golf', '').window == find_sport('golf', '').widen == Window(0.0, 0.0)
    assert find_sport('golf', '').paper_selection == 'val'


def test_a_window_of_the_corpus_replaces_that_of_the_sport():
    settings = find_sport('tennis', '', Window(1.0, 2.0))
    assert settings.window == Window(1.0, 2.0)
    assert settings.widen == SPORTS['tennis7'].widen


def test_examples():
    assert doctest.testmod(vpd_mm.corpus.sports).failed == 0
