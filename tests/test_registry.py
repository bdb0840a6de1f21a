import inspect

import pytest
from mmengine import registry as roots
from mmengine.registry import Registry

from vpd_mm import registry


def test_every_root_has_a_child_of_our_scope():
    names = [name for name, value in inspect.getmembers(roots) if isinstance(value, Registry)]
    assert len(names) >= 20
    for name in names:
        child = getattr(registry, name)
        assert child.parent is getattr(roots, name), name
        assert child.scope == 'vpd_mm'


@pytest.mark.parametrize('name', ['GeneratedActionDataset', 'vpd_mm.GeneratedActionDataset'])
def test_components_are_found_by_name_and_by_scope(name):
    from vpd_mm.baselines import GeneratedActionDataset

    assert registry.DATASETS.get(name) is GeneratedActionDataset


def test_foreign_types_need_their_prefix():
    assert registry.MODELS.get('mmaction.STGCN').__module__.startswith('mmaction.')
    assert registry.MODELS.get('STGCN') is None


def test_mmengine_types_need_none():
    assert registry.HOOKS.get('CheckpointHook').__module__.startswith('mmengine.')
