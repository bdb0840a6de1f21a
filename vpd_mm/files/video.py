"""Open videos for reading: files and bytes that are one video in themselves, of limited size on the screen."""

import io
import os
from typing import TYPE_CHECKING, Any

from ..errors import UserError
from .reading import MAX_PIXELS

if TYPE_CHECKING:
    import numpy as np
    from av import VideoFrame
    from av.container import InputContainer
    from av.video.reformatter import VideoReformatter

#: Names in FFmpeg of the containers that are read.  It recognises them by content, and many others besides: playlists
#: (concat, hls, dash), which read other files, are not to be among these.
CONTAINERS = ','.join(
    ['mov', 'matroska', 'avi', 'mpegts', 'mpeg', 'mpegvideo', 'asf', 'flv', 'mxf', 'ogg', 'dv', 'gif', 'ivf']
    + ['yuv4mpegpipe', 'm4v', 'h264', 'hevc']
)


def open_video(source: str | os.PathLike | bytes) -> 'InputContainer':
    """Open a video file, or the bytes of one, in which no frame decodes to more than ``MAX_PIXELS``.

    Raises:
        UserError: it is none of ``CONTAINERS``, is damaged, or has larger frames or an unknown codec.
    """
    import av

    where: object = 'video in memory' if isinstance(source, bytes) else source
    # with 'file:' no name is taken for an address, as 'pipe:0' would be
    file: Any = io.BytesIO(source) if isinstance(source, bytes) else f'file:{os.fspath(source)}'
    limits = {'format_whitelist': CONTAINERS, 'protocol_whitelist': 'file'}
    try:
        container = av.open(file, 'r', metadata_errors='replace', container_options=limits)
    except av.FFmpegError as e:
        raise UserError(
            f'{where}: no readable video container ({e.strerror}); it may be truncated or of another format, copy or '
            'encode it again'
        ) from e
    for stream in container.streams.video:
        if stream.codec_context is None:
            container.close()
            raise UserError(f'{where}: its codec is not known; the file is damaged, or encode it as H.264')
        if stream.width * stream.height > MAX_PIXELS:
            size = f'{stream.width}x{stream.height}'
            container.close()
            raise UserError(f'{where}: the frames are {size}; at most {MAX_PIXELS} pixels are read')
        stream.codec_context.options = {'max_pixels': str(MAX_PIXELS)}  # a stream may change its size
    return container


def frame_to_rgb(frame: 'VideoFrame', converter: 'VideoReformatter', size: tuple[int, int]) -> 'np.ndarray':
    """Convert a decoded frame to (H, W, 3) uint8 by the color matrix and range of its video.

    Args:
        frame: The frame.
        converter: Kept from frame to frame, as it is slow to make.
        size: Width and height, px, to which it is scaled.
    """
    from av.video.reformatter import Colorspace

    # PyAV 16 takes BT.709 for BT.601, and full range for limited range, without these options
    colors: Any = {'src_color_range': frame.color_range or None, 'dst_colorspace': Colorspace.ITU601}
    return converter.reformat(frame, *size, format='rgb24', **colors).to_ndarray()
