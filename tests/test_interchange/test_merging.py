"""Merging: what is added, unchanged, in conflict and skipped; names of videos and classes; times at the ends."""

import json

import pytest
from interchange_corpus import CLASSES, content, export, make_corpus, merge, without_labels

from vpd_mm.corpus import Corpus, VideoInfo
from vpd_mm.errors import UserError
from vpd_mm.interchange.videos import KnownNames
from vpd_mm.structures import load_actions, load_classes

KONG, SAFETY, RUNNER = CLASSES
HEADER = 'action_id,video,start_frame,end_frame,label,split'


def table(*rows: str) -> str:
    return '\n'.join([HEADER, *rows, ''])


def test_labels_of_the_corpus_are_never_changed(corpus):
    merge(corpus, 'csv', table(f'a,pal,10,20,{KONG},train', f'b,pal,30,40,{SAFETY},train'))
    before = corpus.actions_path.read_bytes()
    rows = [
        f'a,pal,10,20,{KONG},test',  # the same; its split is left alone
        f'new,pal,10,20,{KONG},test',  # the same under another id
        f'b,pal,300,310,{SAFETY},test',  # the id of another label
        f'c,pal,15,25,{SAFETY},test',  # overlaps one of another class
        f'd,pal,31,40,{SAFETY},test',  # overlaps one of its class
        f'e,pal,20,30,{SAFETY},test',  # between both
        f'f,pal,500,510,{KONG},test',
        f'g,pal,505,520,{SAFETY},test',  # overlaps a label of the file, which may be
        f'h,pal,500,510,{KONG},test',
    ]
    report = merge(corpus, 'csv', table(*rows))
    assert (report.added, report.unchanged) == (3, 2)
    assert report.conflicts == [
        'line 4: safety vault 300..310 of pal has the id of safety vault 30..40 of pal (b) in the corpus',
        'line 5: safety vault 15..25 of pal overlaps kong vault 10..20 of pal (a) in the corpus',
        'line 6: safety vault 31..40 of pal overlaps safety vault 30..40 of pal (b) in the corpus',
    ]
    assert report.skipped == ['line 10: kong vault 500..510 is there twice']
    assert corpus.actions_path.read_bytes().startswith(before)
    assert [a.action_id for a in load_actions(corpus.actions_path)] == ['a', 'b', 'e', 'f', 'g']


def test_a_name_that_no_class_can_have_stops_nothing(corpus):
    bad = ['a\x07', 'b\u200bc', '=1+1', '@x', 'y' * 101]
    rows = table('a,pal,0,5,dash,train', *(f'b{i},pal,{6 + i},{7 + i},{name},train' for i, name in enumerate(bad)))
    report = merge(corpus, 'csv', rows, new_classes=True)
    assert (report.new_classes, report.added, len(report.skipped)) == (['dash'], 1, 5)
    assert load_classes(corpus.classes_path) == [*CLASSES, 'dash']
    assert all('1 to 100 printable characters, no formula' in line for line in report.skipped)


def test_an_id_that_is_a_formula_is_replaced(corpus):
    merge(corpus, 'csv', table(f'=1+1,pal,0,5,{KONG},train'))
    assert [a.action_id for a in load_actions(corpus.actions_path)] == ['pal:0']


def test_classes_and_labels_are_added_together_or_not_at_all(corpus, monkeypatch):
    monkeypatch.setattr('vpd_mm.studio.labels._Rules.check', lambda *_: (_ for _ in ()).throw(UserError('full')))
    before = corpus.classes_path.read_bytes()
    with pytest.raises(UserError, match='full'):
        merge(corpus, 'csv', table('a,pal,0,5,dash,train'), new_classes=True)
    assert corpus.classes_path.read_bytes() == before


def test_unknown_classes_are_named_or_added(corpus):
    rows = table('a,pal,0,5,Kong  Vault,train', 'b,pal,5,9,dash,train', 'c,pal,9,12,dash,train')
    report = merge(corpus, 'csv', rows)
    assert content(corpus) == {('pal', 0, 5, KONG)}  # spelled as in the corpus
    [line] = report.skipped
    assert line.startswith("2 labels of class 'dash', which the corpus does not have (it has kong vault, safety vault")
    assert line.endswith('--new-classes')
    report = merge(corpus, 'csv', rows, new_classes=True)
    assert (report.new_classes, report.added, report.unchanged) == (['dash'], 2, 1)
    assert load_classes(corpus.classes_path) == [*CLASSES, 'dash']


