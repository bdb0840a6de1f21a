"""Pack a training checkpoint for shipping: weights only, half precision, with a hash file."""

import hashlib
import io
import os
from pathlib import Path

from ..compat import load_checkpoint_safely
from ..errors import UserError
from ..files import MARK, check_output, open_output, read_bytes, read_text

#: Largest size of a packed checkpoint.
MAX_BYTES = 4_000_000


def pack_checkpoint(
    source: str | os.PathLike,
    out: str | os.PathLike,
    max_bytes: int = MAX_BYTES,
    only: str = '',
    overwrite: bool = False,
) -> str:
    """Write the weights of a checkpoint in half precision, and ``OUT.sha256`` beside it; return the SHA-256.

    Of a student, the recipe (``athlete.recipe``) and the training videos (``distill.trained_videos``) are kept; of a
    scorer, the rule for proposals (``detect.ProposalRule``).

    The same source gives the same bytes.  mmengine saves a moving average (EMAHook) as ``state_dict``.  ``only`` keeps
    the weights whose names start with it.  ``overwrite`` allows to replace files that were not written here.

    Raises:
        UserError: the source is no checkpoint, a weight does not fit half precision, the result is too large, or one of
            the files exists and was not packed, without ``overwrite``.
    """
    import torch

    source, out = Path(source), Path(out)
    if out.suffix != '.pth':
        raise UserError(f'{out}: must end in .pth')
    rules: dict = {'overwrite': overwrite, 'inputs': [source]}
    hash_file, hash_rules = out.with_suffix('.sha256'), {'mark': f'  {out.name}\n', **rules}
    check_output(out, **rules)
    check_output(hash_file, **hash_rules)
    loaded = load_checkpoint_safely(str(source))
    if 'state_dict' not in loaded:
        raise UserError(f'{source}: has no state_dict; pass a checkpoint that tools/train.py wrote')
    state = {}
    for key, value in loaded['state_dict'].items():
        if not key.startswith(only):
            continue
        state[key] = value.half() if value.is_floating_point() else value.clone()
        if not torch.isfinite(state[key]).all():
            raise UserError(f'{source}: {key} is too large for half precision, or not finite; train again')
    if not state:
        raise UserError(f'{source}: has no weight whose name starts with {only!r}')
    kept = ('epoch', 'iter', 'mmengine_version')
    meta = {'comment': MARK} | {k: v for k, v in loaded.get('meta', {}).items() if k in kept}
    dataset_meta = loaded.get('meta', {}).get('dataset_meta')
    if isinstance(dataset_meta, dict) and (kept_meta := dataset_meta.keys() & {'recipe', 'proposals', 'trained_on'}):
        meta['dataset_meta'] = {name: dataset_meta[name] for name in sorted(kept_meta)}
    buffer = io.BytesIO()
    torch.save({'meta': meta, 'state_dict': state}, buffer)
    content = buffer.getvalue()
    if len(content) > max_bytes:
        raise UserError(f'{source}: packed it has {len(content)} bytes, more than {max_bytes}; train a narrower model')
    digest = hashlib.sha256(content).hexdigest()
    with open_output(out, **rules) as f:
        f.write(content)
    with open_output(hash_file, 'w', **hash_rules) as f:
        f.write(f'{digest}  {out.name}\n')
    return digest


def check_packed(path: str | os.PathLike) -> Path:
    """Check a packed checkpoint against its ``.sha256`` file and return its path.

    Raises:
        UserError: one of the two files is missing, or they do not agree.
    """
    path = Path(path)
    hash_file = path.with_suffix('.sha256')
    hint = 'reinstall the package, or make it with tools/pack_checkpoint.py'
    digest = hashlib.sha256(read_bytes(path, missing=hint)).hexdigest()
    expected = read_text(hash_file, missing=hint).partition(' ')[0]
    if digest != expected:
        raise UserError(f'{path}: SHA-256 is {digest}, {hash_file.name} says {expected or "nothing"}; reinstall')
    return path
