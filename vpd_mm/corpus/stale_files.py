"""Record what derived files were made of, and find those whose input has changed since.

A derived file carries its source: a JSON object of what the user named, such as ``{'boxes': 'my_boxes'}``, and of
``inputs``, the digest of the content of each input; features also of ``trained_on``, whether their student was trained
on this video.  An input inside the corpus is named by its place in it
(``athlete/tracks/<video>.npz``, ``athlete/crops/<video>``).  An npz holds its source as the field ``source``, crops in
their header: both are written with the data, so that a run which is interrupted leaves no wrong record.
"""

import hashlib
import json
import logging
import os
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import Any

from ..errors import UserError, counted
from ..files import composed, file_digest, list_folder, npz_path, open_file, read_json, write_json
from ..structures.npz_io import npz_checksums, read_source
from .corpus import Corpus
from .crop_store import CropStore

LOGGER = logging.getLogger(__name__)

#: What a file was made of; see the module.
Source = Mapping[str, Any]

#: Smaller files are read again instead of being remembered.
_MIN_REMEMBERED_BYTES = 1 << 20
#: A file changed so shortly ago may change again without another time stamp.
_CLOCK_STEP_NS = 2_000_000_000
#: Name of the crops as an input: this and the video.
CROPS = 'athlete/crops'
#: Keys of a source that do not tell one run from another.
NOT_SETTINGS = ('inputs', 'trained_on', 'student')


def digest(content: object) -> str:
    """12 hexadecimal digits of the SHA-256 of ``content`` as JSON."""
    return _text_digest(json.dumps(content, sort_keys=True, default=str))


def _text_digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]


class FileDigests:
    """:func:`vpd_mm.files.file_digest` of files, read again only if size, times or inode have changed.

    Args:
        path: Where the digests are kept; a file that is missing or damaged is made again.
    """

    def __init__(self, path: Path) -> None:
        self.path, self._new = path, dict[str, list]()
        self._known = self._read()

    def _read(self) -> dict[str, list]:
        with suppress(UserError):
            if isinstance(known := read_json(self.path, ''), dict):
                return known
        return {}

    def __call__(self, path: str | os.PathLike) -> str:
        """Return the digest of a file; errors as :func:`vpd_mm.files.open_file`."""
        with open_file(path) as f:
            stat, name = os.fstat(f.fileno()), os.path.abspath(path)
        state = f'{stat.st_size} {stat.st_mtime_ns} {stat.st_ctime_ns} {stat.st_ino}'
        known = self._known.get(name)
        if isinstance(known, list) and known[:1] == [state]:
            return str(known[-1])
        sha256 = file_digest(path)
        if (
            stat.st_size >= _MIN_REMEMBERED_BYTES
            and time.time_ns() - max(stat.st_mtime_ns, stat.st_ctime_ns) > _CLOCK_STEP_NS
        ):
            self._new[name] = [state, sha256]
        return sha256

    def save(self) -> None:
        """Keep the new digests."""
        if self._new:
            known = self._read() | self._new
            write_json(self.path, known)


def stale_videos(
    folder: Path,
    stored: Mapping[str, Source | None],
    wanted: Mapping[str, Source],
    hint: str,
    unknown: bool = True,
    overwrite: bool = False,
) -> set[str]:
    """Find the videos whose file is to be made again.

    Those are the videos of which an input has changed.  An input with the digest '' is not there: it counts as
    unchanged.  Files that the user asks to make of something else are an error, unless the content is the same.

    Args:
        folder: Where the files lie.
        stored: Video to the source of its file; None where it is unknown.
        wanted: The source that the file of each of these videos would get now.
        hint: How the user can solve a conflict.
        unknown: Accept files of unknown origin.
        overwrite: Make files of another or unknown origin again instead of raising.

    Raises:
        UserError: files were made of something else than is asked for.
    """
    stale, conflicts, made_of = set(), [], set()
    for video, source in stored.items():
        now = wanted[video]
        named, known = _named(now), {} if source is None else source['inputs']
        same = source is not None and digest(_named(source)) == digest(named)
        changed = [k for k, v in now['inputs'].items() if known.get(k) != v and (v or not same)]
        if unknown if source is None else not changed:
            continue
        stale.add(video)
        if not same:
            conflicts.append(video)
            since = ' (video changed since)' if 'video' in changed and 'video' in known else ''
            made_of.add(f'{_named(source)}{since}' if source else 'unknown inputs (by a former version)')
    if conflicts and not overwrite:
        count, asked = f'{counted(len(conflicts), "video")} (first {conflicts[0]})', _named(wanted[conflicts[0]])
        raise UserError(
            f'{folder}: {count} with files made of {" or ".join(sorted(made_of))}; requested: {asked}; {hint}'
        )
    return stale


def is_current(path: Path, source: Source) -> bool:
    """False where a file is missing, or was made of the same ``source`` of which an input has changed since.

    Files of another or unknown origin are current: an importer keeps them.
    """
    if not path.exists():
        return False
    try:
        return not stale_videos(path, {path.stem: read_source(path)}, {path.stem: source}, '')
    except UserError:
        return True


