"""Weights at a URL: downloaded once, into the cache of torch."""

import re
from hashlib import sha256
from pathlib import Path
from urllib.parse import unquote, urlsplit

from mmengine.logging import print_log

from ..files import file_digest
from ..files.download import download
from .locks import file_lock
from .progress import progress_bar

#: How long to wait for another process that downloads the same file.
WAIT_SEC = 3600
#: Digits of a SHA-256 in the name of a file, ``rtmdet_m_...-229f527c.pth``, ``rtmpose-m_...-e48f03d0_20230504.pth``;
#: a date is none.
_DIGEST = re.compile(r'(?<![0-9a-z])(?!20\d{6}(?![0-9a-z]))([0-9a-f]{8,64})(?![0-9a-z])')


def fetch_weights(url: str) -> Path:
    """Return the local copy of weights; they are downloaded, with a progress bar, where there is none.

    The copies are in ``hub/checkpoints`` of torch's cache folder (``TORCH_HOME``, ``XDG_CACHE_HOME``), under the names
    that torch and OpenMMLab give them, so a file that was copied there is used too.  A file whose name carries the
    start of its SHA-256 is compared with it at every call, and replaced where it is damaged.  The name of another one
    gets that of its URL in front: different weights may have the same name.

    Raises:
        DownloadError: the file cannot be downloaded.
        UserError: another process downloads it for an hour.
    """
    import torch.hub

    name = re.sub(r'[^\w.+=-]', '_', unquote(Path(urlsplit(url).path).name), flags=re.ASCII).lstrip('.')[-150:]
    digest = max(_DIGEST.findall(name)[-1:], default='')
    prefix = '' if digest else f'{sha256(url.encode()).hexdigest()[:8]}-'
    path = Path(torch.hub.get_dir()) / 'checkpoints' / f'{prefix}{name}'
    if _is_complete(path, digest):
        return path
    busy = f'{path}: another process downloads it'
    with file_lock(path.with_name(f'.{path.name}.lock'), wait_sec=WAIT_SEC, busy=busy):
        if not _is_complete(path, digest):
            print_log(f'downloading {url.partition("?")[0]} to {path}', 'current')
            with progress_bar(name, 'MB') as on_progress:
                download(url, path, digest, lambda done, total: on_progress(done // 10**6, -(-total // 10**6)))
    return path


def _is_complete(path: Path, digest: str) -> bool:
    return path.is_file() and file_digest(path).startswith(digest)
