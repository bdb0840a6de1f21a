"""Files as the other programs write them (hand-written, small) become the labels that they mean."""

from pathlib import Path

import numpy as np
from interchange_corpus import content, merge

from vpd_mm.corpus import Corpus, VideoInfo
from vpd_mm.structures import load_actions

SAMPLES = Path(__file__).parent / 'samples'
KONG, SAFETY = 'kong vault', 'safety vault'


def merge_sample(corpus, name, file, **options):
    return merge(corpus, name, {file: (SAMPLES / file).read_bytes()}, **options)


def notes(corpus) -> dict[str, str]:
    lines = (corpus.root / 'studio' / 'notes.csv').read_text(encoding='utf-8').splitlines()[1:]
    return dict(line.split(',', 1) for line in lines)


def test_elan(corpus):
    """The name of a tier is a class where it is one; annotations without times are skipped."""
    report = merge_sample(corpus, 'elan', 'elan.eaf')
    assert content(corpus) == {('pal', 25, 38, KONG), ('pal', 50, 70, SAFETY)}
    assert list(notes(corpus).values()) == ['left foot first']
    assert report.skipped == [
        'annotation a4 of tier techniques: is not aligned with time',
        'tier comment: 1 annotations refer to others and have no times of their own',
    ]


def test_the_clock_of_elan_may_start_within_the_video(corpus):
    text = (SAMPLES / 'elan.eaf').read_text().replace('MIME_TYPE=', 'TIME_ORIGIN="2000" MIME_TYPE=')
    merge(corpus, 'elan', text)
    assert content(corpus) == {('pal', 75, 88, KONG), ('pal', 100, 120, SAFETY)}


def test_boris_table_of_former_versions(corpus):
    """Rows stand above the header; a moment becomes one second, or as long as asked for."""
    report = merge_sample(corpus, 'boris', 'boris_old.tsv')
    assert content(corpus) == {('pal', 25, 38, KONG), ('pal', 57, 82, SAFETY)}
    assert report.skipped == ['line 15: kong vault starts without a stop']
    assert notes(corpus) == {
        next(a.action_id for a in load_actions(corpus.actions_path) if a.start_frame == 25): 'clean'
    }


def test_boris_table_of_the_current_version(corpus):
    """Subjects are the athletes of the file; one that it does not show is named."""
    report = merge_sample(corpus, 'boris_events', 'boris_current.csv')
    assert content(corpus) == {('anna__match', 25, 38, KONG), ('ben__match', 30, 50, KONG)}
    assert report.skipped == [
        "line 6: video 'D:/2025/match.mp4' shows anna, ben; name the athlete, found 'carl'",
    ]
    assert list(notes(corpus).values()) == ['"tight, but clean"']


def test_boris_aggregated_events_of_two_files_in_a_row(corpus):
    report = merge_sample(corpus, 'boris', 'boris_aggregated.csv', point_sec=0.4)
    assert content(corpus) == {('pal', 25, 38, KONG), ('ntsc', 30, 45, KONG), ('pal', 70, 80, SAFETY)}
    assert report.skipped == []


def test_boris_project(corpus):
    report = merge_sample(corpus, 'boris', 'boris_project.boris', point_sec=0.4)
    pal = {('pal', 25, 38, KONG), ('ntsc', 30, 45, KONG), ('pal', 70, 80, SAFETY)}
    assert content(corpus) == pal | {('anna__match', 25, 38, KONG), ('ben__match', 30, 50, KONG)}
    assert report.skipped == [
        'observation at the hall: is not of a media file',
        'event 5 of observation match: kong vault starts without a stop',
    ]


def test_sportscode(corpus):
    """The video is the one that the file is named after; times are those of the nearest frames."""
    report = merge_sample(corpus, 'sportscode', 'pal.xml')
    assert content(corpus) == {('pal', 25, 38, KONG), ('pal', 50, 70, SAFETY)}
    assert report.skipped == ['instance 3: 23.9 s to 29 s leaves video pal, which is 24.00 s long']
    assert list(notes(corpus).values()) == ['left foot first']


def test_label_studio(corpus):
    """Frames count from 1, with both ends; at another rate they are times."""
    report = merge_sample(corpus, 'label_studio', 'label_studio.json')
    assert content(corpus) == {('pal', 25, 38, KONG), ('pal', 50, 51, SAFETY), ('ntsc', 30, 60, KONG)}
    assert report.skipped == ['task 1: 1 regions are no timelinelabels']
    assert {a.action_id for a in load_actions(corpus.actions_path)} == {'aB3dE5fG7h', 'zz3dE5fG7h', 'f'}
    assert notes(corpus) == {'zz3dE5fG7h': 'left foot first'}


def test_label_studio_json_min(corpus):
    merge_sample(corpus, 'label_studio', 'label_studio_min.json')
    assert content(corpus) == {('pal', 25, 38, KONG)}