def _named(source: Source) -> dict[str, Any]:
    return {key: value for key, value in source.items() if key not in NOT_SETTINGS}


def sources_in(folder: Path) -> list[dict[str, Any]]:
    """List the sources of the files of a folder, each once, without their inputs; unknown ones are left out."""
    sources: list[dict[str, Any]] = []
    for path in list_folder(folder, '*.npz'):
        with suppress(UserError):  # reading its arrays reports it
            source = read_source(path)
            if source is not None and (named := _named(source)) not in sources:
                sources.append(named)
    return sources


def refresh_features(
    folder: Path,
    source: Source,
    inputs: Mapping[str, Mapping[str, str]],
    overwrite: bool = False,
) -> dict[str, Source]:
    """Return the videos whose features are missing or stale, each with the source that its file gets.

    Files of videos that have no input any more stay, which is logged; those of a former model are removed.

    Args:
        folder: Folder of ``<video>.npz``.
        source: What all features of the run are made of; its ``inputs`` are those that the videos share, default: a
            digest of the source itself.
        inputs: Further inputs of each video.
        overwrite: Make the files of another run again.

    Raises:
        UserError: the folder holds files of another run or of unknown origin.
    """
    stored = {composed(path.stem): read_source(path) for path in list_folder(folder, '*.npz')}
    shared = source.get('inputs', {'run': digest(source)})
    wanted = {v: {**source, 'inputs': {**shared, **inputs.get(v, {})}} for v in [*stored, *inputs]}
    hint = 'pass another --out, or --overwrite to make them again'
    stale = stale_videos(folder, stored, wanted, hint, unknown=False, overwrite=overwrite)
    for video in stale - inputs.keys():
        npz_path(folder, video).unlink(missing_ok=True)  # another process may do the same
    if kept := sorted(stored.keys() - inputs.keys() - stale):
        LOGGER.warning('%s: %d files (first %s) are of videos without such input now', folder, len(kept), kept[0])
    return {video: wanted[video] for video in inputs if video in stale or video not in stored}


class CorpusInputs:
    """Digests of the files of a corpus, and the check that others were made of what they hold now."""

    def __init__(self, corpus: Corpus, store: CropStore | None = None) -> None:
        self.root, self._store = corpus.root, store or CropStore(corpus.crops_dir)
        self._checked: set[str] = set()

    def name(self, path: Path) -> str:
        """Name of a file or folder as an input; one outside of the corpus keeps its path."""
        return (path.relative_to(self.root) if path.is_relative_to(self.root) else path).as_posix()

    def digest(self, name: str) -> str | None:
        """Digest of the content of ``<folder>/<video>.npz`` or ``athlete/crops/<video>``; None where it is missing."""
        if (place := self._place(name)) is None:
            return None
        if str(place.parent) == CROPS:
            return _text_digest(self._store.header_text(place.name))
        return digest(npz_checksums(self.root / place))

    def of(self, *names: str) -> dict[str, str]:
        """Inputs of a source: name to digest, '' where it is missing or damaged."""
        digests = dict.fromkeys(names, '')
        for name in names:
            with suppress(UserError):  # reading it later costs this video alone
                digests[name] = self.digest(name) or ''
        return digests

    def check(self, *names: str) -> None:
        """Check files, and what they were made of in turn.

        Raises:
            UserError: an input of one has changed since; one that is missing, damaged or not in this corpus is passed.
        """
        for name in names:
            if name in self._checked:
                continue
            self._checked.add(name)  # first: a damaged file may name itself
            try:
                self._check(name)
            except UserError:
                self._checked.discard(name)
                raise

    def _check(self, name: str) -> None:
        source = self.source(name) or {}
        for made_of, before in (source.get('inputs') or {}).items():
            now = self.of(made_of)[made_of]
            if now and before and now != before:
                tool = 'prepare' if name.startswith('athlete/') else 'extract_features'
                tool = 'repair_poses' if 'repaired' in source else tool
                raise UserError(f'{self.root / name}: {made_of} has changed since; make it again with tools/{tool}.py')
            if now:
                self.check(made_of)

    def source(self, name: str) -> Source | None:
        """Source of a file, as :meth:`digest` names it; None where it is missing or of unknown origin."""
        if (place := self._place(name)) is None:
            return None
        return self._store.settings(place.name).source if str(place.parent) == CROPS else read_source(self.root / place)

    def _place(self, name: str) -> PurePosixPath | None:
        """Place of an input in the corpus; None where it is missing or outside."""
        place = PurePosixPath(name)
        if '..' in place.parts or place.is_absolute():
            return None
        if str(place.parent) == CROPS:
            return place if place.name in self._store else None
        return place if place.suffix == '.npz' and (self.root / place).is_file() else None


def crops_of(video: str) -> str:
    """Name of the crops of a video as an input."""
    return f'{CROPS}/{video}'


def files_digest(paths: Iterable[str | os.PathLike], of_file: Callable = file_digest) -> str:
    """Digest of the files of one video; '' where there are none, or one cannot be read."""
    with suppress(UserError, OSError):  # reading it later costs this video alone
        digests = [of_file(path) for path in paths]
        return digest(digests) if digests else ''
    return ''
