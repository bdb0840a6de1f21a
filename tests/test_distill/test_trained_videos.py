import pytest

from vpd_mm.distill.trained_videos import TrainedVideos
from vpd_mm.errors import UserError


@pytest.mark.parametrize(
    ('video', 'digest', 'corpus', 'seen'),
    [
        ('a', 'd1', 'real', True),
        ('renamed', 'd1', 'other', True),  # the same file under another name
        ('a', 'd9', 'other', False),  # another file of this name
        ('a', '', 'real', True),
        ('a', '', 'other', False),
        ('b', 'd2', 'real', True),  # its digest was not known in the training
        ('b', '', 'other', False),
        ('c', 'd3', 'real', False),
    ],
)
def test_a_video_is_known_by_its_content_or_else_by_its_name(video, digest, corpus, seen):
    trained = TrainedVideos('real', {'a': 'd1', 'b': ''})
    stored = TrainedVideos.from_meta({'trained_on': trained.to_json()}, 'x.pth')
    assert stored == trained
    assert stored.has(video, digest, corpus) is seen


def test_a_checkpoint_without_or_with_a_damaged_record():
    assert TrainedVideos.from_meta({}, 'x.pth') is None
    for damaged in ('a', {'videos': ['a']}, {'videos': {'a': 3}}):
        with pytest.raises(UserError, match=r'x\.pth: trained_on must be'):
            TrainedVideos.from_meta({'trained_on': damaged}, 'x.pth')
