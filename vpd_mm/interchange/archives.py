"""ZIP archives of files of labels, as browsers download and upload them; in memory, with limits."""

import io
import zipfile
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from ..errors import UserError
from ..files import MARK, atomic_write, list_folder
from ..structures.npz_io import UNREADABLE
from .entries import Source
from .formats import Format

#: Most files of an archive that are looked at.
MAX_MEMBERS = 10_000
_DATE = (1980, 1, 1, 0, 0, 0)


def pack(files: Mapping[str, bytes]) -> bytes:
    """A ZIP of files by name, with our mark."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, 'w', zipfile.ZIP_DEFLATED) as archive:
        archive.comment = MARK.encode()
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name, _DATE), content, zipfile.ZIP_DEFLATED)
    return packed.getvalue()


def pack_folder(folder: Path, archive: Path) -> Path:
    """Write a ZIP of the files of a folder, which are not compressed again; return its path."""
    with atomic_write(archive) as file, zipfile.ZipFile(file, 'w', zipfile.ZIP_STORED) as packed:
        for path in list_folder(folder, '**/*'):
            if path.is_file():
                packed.write(path, path.relative_to(folder).as_posix())
    return archive


def sources(form: Format, name: str, data: bytes, path: Path | None = None) -> list[Source]:
    """The files of a format in ``data``: itself, or those with its ending in a ZIP.

    Raises:
        UserError: the ZIP is damaged, has no such file, or one that unpacks to more than the format may have.
    """
    if not data.startswith(b'PK\x03\x04'):
        return [Source(name, data, path)]
    unpacked, total = [], 0
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = archive.infolist()
            if len(members) > MAX_MEMBERS:
                raise UserError(f'{name}: the archive has {len(members)} files, at most {MAX_MEMBERS} are read')
            for member in members:
                if member.is_dir() or PurePosixPath(member.filename).suffix.lower() != form.suffix:
                    continue
                with archive.open(member) as file:
                    content = file.read(form.max_bytes - total + 1)
                total += len(content)
                if total > form.max_bytes:
                    raise UserError(f'{name}: unpacks to more than {form.max_bytes} bytes')
                unpacked.append(Source(PurePosixPath(member.filename).name, content))
    except (*UNREADABLE, ValueError) as e:  # zipfile raises the latter for damaged offsets
        if isinstance(e, UserError):
            raise
        raise UserError(f'{name}: the archive is truncated, damaged or encrypted ({e}); export it again') from e
    if not unpacked:
        raise UserError(f'{name}: the archive has no file *{form.suffix} of {form.title}')
    return unpacked
