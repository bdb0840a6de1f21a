"""Stand-in for the folder ``models/localizers/drn``, which is missing from the wheel of mmaction2 1.2.0."""

from types import ModuleType

from ..errors import UserError
from .bridge import Bridge, empty_module, package_dir


def applies() -> str:
    root = package_dir('mmaction')
    localizers = root / 'models' / 'localizers' if root else None
    if localizers is None or not localizers.is_dir() or (localizers / 'drn' / 'drn.py').is_file():
        return ''
    return 'mmaction/models/localizers/drn is missing from the wheel'


def _fill_drn(module: ModuleType) -> None:
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


BRIDGE = Bridge(
    name='mmaction2 DRN',
    upstream='https://github.com/open-mmlab/mmaction2/issues/2714',
    fix='stands in for the module: mmaction.models imports, building DRN reports what to install',
    applies=applies,
    stand_ins={
        'mmaction.models.localizers.drn': empty_module,
        'mmaction.models.localizers.drn.drn': _fill_drn,
    },
)