def test_a_corpus_without_classes_gets_those_of_the_file(corpus, tmp_path):
    new = Corpus.create(tmp_path / 'new')
    new.add_videos(corpus.videos().values())
    report = merge(new, 'csv', table('a,pal,0,5,jump,train', 'b,pal,5,9,Jump,train').replace('Jump', 'dash'))
    assert (report.added, report.skipped[0].count('it has none')) == (0, 1)
    merge(new, 'csv', table('a,pal,0,5,jump,train', 'b,pal,5,9,dash,train'), new_classes=True)
    assert content(new) == {('pal', 0, 5, 'jump'), ('pal', 5, 9, 'dash')}


@pytest.mark.parametrize(
    ('start', 'end', 'frames'),
    [
        ('1.0', '1.2', (25, 30)),
        ('1.019', '1.181', (25, 30)),  # to the nearest edge of a frame
        ('1.021', '1.179', (26, 29)),
        ('1.0', '1.001', (25, 26)),  # at least one frame
        ('-0.4', '1.0', (0, 25)),
        ('23.0', '24.4', (575, 600)),
        ('23.99', '24.0', (599, 600)),
    ],
)
def test_times_become_the_nearest_frames(corpus, start, end, frames):
    text = f'<file><ALL_INSTANCES><instance><start>{start}</start><end>{end}</end><code>{KONG}</code></instance>'
    merge(corpus, 'sportscode', {'pal.xml': f'{text}</ALL_INSTANCES></file>'.encode()})
    assert content(corpus) == {('pal', *frames, KONG)}


@pytest.mark.parametrize(
    ('start', 'end', 'problem'),
    [
        ('2', '1', 'needs start <= end, found 2 s to 1 s'),
        ('-1', '1', '-1 s to 1 s leaves video pal, which is 24.00 s long'),
        ('23', '25', '23 s to 25 s leaves video pal, which is 24.00 s long'),
        ('nan', '1', "start must be a finite number, found 'nan'"),
        ('1', '1e400', "end must be a finite number, found '1e400'"),
        ('soon', '1', "start must be a number, found 'soon'"),
    ],
)
def test_times_that_are_not_in_the_video_are_skipped(corpus, start, end, problem):
    text = f'<file><ALL_INSTANCES><instance><start>{start}</start><end>{end}</end><code>{KONG}</code></instance>'
    report = merge(corpus, 'sportscode', {'pal.xml': f'{text}</ALL_INSTANCES></file>'.encode()})
    assert (report.added, report.skipped) == (0, [f'instance 1: {problem}'])


def test_moments_become_actions_within_the_video(corpus):
    events = [{'frame': frame, 'label': KONG} for frame in (0, 300, 599, 600)]
    report = merge(corpus, 'e2e_spot', json.dumps([{'video': 'pal', 'events': events}]), point_sec=2)
    assert content(corpus) == {('pal', 0, 25, KONG), ('pal', 275, 325, KONG), ('pal', 574, 600, KONG)}
    assert report.skipped == ['event 4 of pal: frame 600 is not in video pal, which has 600']
    with pytest.raises(UserError, match='must be above 0'):
        merge(corpus, 'e2e_spot', '[]', point_sec=0)


def test_an_event_that_was_moved_elsewhere_has_no_extent_any_more(tmp_path):
    full = make_corpus(tmp_path / 'full')
    files = export(full, 'osl', ['pal'])
    moved = files['labels.json'].replace(b'"position_ms": 6440', b'"position_ms": 10000')
    assert moved != files['labels.json']
    corpus = without_labels(full, tmp_path / 'c')
    merge(corpus, 'osl', moved)
    changed = content(corpus) ^ {row for row in content(full) if row[0] == 'pal'}
    assert {(start, end) for _, start, end, _ in changed} == {(101, 222), (238, 262)}


