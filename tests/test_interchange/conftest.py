import pytest
from interchange_corpus import without_labels


@pytest.fixture
def corpus(full, tmp_path):
    """Videos and classes without labels."""
    return without_labels(full, tmp_path / 'c')
