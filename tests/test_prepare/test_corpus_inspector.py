"""inspect_corpus: numbers and pictures."""

import av
import cv2
import numpy as np
import pytest
from media import FRAMES, make_video, write_boxes, write_poses

from vpd_mm.errors import UserError
from vpd_mm.prepare import build_corpus
from vpd_mm.prepare.inspector import inspect_corpus
from vpd_mm.visualize.corpus_pictures import flow_colours, flow_wheel


@pytest.fixture
def corpus(tmp_path):
    video = make_video(tmp_path / 'jump.mp4', FRAMES)
    boxes, poses = write_boxes(tmp_path / 'boxes', 'jump'), write_poses(tmp_path / 'poses', 'jump')
    build_corpus([video], tmp_path / 'c', boxes=str(boxes), poses=str(poses))
    return tmp_path / 'c'


def test_numbers_and_pictures_of_one_video(corpus):
    found = inspect_corpus(corpus, 'jump')
    [row] = found.videos
    assert (row.num_frames, row.tracked, row.crops, row.posed) == (FRAMES, 8, 8, 6)
    assert any('frames 2..9 with 0 gaps; window side 36..36 px' in line for line in found.lines)
    sheet, film = found.pictures
    assert (sheet, film) == (corpus / 'inspect' / 'jump.png', corpus / 'inspect' / 'jump.mp4')
    image = cv2.imread(str(sheet))
    assert image.shape == (2 * (512 + 8), 4 * (512 + 8), 3)
    assert image.std() > 20
    with av.open(str(film)) as container:
        frames = [frame.to_ndarray(format='rgb24') for frame in container.decode(video=0)]
    assert len(frames) == FRAMES
    assert frames[0].shape[0] == 512


def test_without_the_video_file_the_crops_are_shown(corpus, tmp_path):
    (tmp_path / 'jump.mp4').unlink()
    found = inspect_corpus(corpus, out=tmp_path / 'pictures')
    assert [p.parent for p in found.pictures] == [tmp_path / 'pictures'] * 2
    with av.open(str(found.pictures[1])) as container:
        assert sum(1 for _ in container.decode(video=0)) == 8


def test_films_stay(corpus, tmp_path):
    before = (tmp_path / 'jump.mp4').read_bytes()
    with pytest.raises(UserError, match=r'jump\.mp4: is a video of this corpus'):
        inspect_corpus(corpus, out=tmp_path)
    assert (tmp_path / 'jump.mp4').read_bytes() == before
    assert not (tmp_path / 'jump.png').exists()
    (tmp_path / 'jump.mp4').rename(make_video(tmp_path / 'moved' / 'jump.mp4'))
    with pytest.raises(UserError, match=r'moved/jump\.mp4: is there and was not written by this tool'):
        inspect_corpus(corpus, out=tmp_path / 'moved')
    (tmp_path / 'art').mkdir()
    (tmp_path / 'art' / 'jump.png').write_bytes(b'mine')
    with pytest.raises(UserError, match=r'art/jump\.png: is there and was not written by this tool'):
        inspect_corpus(corpus, out=tmp_path / 'art')
    assert (tmp_path / 'art' / 'jump.png').read_bytes() == b'mine'
    for _ in range(2):  # our own may be made anew
        assert inspect_corpus(corpus, out=tmp_path / 'new').pictures[1] == tmp_path / 'new' / 'jump.mp4'


def test_errors(corpus, tmp_path):
    with pytest.raises(UserError, match="no video 'dive'"):
        inspect_corpus(corpus, 'dive')
    with pytest.raises(UserError, match="no pose set 'x', only files"):
        inspect_corpus(corpus, pose_name='x')
    with pytest.raises(UserError, match='is no corpus'):
        inspect_corpus(tmp_path)


def test_colours_tell_directions_apart():
    flow = np.zeros((1, 5, 2), np.float32)
    flow[0, 1:] = [(9, 0), (-9, 0), (0, 9), (0, -9)]
    colours = flow_colours(flow)[0]
    np.testing.assert_array_equal(colours[0], (255, 255, 255))
    assert len({tuple(c) for c in colours.tolist()}) == 5
    wheel = flow_wheel(41)
    # the wheel's right end has the colour of flow to the right
    assert np.abs(wheel[20, 39].astype(int) - colours[1]).max() < 20
    assert np.abs(wheel[39, 20].astype(int) - colours[3]).max() < 20
