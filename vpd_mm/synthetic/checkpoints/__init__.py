"""The packed models: a teacher (mmpose), a person detector (mmdet), VIPE*; see README.md here."""

from pathlib import Path

from ...engine.checkpoint_packer import check_packed
from ...engine.paths import find_config
from ...errors import UserError

#: Kind to (package, name of its config in configs/teacher/ and of its files here).
PACKED = {
    'teacher': ('mmpose', 'td-hm_res18-narrow_20e_generic-80x112'),
    'detector': ('mmdet', 'rtmdet_narrow_5e_mixed-192'),
    'vipe': ('vpd_mm', 'vipe_fc512_240e_synthetic'),
}


def packed_model(kind: str) -> tuple[str, str]:
    """Return (config, checkpoint) of a packed model: ``teacher``, ``detector`` or ``vipe``.

    Raises:
        UserError: no such kind, or the file is missing or damaged.
    """
    if kind not in PACKED:
        raise UserError(f'no packed model {kind!r}; there are {", ".join(PACKED)}')
    name = PACKED[kind][1]
    checkpoint = check_packed(Path(__file__).parent / f'{name}.pth')
    return str(find_config(f'configs/teacher/{name}.py')), str(checkpoint)


def packed_source(kind: str) -> str:
    """Return a packed model for ``tools/prepare.py``: ``mmpose:<config>:<checkpoint>`` or ``mmdet:...``."""
    config, checkpoint = packed_model(kind)
    return f'{PACKED[kind][0]}:{config}:{checkpoint}'


__all__ = ['PACKED', 'packed_model', 'packed_source']
