import pytest
from baseline_corpus import make_baseline_corpus

from vpd_mm.corpus import Corpus


@pytest.fixture(scope='session')
def baseline_corpus(tmp_path_factory) -> Corpus:
    return make_baseline_corpus(tmp_path_factory.mktemp('baselines'))
