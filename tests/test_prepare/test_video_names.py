"""Names of videos: any works or is refused by itself; an athlete's prefix is read only where the athlete is known."""

import shutil

import pytest
from media import cut_picture, make_video, write_boxes, write_poses

from vpd_mm.corpus import Corpus, CropStore, VideoInfo
from vpd_mm.importers import import_poses
from vpd_mm.prepare import build_corpus
from vpd_mm.structures import Action, load_actions, save_actions

FRAMES = 4
#: Forms of one name with an umlaut, composed and decomposed, as macOS writes it.
NFC, NFD = 'L\u00e4ufer', 'La\u0308ufer'


@pytest.fixture(scope='module')
def clip(tmp_path_factory):
    return make_video(tmp_path_factory.mktemp('clip') / 'clip.mp4', FRAMES)


@pytest.fixture
def prepare(tmp_path, clip):
    """Prepare copies of the clip with these paths: video to 'refused', or (tracked, posed)."""

    def run(*names, out='c', boxes=(), poses=(), found=None):
        for name in names:
            (tmp_path / 'v' / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(clip, tmp_path / 'v' / name)
        for number, name in enumerate(boxes):
            write_boxes(tmp_path / 'boxes', name, range(number + 1))
        for number, name in enumerate(poses):
            write_poses(tmp_path / 'poses', name, range(number + 1))
        options = {'boxes': str(tmp_path / 'boxes') if boxes else 'full'}
        options |= {'poses': str(tmp_path / 'poses') if poses else 'none'}
        report = build_corpus([tmp_path / 'v'], tmp_path / out, **options)
        run.failures = [line for _, line in report.failures]
        return {r.video: 'refused' if r.failures else (r.tracked, r.posed) for r in report.videos}

    return run


def test_a_separator_in_a_name_is_no_athlete(prepare, tmp_path):
    names = ['take1.mp4', 'anna__take1.mp4', '__take1.mp4', 'ben__anna__take1.mp4', 'x__.mp4']
    assert prepare(*names, poses=['take1', 'x']) == {
        **dict.fromkeys(['__take1', 'anna__take1', 'ben__anna__take1', 'x__'], 'refused'),
        'take1': (FRAMES, 1),
    }
    assert all(line.startswith(f'{tmp_path}/poses: no poses of ') for line in prepare.failures)
    corpus = Corpus.open(tmp_path / 'c')
    assert {info.file_name for info in corpus.videos().values()} == {name[:-4] for name in names}
    report = import_poses(tmp_path / 'poses', tmp_path / 'c', name='again')
    assert (report.counts['videos with poses'], len(report.failures)) == (1, 4)
    # without a video file, only the players of the public tennis data are athletes of another name
    files = {name: VideoInfo(name, '', 25.0, 9, 64, 48).file for name in ('front__m_1_2', 'a__m_1_2')}
    assert files == {'front__m_1_2': 'm_1_2', 'a__m_1_2': 'a__m_1_2'}


def test_an_athlete_never_gets_the_name_of_a_video(prepare, tmp_path):
    # the boxes are those of the video of that name, and no athlete of take1
    assert prepare('take1.mp4', 'anna__take1.mp4', boxes=['anna__take1']) == {
        'anna__take1': (1, None),
        'take1': 'refused',
    }
    rows = Corpus.open(tmp_path / 'c').videos()
    assert {name: row.path for name, row in rows.items()} == {'anna__take1': str(tmp_path / 'v/anna__take1.mp4')}
    # in two runs
    assert prepare('take1.mp4', out='d', boxes=['anna__take1', 'ben__take1'])['take1'] == 'refused'
    (tmp_path / 'v/anna__take1.mp4').unlink()
    assert prepare(out='e', boxes=['anna__take1']) == {'anna__take1': (1, None), 'ben__take1': (2, None)}
    late = prepare('ben__take1.mp4', out='e', boxes=['anna__take1', 'ben__take1'])
    assert late['ben__take1'] == 'refused'
    assert 'has a video' in prepare.failures[-1]
    assert Corpus.open(tmp_path / 'e').video('ben__take1').path.endswith('/take1.mp4')


def test_athletes_of_two_videos_never_share_a_name(prepare):
    assert prepare('t.mp4', 'b__t.mp4', boxes=['a__b__t']) == dict.fromkeys(['t', 'b__t'], 'refused')


def test_detected_athletes_never_get_the_name_of_a_video(prepare, monkeypatch):
    from vpd_mm.prepare import video_preparer

    full = video_preparer.find_tracks
    two = lambda *args: dict.fromkeys(('front', 'back'), full(*args)[''])  # noqa: E731
    monkeypatch.setattr(
        video_preparer, 'find_tracks', lambda s, m, r, *more: (two if r.path.stem == 't' else full)(s, m, r, *more)
    )
    assert prepare('t.mp4', 'front__t.mp4') == {'front__t': (FRAMES, None), 't': 'refused'}
    assert "would be named 'front__t', as another video is" in prepare.failures[0]


def test_the_people_of_a_file_serve_its_athletes_and_no_single_person_does(prepare):
    assert prepare('t.mp4', boxes=['a__t', 'b__t'], poses=['t']) == {'a__t': 'refused', 'b__t': 'refused'}
    assert prepare(boxes=['a__t', 'b__t'], poses=['t', 'b__t']) == {'a__t': 'refused', 'b__t': (2, 2)}


ODD = ['take 1', '%d%s', '{x}', '-dash', '$a$', '_u', '[bold]x', '[', "it's", 'a:b', '<b>', '#', '*', '?', 'CON', 'tr.']
ODD += ['0001', '\U0001f3c3', 'y' * 200, 'results_x', 'camera0', '~', 'a&b', 'null', 'a=b', '\u8dd1']
REFUSED = [
    ' a',
    'a ',
    'a,b',
    'q"q',
    'new\nline',
    'tab\tx',
    'nb\u00a0sp',
    'back\\slash',
    'z' * 201,
    'zw\u200bsp',
    '\x1b[2J',
]


def test_every_name_works_or_is_refused_by_itself(prepare, tmp_path):
    names = [f'{name}.mp4' for name in (*ODD, *REFUSED)]
    # reports are escaped
    states = list(prepare(*names).values())
    assert states.count((FRAMES, None)) == len(ODD)
    assert states.count('refused') == len(REFUSED)
    assert all('rename the file' in line and line.isprintable() for line in prepare.failures)
    corpus = Corpus.open(tmp_path / 'c')
    assert list(corpus.videos()) == CropStore(corpus.crops_dir).videos() == sorted(ODD)
    actions = [Action(f'{name} 1', name, 0, 1, 0, 'train') for name in ODD]
    save_actions(corpus.actions_path, actions)
    assert load_actions(corpus.actions_path) == actions


def test_files_of_one_name_cost_those_files(prepare, tmp_path):
    assert prepare('a/j.mp4', 'b/j.mov', 'k.mp4') == {'k': (FRAMES, None), 'j': 'refused'}
    assert [line.partition(': ')[0] for line in prepare.failures] == [f'{tmp_path}/v/a/j.mp4', f'{tmp_path}/v/b/j.mov']
    (tmp_path / 'v/b/j.mov').unlink()
    assert prepare() == {'k': (FRAMES, None), 'j': (FRAMES, None)}
    prepare('b/j.mov')  # the corpus knows which one is its own
    assert [line.partition(': ')[0] for line in prepare.failures] == [f'{tmp_path}/v/b/j.mov']


def test_names_that_differ_in_case(prepare, tmp_path):
    assert prepare('A.mp4', 'a.mp4') == {'A': (FRAMES, None), 'a': (FRAMES, None)}
    Corpus.create(tmp_path / 'd')
    (tmp_path / 'd' / 'CORPUS.JSON').touch()  # as if the file system did not tell them apart
    assert prepare('b.mp4', out='d') == {'A': 'refused', 'a': 'refused', 'b': (FRAMES, None)}


@pytest.mark.parametrize('stored', [NFC, NFD])
@pytest.mark.parametrize('files', [NFC, NFD])
def test_both_unicode_forms_of_a_name_are_one(prepare, tmp_path, stored, files):
    assert prepare(f'{stored}.mp4', boxes=[f'b__{files}'], poses=['x', files]) == {f'b__{NFC}': 'refused'}
    assert prepare(boxes=[files], poses=['x', files], out='d') == {NFC: (1, 2)}
    corpus = Corpus.open(tmp_path / 'd')
    assert corpus.video(NFD).video == NFC
    assert Action('a', NFD, 0, 1, 0, 'train').video in CropStore(corpus.crops_dir)
    assert prepare(f'{NFC}.mp4', f'{NFD}.mp4', out='e') == {NFC: 'refused'}


def test_hidden_files_are_no_videos_boxes_or_poses(prepare, tmp_path):
    prepare('a.mp4', '.Trashes/b.mp4', boxes=['x__a', 'y__a'], poses=['x__a', 'y__a'])
    for name in ('v/._a.mp4', 'boxes/._x__a', 'boxes/._z__a.npz', 'poses/._x__a.npz', 'c/._corpus.json'):
        (tmp_path / name).write_bytes(b'\0\5\26\7')
    for folder in ('tracks', 'poses/files', 'crops'):
        (tmp_path / 'c/athlete' / folder / '._x__a.npz').write_bytes(b'\0\5\26\7')
    for out in 'cd':
        assert prepare(out=out, boxes=['x__a', 'y__a'], poses=['x__a', 'y__a']) == {'x__a': (1, 1), 'y__a': (2, 2)}
    assert Corpus.open(tmp_path / 'c').pose_names() == ['files']


def test_moved_videos_get_their_new_path(prepare, tmp_path, clip):
    names = ['a.mp4', 'deep/b.mp4']
    prepare(*names, boxes=['a', 'x__b', 'y__b'])
    (tmp_path / 'v').rename(tmp_path / 'disk2')
    (tmp_path / 'v').symlink_to(tmp_path / 'disk2')  # a link to the new place needs nothing
    assert prepare(boxes=['a', 'x__b', 'y__b']) == {'a': (1, None), 'x__b': (2, None), 'y__b': (3, None)}
    (tmp_path / 'v').unlink()
    (tmp_path / 'disk2').rename(tmp_path / 'v2')
    report = build_corpus([tmp_path / 'v2'], tmp_path / 'c', poses='none')
    assert [(r.video, r.decoded, r.failures) for r in report.videos] == [('a', 0, []), ('x__b', 0, []), ('y__b', 0, [])]
    paths = {row.path for row in Corpus.open(tmp_path / 'c').videos().values()}
    assert paths == {f'{tmp_path}/v2/{name}' for name in names}
    # another video of that name is refused
    shutil.rmtree(tmp_path / 'v2')
    make_video(tmp_path / 'v3' / 'a.mp4', FRAMES, picture=cut_picture, codec='mpeg4')
    [(_, failure)] = build_corpus([tmp_path / 'v3'], tmp_path / 'c', poses='none').failures
    assert 'which is gone, and this is not that video; rename it' in failure
    assert {row.path for row in Corpus.open(tmp_path / 'c').videos().values()} == paths
