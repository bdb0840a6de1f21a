"""inspect_corpus: counts, contact sheet, video."""

import av
import cv2
import pytest
from media import FRAMES, build_corpus, make_video, write_boxes, write_poses

from vpd_mm.errors import UserError
from vpd_mm.prepare.inspector import inspect_corpus


@pytest.fixture
def corpus(tmp_path):
    video = make_video(tmp_path / 'jump.mp4', FRAMES)
    boxes, poses = write_boxes(tmp_path / 'boxes', 'jump'), write_poses(tmp_path / 'poses', 'jump')
    build_corpus([video], tmp_path / 'c', boxes=str(boxes), poses=str(poses))
    return tmp_path / 'c'


def test_counts_sheet_and_video_of_one_video(corpus):
    result = inspect_corpus(corpus, 'jump')
    [row] = result.videos
    assert (row.num_frames, row.tracked, row.crops, row.posed) == (FRAMES, 8, 8, 6)
    assert any('frames 2..9 with 0 gaps; window side 36..36 px' in line for line in result.lines)
    sheet, clip = result.images
    assert (sheet, clip) == (corpus / 'inspect' / 'jump.png', corpus / 'inspect' / 'jump.mp4')
    image = cv2.imread(str(sheet))
    assert image.shape[1] == 2 * 533 + 8
    assert 4 * 320 + 3 * 8 < len(image) < 4 * 320 + 3 * 8 + 100  # the legend
    assert image.std() > 20
    with av.open(str(clip)) as container:
        frames = [frame.to_ndarray(format='rgb24') for frame in container.decode(video=0)]
    assert len(frames) == FRAMES
    assert 3 * 176 < frames[0].shape[0] < 3 * 176 + 100


def test_without_the_video_file_the_crops_are_shown(corpus, tmp_path):
    (tmp_path / 'jump.mp4').unlink()
    result = inspect_corpus(corpus, out=tmp_path / 'images')
    assert [p.parent for p in result.images] == [tmp_path / 'images'] * 2
    assert any('jump.mp4: no such file; if it was moved, run tools/prepare.py' in line for line in result.lines)
    with av.open(str(result.images[1])) as container:
        assert sum(1 for _ in container.decode(video=0)) == 8


def test_videos_and_foreign_files_are_not_replaced(corpus, tmp_path):
    before = (tmp_path / 'jump.mp4').read_bytes()
    with pytest.raises(UserError, match=r'jump\.mp4: is an input of this command'):
        inspect_corpus(corpus, out=tmp_path)
    assert (tmp_path / 'jump.mp4').read_bytes() == before
    assert not (tmp_path / 'jump.png').exists()
    (tmp_path / 'jump.mp4').rename(make_video(tmp_path / 'moved' / 'jump.mp4'))
    with pytest.raises(UserError, match=r'moved/jump\.mp4: exists and was not written by this tool'):
        inspect_corpus(corpus, out=tmp_path / 'moved')
    (tmp_path / 'art').mkdir()
    (tmp_path / 'art' / 'jump.png').write_bytes(b'mine')
    with pytest.raises(UserError, match=r'art/jump\.png: exists and was not written by this tool'):
        inspect_corpus(corpus, out=tmp_path / 'art')
    assert (tmp_path / 'art' / 'jump.png').read_bytes() == b'mine'
    for _ in range(2):  # its own files may be replaced
        assert inspect_corpus(corpus, out=tmp_path / 'new').images[1] == tmp_path / 'new' / 'jump.mp4'


def test_errors(corpus, tmp_path):
    with pytest.raises(UserError, match="no video 'dive'"):
        inspect_corpus(corpus, 'dive')
    with pytest.raises(UserError, match="no pose set 'x', only files"):
        inspect_corpus(corpus, pose_name='x')
    with pytest.raises(UserError, match='is no corpus'):
        inspect_corpus(tmp_path)
