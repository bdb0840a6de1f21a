"""Videos and classes of a corpus, by what files of other programs call them."""

import difflib
import re
from pathlib import Path
from urllib.parse import unquote

from ..corpus import Corpus, VideoInfo
from ..errors import UserError, listed
from ..files import composed
from ..importers.box_files import ATHLETE_SEPARATOR
from ..structures import load_classes

#: Beginning of the name of a file that was uploaded to Label Studio.
_UPLOAD = re.compile('[0-9a-f]{8}-')


def athlete_of(info: VideoInfo) -> str:
    """Name of the athlete in front of that of the file; '' for the only athlete of a file."""
    ending = ATHLETE_SEPARATOR + info.file_name
    return info.video.removesuffix(ending) if info.video.endswith(ending) else ''


class KnownNames:
    """Names that a corpus knows.

    Attributes:
        videos: Rows of videos.csv by name.
        classes: In the order of classes.txt; empty without that file.
        athletes: Names of the athletes of files that show several.
    """

    def __init__(self, corpus: Corpus) -> None:
        self.videos, self._failed = corpus.videos(), corpus.failures()
        self.classes = load_classes(corpus.classes_path) if corpus.classes_path.exists() else []
        self._by_name: dict[str, list[VideoInfo]] = {}
        for info in self.videos.values():
            for name in {info.video, info.file_name, composed(Path(info.path).name)}:
                self._by_name.setdefault(name, []).append(info)
        self.athletes = {athlete for info in self.videos.values() if (athlete := athlete_of(info))}
        self._results: dict[tuple[str, str], VideoInfo | UserError] = {}

    def get(self, text: str, athlete: str = '') -> VideoInfo | None:
        """As :meth:`find`; None where that raises."""
        try:
            return self.find(text, athlete)
        except UserError:
            return None

    def videos_named(self, text: str) -> list[VideoInfo]:
        """Rows that a name may mean, of all athletes and folders."""
        return next((rows for name in spellings(text)[1] if (rows := self._by_name.get(name))), [])

    def find(self, text: str, athlete: str = '') -> VideoInfo:
        """The video that a name, file name, path or address means, of the athlete where the file shows several.

        Nothing is opened: a path is compared with those of videos.csv.  Where several files have the name, those in a
        folder of the same name count.

        Raises:
            UserError: no such video or athlete, or several.
        """
        key = text, athlete
        if key not in self._results:
            try:
                self._results[key] = self._find(text, athlete)
            except UserError as e:
                self._results[key] = e
        result = self._results[key]
        if isinstance(result, UserError):
            raise UserError(result)
        return result

    def _find(self, text: str, athlete: str) -> VideoInfo:
        parts, names = spellings(text)
        rows = self.videos_named(text)
        if not rows:
            if failed := next((name for name in names if name in self._failed), ''):
                raise UserError(f'video {failed!r} is not prepared: {self._failed[failed]}')
            similar = difflib.get_close_matches(names[-1], self.videos, 1) if names else []
            hint = f'did you mean {similar[0]!r}' if similar else f'it has {listed(list(self.videos)) or "none"}'
            raise UserError(f'video {text!r} is not in the corpus; {hint}')
        exact = [info for info in rows if info.video in names]
        if len(exact) == 1 and (len(rows) == 1 or athlete in ('', athlete_of(exact[0]))):
            rows = exact
        files = {info.file: _common_end(parts, info.path) for info in rows}
        if len(files) > 1:
            most = max(files.values())
            rows = [info for info in rows if files[info.file] == most]
            if len({info.file for info in rows}) > 1:
                raise UserError(
                    f'video {text!r} may be {listed([info.file for info in rows])}; give the folder as well'
                )
        known = {athlete_of(info): info for info in rows}
        if len(rows) == 1 and (not athlete or '' in known or athlete in known):
            return rows[0]
        if athlete in known:
            return known[athlete]
        named = f'found {athlete!r}' if athlete else 'none is named'
        raise UserError(f'video {text!r} shows {listed(sorted(known))}; name the athlete, {named}')


def spellings(text: str) -> tuple[list[str], list[str]]:
    """Folders and file name of a path or address, and the names that it may mean, the most exact one first."""
    text = composed(text.strip())
    if re.match(r'[a-z][a-z0-9+.-]*://|/data/', text):  # an address, or an upload of Label Studio
        text = text.partition('?d=')[2] or text.partition('?')[0]
        text = unquote(text)
    parts = [part for part in re.split(r'[/\\]', text) if part]
    name = parts[-1] if parts else ''
    names = [text, name, Path(name).stem]
    if upload := _UPLOAD.match(name):
        names += [name[upload.end() :], Path(name[upload.end() :]).stem]
    return parts, [name for name in dict.fromkeys(names) if name]


def _common_end(parts: list[str], path: str) -> int:
    """Number of last parts that a path has in common with others, its own ending of the file left aside."""
    own = [*Path(path).parts]
    if parts and own and Path(parts[-1]).stem == Path(own[-1]).stem:
        own[-1] = parts[-1]
    count = 0
    while count < min(len(parts), len(own)) and composed(own[-1 - count]) == parts[-1 - count]:
        count += 1
    return count
