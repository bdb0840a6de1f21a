"""``np.Inf`` for mmaction2's PoseCompact and MMCompact; NumPy 2 removed the name."""

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
    numpy = vars(module)['np']
    copy = ModuleType('numpy', numpy.__doc__)
    vars(copy).update(vars(numpy), Inf=numpy.inf)
    setattr(module, 'np', copy)  # noqa: B010  # NumPy itself is unchanged: only this module gets the old name


BRIDGE = Bridge(
    name='mmaction2 np.Inf',
    upstream='mmaction/datasets/transforms/pose_transforms.py:505',
    fix='gives that module a copy of the NumPy namespace with the old name',
    applies=applies,
    around={'mmaction.datasets.transforms.pose_transforms': _with_inf},
)
