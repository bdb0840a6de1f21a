"""Routes of interchange: labels as files of other programs, both ways (:mod:`vpd_mm.interchange`)."""

import tempfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import quote

from fastapi import APIRouter, Request
from fastapi.responses import Response, StreamingResponse
from starlette.concurrency import run_in_threadpool

from ..errors import UserError, listed
from ..files import composed, open_file
from ..interchange import FORMATS, export_labels, find_format, labelled_videos, merge_files, write_clips
from ..interchange.archives import pack, pack_folder, sources
from ..interchange.merging import POINT_SEC
from .labels import LabelStore
from .workspace import UnknownVideo, Workspace

#: Lines of each kind that an answer holds.
MAX_LINES = 200
#: Name of the clips, which are no format of labels.
CLIPS = 'clips'
_TYPES = {'.json': 'application/json', '.xml': 'application/xml', '.eaf': 'application/xml', '.zip': 'application/zip'}


def routes(workspace: Workspace) -> APIRouter:
    """Make the routes below ``/api``."""
    router, store = APIRouter(), LabelStore(workspace.corpus)

    @router.get('/formats')
    def formats() -> list[dict[str, Any]]:
        """The formats: name, title, ending of a file, whether it is read and written."""
        rows = [
            {'name': f.name, 'title': f.title, 'suffix': f.suffix, 'reads': f.read is not None, 'writes': True}
            for f in FORMATS.values()
        ]
        return [*rows, {'name': CLIPS, 'title': 'Clips (MP4)', 'suffix': '.zip', 'reads': False, 'writes': True}]

    @router.get('/export/{name}')
    def export(name: str, request: Request, poses: str = '') -> Response:
        """A file with the labels of the ``videos`` (default: all that have some); a ZIP where there are several.

        Videos are repeated: ``?videos=a&videos=b``; status 404 for one that is unknown.
        """
        videos = [composed(video) for video in request.query_params.getlist('videos') if video]
        known = workspace.corpus.videos()
        if unknown := [video for video in videos if video not in known]:
            raise UnknownVideo(f'{workspace.corpus.videos_path}: no video {unknown[0]!r}')
        stem = workspace.corpus.name or 'labels'
        if name == CLIPS:
            return StreamingResponse(_clips(store, videos), headers=_headers(f'{stem}-clips.zip', '.zip'))
        form = find_format(name)
        files = export_labels(store, form, videos, poses)
        if len(files) == 1:
            [(file_name, content)] = files.items()
            file_name = f'{stem}{form.suffix}' if form.unit == 'all' else file_name
            return Response(content, headers=_headers(file_name, form.suffix))
        return Response(pack(files), headers=_headers(f'{stem}-{form.name}.zip', '.zip'))

    @router.post('/import/{name}')
    async def import_file(
        name: str,
        request: Request,
        file: str = '',
        video: str = '',
        new_classes: bool = False,
        point_sec: float = POINT_SEC,
    ) -> dict[str, Any]:
        """Merge the file in the body, or the files of a ZIP.

        Parameters: ``file``, its name; ``video``, of which it is about, where it does not say; ``new_classes``;
        ``point_sec``, length of the action that a moment becomes.
        """
        form = find_format(name)
        body = bytearray()
        async for chunk in request.stream():
            body += chunk
            if len(body) > form.max_bytes:
                raise UserError(f'{form.title}: a file may have at most {form.max_bytes} bytes')
        options: dict[str, Any] = {'video': composed(video), 'new_classes': new_classes, 'point_sec': point_sec}
        file_name = PurePosixPath(file.replace('\\', '/')).name or f'upload{form.suffix}'

        def merge() -> dict[str, Any]:
            report = merge_files(store, form, sources(form, file_name, bytes(body)), **options)
            return {
                'added': report.added,
                'unchanged': report.unchanged,
                'new_classes': report.new_classes,
                'conflicts': _lines(report.conflicts),
                'skipped': _lines(report.skipped),
                'notes': _lines(report.notes),
            }

        return await run_in_threadpool(merge)

    return router


def _lines(lines: list[str]) -> list[str]:
    """The first lines, and how many more there are."""
    more = len(lines) - MAX_LINES
    return [*lines[:MAX_LINES], *([f'and {more} more'] if more > 0 else [])]


def _headers(file_name: str, suffix: str) -> dict[str, str]:
    """Headers of a download; names that are not ASCII are percent-encoded (RFC 6266)."""
    plain = ''.join(c if c.isascii() and c.isprintable() and c not in '"/\\;' else '_' for c in file_name)
    disposition = f'attachment; filename="{plain}"; filename*=UTF-8\'\'{quote(file_name, safe="")}'
    return {'Content-Disposition': disposition, 'Content-Type': _TYPES.get(suffix, 'text/plain; charset=utf-8')}


def _clips(store: LabelStore, videos: list[str]) -> Iterator[bytes]:
    """A ZIP of clips, which are made in a temporary folder; errors are raised before the first byte."""
    labelled = labelled_videos(store, videos)
    missing = [video.info.video for video in labelled if not Path(video.info.path).is_file()]
    if missing:
        raise UserError(
            f'the files of {listed(missing)} are missing; give the corpus their new places (tools/prepare.py)'
        )
    folder = tempfile.TemporaryDirectory(prefix='vpd-clips-')
    try:
        write_clips(store.corpus, labelled, Path(folder.name) / 'clips')
        archive = pack_folder(Path(folder.name) / 'clips', Path(folder.name) / 'clips.zip')
    except BaseException:
        folder.cleanup()
        raise

    def blocks() -> Iterator[bytes]:
        with folder, open_file(archive) as file:
            while block := file.read(1 << 20):
                yield block

    return blocks()
