"""Fixtures of crops."""

from pathlib import Path

import pytest


@pytest.fixture
def shard(tmp_path) -> Path:
    return tmp_path / 'crops' / 'shard-000-00.lmdb'