def test_a_file_may_be_about_another_video_than_it_says(corpus):
    text = f'<file><ALL_INSTANCES><instance><start>1</start><end>2</end><code>{KONG}</code></instance>'
    files = {'whatever.xml': f'{text}</ALL_INSTANCES></file>'.encode()}
    assert merge(corpus, 'sportscode', files).skipped[0].startswith("instance 1: video 'whatever' is not in the corpus")
    merge(corpus, 'sportscode', files, video='pal')
    assert content(corpus) == {('pal', 25, 50, KONG)}
    with pytest.raises(UserError, match="video 'pall' is not in the corpus; did you mean 'pal'"):
        merge(corpus, 'sportscode', files, video='pall')


@pytest.mark.parametrize(
    ('text', 'athlete', 'video'),
    [
        *(
            ('pal', '', 'pal'),
            ('pal.mp4', '', 'pal'),
            ('/elsewhere/pal.MOV', '', 'pal'),
            ('C:\\videos\\pal.avi', '', 'pal'),
        ),
        *(('file:///C:/my%20videos/pal.mp4', '', 'pal'), ('https://x.org/a/pal.mp4?token=1', '', 'pal')),
        *(('/data/upload/3/0123abcd-pal.mp4', '', 'pal'), ('/data/local-files/?d=a/pal.mp4', '', 'pal')),
        *(('pal.mp4', 'anna', 'pal'), ('match.mp4', 'ben', 'ben__match'), ('anna__match', '', 'anna__match')),
        *(('match', 'anna', 'anna__match'), ('anna__match', 'anna', 'anna__match'), ('a/take', '', 'take_a')),
        *(('/videos/b/take.mp4', '', 'take_b'), ('b\\take.mp4', '', 'take_b')),
    ],
)
def test_names_of_videos(corpus, text, athlete, video):
    corpus.add_videos([VideoInfo(f'take_{d}', f'/videos/{d}/take.mp4', 25.0, 9, 64, 48) for d in 'ab'])
    assert KnownNames(corpus).find(text, athlete).video == video


@pytest.mark.parametrize(
    ('text', 'athlete', 'problem'),
    [
        ('match.mp4', '', "video 'match.mp4' shows anna, ben; name the athlete, none is named"),
        ('match.mp4', 'carl', "shows anna, ben; name the athlete, found 'carl'"),
        ('take.mp4', '', "video 'take.mp4' may be /videos/a/take.mp4, /videos/b/take.mp4; give the folder as well"),
        ('pall.mp4', '', "video 'pall.mp4' is not in the corpus; did you mean 'pal'"),
        ('', '', "video '' is not in the corpus"),
        ('broken.mp4', '', "video 'broken' is not prepared: no person was found"),
        ('carl__match', 'ben', "video 'carl__match' is not in the corpus"),
    ],
)
def test_names_that_mean_no_video_or_several(corpus, text, athlete, problem):
    corpus.add_videos([VideoInfo(f'take_{d}', f'/videos/{d}/take.mp4', 25.0, 9, 64, 48) for d in 'ab'])
    corpus.record_failures(['broken'], {'broken': 'no person was found'})
    with pytest.raises(UserError, match=problem.replace('?', '.')):
        KnownNames(corpus).find(text, athlete)


def test_several_files_are_one_change(corpus):
    """A file that is not valid lets nothing of the others in; lines name the file."""
    text = (
        '<file><ALL_INSTANCES><instance><start>1</start><end>{}</end><code>%s</code></instance></ALL_INSTANCES></file>'
    )
    files = {name: (text % KONG).format(end).encode() for name, end in (('pal.xml', 2), ('ntsc.xml', 99))}
    with pytest.raises(UserError, match=r'^bad\.xml: truncated or not XML'):
        merge(corpus, 'sportscode', files | {'bad.xml': b'<file>'})
    assert not corpus.actions_path.exists()
    report = merge(corpus, 'sportscode', files)
    assert (report.added, report.skipped) == (
        1,
        ['ntsc.xml: instance 1: 1 s to 99 s leaves video ntsc, which is 20.02 s long'],
    )
    history = (corpus.root / 'studio' / 'history.jsonl').read_text().splitlines()
    assert 'imported sportscode pal.xml, ntsc.xml' in history[-1] + history[-2]
