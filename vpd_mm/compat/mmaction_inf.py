"""mmaction2's PoseCompact and MMCompact say ``np.Inf``, which NumPy 2 has no more."""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from types import ModuleType

from .bridge import Bridge, package_dir


def applies() -> str:
    if package_dir('mmaction') is None or int(version('numpy').partition('.')[0]) < 2:
        return ''
    return 'NumPy 2 has no np.Inf'


@contextmanager
def _with_inf(module: ModuleType) -> Iterator[None]:
    yield
    true = vars(module)['np']
    lent = ModuleType('numpy', true.__doc__)
    vars(lent).update(vars(true), Inf=true.inf)
    setattr(module, 'np', lent)  # noqa: B010  # NumPy itself stays as it is: only this module sees the old name


BRIDGE = Bridge(
    name='mmaction2 np.Inf',
    upstream='mmaction/datasets/transforms/pose_transforms.py:505',
    cure='lends that module a NumPy that knows the old name',
    applies=applies,
    around={'mmaction.datasets.transforms.pose_transforms': _with_inf},
)
