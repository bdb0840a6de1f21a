"""Open files for reading and writing: the modules through which every room does it."""

from .names import check_video_name, checked_name, composed, input_name, list_folder, npz_path, stored_path
from .reading import (
    MAX_DIGITS,
    MAX_PIXELS,
    check_file,
    file_digest,
    open_file,
    open_flags,
    open_text,
    parse_json,
    read_bytes,
    read_json,
    read_text,
)
from .video import open_video
from .writing import (
    MARK,
    atomic_write,
    check_no_link,
    check_no_links,
    check_output,
    disk_errors_name,
    is_ours,
    open_output,
)

__all__ = [
    'MARK',
    'MAX_DIGITS',
    'MAX_PIXELS',
    'atomic_write',
    'check_file',
    'check_no_link',
    'check_no_links',
    'check_output',
    'check_video_name',
    'checked_name',
    'composed',
    'disk_errors_name',
    'file_digest',
    'input_name',
    'is_ours',
    'list_folder',
    'npz_path',
    'open_file',
    'open_flags',
    'open_output',
    'open_text',
    'open_video',
    'parse_json',
    'read_bytes',
    'read_json',
    'read_text',
    'stored_path',
]