def test_cvat_video(corpus):
    """Actions as an attribute of boxes; boxes and poses for the video, which has none."""
    merge_sample(corpus, 'cvat', 'cvat_video.xml')
    assert content(corpus) == {('ntsc', 11, 13, KONG), ('ntsc', 13, 14, SAFETY), ('ntsc', 20, 21, KONG)}
    track = corpus.track('ntsc')
    assert track.frame_inds.tolist() == [10, 11, 12, 13, 20]
    assert track.boxes[[1, -1]].tolist() == [[101, 50, 141, 150], [110, 60, 150, 160]]
    poses = corpus.poses('cvat', 'ntsc')
    assert poses.frame_inds.tolist() == [10]
    seen = np.flatnonzero(poses.scores[0])
    assert seen.tolist() == [0, 11]
    assert poses.scores[0, seen].tolist() == [1, 0.5]
    assert poses.keypoints[0, seen].tolist() == [[120.5, 60.25], [118, 100]]
    again = merge_sample(corpus, 'cvat', 'cvat_video.xml')
    assert (again.added, again.unchanged, again.conflicts) == (0, 3, [])
    assert [line.partition(' (')[0] for line in again.skipped] == [
        'boxes of ntsc.mp4: the corpus has boxes of ntsc already',
        'poses of ntsc.mp4: the corpus has poses of ntsc already',
    ]


def test_cvat_tags_of_images(corpus):
    merge_sample(corpus, 'cvat', 'cvat_images.xml')
    assert content(corpus) == {('pal', 7, 9, KONG), ('pal', 10, 11, KONG)}


def test_soccernet(corpus, tmp_path):
    """The halves are the videos in the folder of the game; the same names in another folder are not."""
    games = {'first': '2015-02-21 - 18-00 Pal 1 - 1 Ntsc', 'other': 'another game'}
    root = '/data/england_epl/2014-2015'
    for key, game in games.items():
        for half in (1, 2):
            name = f'{key}{half}'
            corpus.add_videos([VideoInfo(name, f'{root}/{game}/{half}_720p.mkv', 25.0, 200, 640, 360)])
    report = merge_sample(corpus, 'soccernet', 'Labels-v2.json')
    assert content(corpus) == {('first1', 50, 75, KONG), ('first2', 62, 88, SAFETY)}
    assert report.skipped == []


def test_osl(corpus):
    """Events are moments; a sample with a label and no event is the whole video; the split is that of the file."""
    report = merge_sample(corpus, 'osl', 'osl.json')
    assert content(corpus) == {('pal', 50, 75, KONG), ('pal', 162, 188, SAFETY), ('ntsc', 0, 600, KONG)}
    assert {a.split for a in load_actions(corpus.actions_path)} == {'test'}
    assert report.skipped == []


def test_e2e_spot(corpus):
    """Frames of another rate are times; those of a clip of F3Set count from its first frame."""
    report = merge_sample(corpus, 'e2e_spot', 'e2e_spot.json', point_sec=0.4)
    assert content(corpus) == {
        *(('pal', 45, 55, KONG), ('pal', 170, 180, SAFETY)),
        *(('fast', 288, 312, KONG), ('ntsc', 244, 256, SAFETY)),
    }
    assert report.skipped == []


def test_activitynet(corpus):
    report = merge_sample(corpus, 'activitynet', 'activitynet.json')
    assert content(corpus) == {('pal', 25, 38, KONG)}
    assert [a.split for a in load_actions(corpus.actions_path)] == ['val']
    assert [line.partition(';')[0] for line in report.skipped] == [
        'annotation 2 of v_pal: 2 s to 30 s leaves video pal, which is 24.00 s long',
        "annotation 1 of nowhere: video 'nowhere' is not in the corpus",
    ]


def test_csv_of_ones_own(corpus):
    """Seconds with a decimal comma, separated by semicolons; an empty interval is the whole video."""
    report = merge(corpus, 'csv', f'video;start_sec;end_sec;label\npal.mp4;1,0;1,52;{KONG}\nntsc;;;{SAFETY}\n')
    assert content(corpus) == {('pal', 25, 38, KONG), ('ntsc', 0, 600, SAFETY)}
    assert (report.added, report.skipped) == (2, [])


def test_actions_csv_of_another_corpus(corpus, tmp_path):
    """Numbers of classes are lines of the classes.txt beside the table, also where those are in another order."""
    from vpd_mm.interchange import find_format, merge_files
    from vpd_mm.interchange.entries import Source
    from vpd_mm.studio.labels import LabelStore

    path = tmp_path / 'other' / 'actions.csv'
    path.parent.mkdir()
    (path.parent / 'classes.txt').write_text(f'{SAFETY}\n{KONG}\n')
    path.write_text('action_id,video,start_frame,end_frame,label,split\nx,pal,3,9,0,test\n')
    merge_files(LabelStore(corpus), find_format('csv'), [Source(path.name, path.read_bytes(), path)])
    assert content(corpus) == {('pal', 3, 9, SAFETY)}
    [action] = load_actions(corpus.actions_path)
    assert (action.action_id, action.split) == ('x', 'test')
    assert Corpus.open(corpus.root).classes_path.read_text().splitlines()[0] == KONG
