"""Bridges for mmaction2 1.2.0: missing folder, undeclared requirement, decord, NumPy 2, transformers, class means."""

from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

from ..errors import UserError
from .bridge import find_elsewhere, package_dir


def lacks_drn() -> str:
    root = package_dir('mmaction')
    localizers = root / 'models' / 'localizers' if root else None
    if localizers is None or not localizers.is_dir() or (localizers / 'drn' / 'drn.py').is_file():
        return ''
    return 'mmaction/models/localizers/drn is missing from the wheel'


def fill_drn(module: ModuleType) -> None:
    from mmaction.registry import MODELS

    class DRN:
        """Importable and registered; building it raises."""

        def __init__(self, *args, **kwargs) -> None:
            raise UserError(
                'DRN is missing from the mmaction2 1.2.0 wheel (mmaction2#2714); '
                'install mmaction2 from source: pip install git+https://github.com/open-mmlab/mmaction2'
            )

    DRN.__module__ = module.__name__
    MODELS.register_module(module=DRN)
    module.DRN = DRN  # type: ignore[attr-defined]


def lacks_importlib_metadata() -> str:
    spec = find_elsewhere('importlib_metadata')
    # setuptools puts its private copy on sys.path once it is imported; do not rely on it.
    installed = spec is not None and '_vendor' not in str(spec.origin)
    return '' if installed or package_dir('mmaction') is None else 'importlib_metadata is not installed'


def read_with_pyav(module: ModuleType) -> Iterator[None]:
    yield
    from .pyav_reader import PyAVReader

    def get_video_reader(self, filename: str) -> PyAVReader:
        if self.file_client is None:
            self.file_client = module.FileClient(self.io_backend, **self.kwargs)
        return PyAVReader(self.file_client.get(filename))

    module.DecordInit._get_video_reader = get_video_reader


def lacks_inf() -> str:
    if package_dir('mmaction') is None:
        return ''
    import numpy as np

    return '' if hasattr(np, 'Inf') else 'NumPy 2 has no np.Inf'


def with_inf(module: ModuleType) -> Iterator[None]:
    """Give the module a copy of the NumPy namespace; NumPy itself is unchanged."""
    yield
    import numpy as np

    copy = ModuleType('numpy', np.__doc__)
    vars(copy).update(vars(np), Inf=np.inf)
    setattr(module, 'np', copy)  # noqa: B010


def averages_absent_classes() -> str:
    root = package_dir('mmaction')
    source = root / 'evaluation' / 'functional' / 'accuracy.py' if root else None
    counted = source is not None and source.is_file() and 'if cnt else 0.0' in source.read_text(encoding='utf-8')
    return 'mmaction counts a class without clips that is predicted as accuracy 0' if counted else ''


def average_present_classes(module: ModuleType) -> Iterator[None]:
    yield
    import numpy as np

    def mean_class_accuracy(scores, labels):
        hits, labels = np.argmax(scores, axis=1) == labels, np.asarray(labels)
        return np.mean([hits[labels == label].mean() for label in np.unique(labels)])

    setattr(module, 'mean_class_accuracy', mean_class_accuracy)  # noqa: B010


def transformers_is_new() -> str:
    spec = find_elsewhere('transformers') if package_dir('mmaction') else None
    source = Path(spec.origin).with_name('modeling_utils.py') if spec and spec.origin else None
    if source is None or not source.is_file() or 'apply_chunking_to_forward' in source.read_text(encoding='utf-8'):
        return ''
    return 'transformers.modeling_utils has no apply_chunking_to_forward, which VindLU imports'


def without_multimodal(module: ModuleType) -> Iterator[None]:
    yield
    setattr(module, 'WITH_MULTIMODAL', False)  # noqa: B010
