"""Written files, by value: what the other programs will read in them; an independent reader of EAF reads ours."""

import csv
import io
import json
from xml.etree.ElementTree import fromstring

import numpy as np
import pytest
from interchange_corpus import CLASSES, LABELS, export, make_corpus, merge, variable_times, without_labels

from vpd_mm.errors import UserError
from vpd_mm.structures import Action, load_actions, save_actions

KONG, SAFETY, RUNNER = CLASSES


@pytest.fixture(scope='module')
def corpus(tmp_path_factory):
    return make_corpus(tmp_path_factory.mktemp('corpus') / 'c')


def test_csv(corpus):
    rows = list(csv.DictReader(io.StringIO(export(corpus, 'csv', ['pal'])['labels.csv'].decode())))
    assert rows[2] == {
        **{'action_id': 'pal:2', 'video': 'pal', 'start_frame': '3', 'end_frame': '17'},
        **{'label': KONG, 'split': 'val'},
    }


def test_elan_is_read_by_pympi_and_reads_its_files(corpus, tmp_path):
    pympi = pytest.importorskip('pympi')
    files = export(corpus, 'elan', ['anna__match', 'ben__match', 'pal'])
    assert sorted(files) == ['match.eaf', 'pal.eaf']
    path = tmp_path / 'match.eaf'
    path.write_bytes(files['match.eaf'])
    eaf = pympi.Elan.Eaf(str(path))
    assert sorted(eaf.get_tier_names()) == ['anna', 'ben']
    assert eaf.get_parameters_for_tier('ben')['PARTICIPANT'] == 'ben'
    assert eaf.get_annotation_data_for_tier('anna')[2] == (120, 680, SAFETY)
    assert eaf.media_descriptors[0]['MEDIA_URL'] == 'file:///videos/match.mp4'
    assert [
        entry[0][0][0]
        for entry in eaf.get_controlled_vocabulary_names() and eaf.controlled_vocabularies['classes'][1].values()
    ] == CLASSES
    made = pympi.Elan.Eaf(author='coach')
    made.add_linked_file('file:///elsewhere/pal.mp4', mimetype='video/mp4')
    made.add_tier('vaults')
    made.add_annotation('vaults', 1000, 1530, KONG)
    made.to_file(str(tmp_path / 'made.eaf'))
    other = without_labels(corpus, tmp_path / 'c')
    merge(other, 'elan', (tmp_path / 'made.eaf').read_bytes())
    [action] = load_actions(other.actions_path)
    assert (action.video, action.start_frame, action.end_frame, action.label) == ('pal', 25, 38, 0)


def test_overlapping_actions_get_tiers_of_their_own_in_elan_and_are_refused_by_boris(corpus, tmp_path):
    other = without_labels(corpus, tmp_path / 'c')
    spans = [(0, 10, 0), (5, 15, 1), (8, 20, 0), (10, 12, 2)]
    save_actions(other.actions_path, [Action(str(i), 'pal', a, b, c, 'train') for i, (a, b, c) in enumerate(spans)])
    root = fromstring(export(other, 'elan')['pal.eaf'])  # noqa: S314
    tiers = {tier.get('TIER_ID'): len(tier) for tier in root.findall('TIER')}
    assert tiers == {'actions': 2, 'actions (2)': 1, 'actions (3)': 1}
    for name in ('boris', 'boris_events'):
        with pytest.raises(UserError, match="video pal: two 'kong vault' overlap at frame 8, which BORIS cannot hold"):
            export(other, name)


def test_boris(corpus):
    project = json.loads(export(corpus, 'boris', ['anna__match', 'ben__match'])['labels.boris'])
    assert [b['code'] for b in project['behaviors_conf'].values()] == CLASSES
    assert [s['name'] for s in project['subjects_conf'].values()] == ['anna', 'ben']
    observation = project['observations']['match']
    assert observation['file']['1'] == ['/videos/match.mp4']
    assert observation['events'][:2] == [[0.0, 'anna', RUNNER, '', ''], [0.0, 'ben', KONG, '', '']]
    text = export(corpus, 'boris_events', ['ben__match'])['labels.tsv'].decode()
    rows = list(csv.DictReader(io.StringIO(text), delimiter='\t'))
    assert [row['Behavior type'] for row in rows].count('START') == len(LABELS) == len(rows) / 2
    assert (rows[0]['Subject'], rows[0]['Time'], rows[0]['Media file name']) == ('ben', '0.000', 'match.mp4')


def test_sportscode(corpus):
    files = export(corpus, 'sportscode', ['anna__match', 'ben__match'])
    root = fromstring(files['match.xml'])  # noqa: S314
    third = root.findall('ALL_INSTANCES/instance')[4]
    assert [third.findtext(tag) for tag in ('ID', 'start', 'end', 'code')] == ['5', '0.120000', '0.680000', SAFETY]
    assert [label.findtext('text') for label in third.findall('label')] == ['anna', 'match.mp4']
    assert [row.findtext('code') for row in root.findall('ROWS/row')] == CLASSES


def test_label_studio_counts_from_one_with_both_ends(corpus):
    [task] = json.loads(export(corpus, 'label_studio', ['pal'])['labels.json'])
    assert task['data'] == {'video': 'pal.mp4', 'fps': 25.0, 'split': 'val'}
    region = task['annotations'][0]['result'][2]
    assert region['value'] == {'ranges': [{'start': 4, 'end': 17}], 'timelinelabels': [KONG]}
    assert (region['type'], region['id']) == ('timelinelabels', 'pal:2')


def test_label_studio_shows_a_variable_rate_at_its_times(corpus):
    [task] = json.loads(export(corpus, 'label_studio', ['variable'])['labels.json'])
    value = task['annotations'][0]['result'][2]['value']['ranges'][0]
    times = variable_times()
    shown = (value['start'] - 1) / task['data']['fps'], value['end'] / task['data']['fps']
    assert np.allclose(shown, times.seconds(np.array([3, 17])), atol=0.002)


def test_cvat(corpus):
    root = fromstring(export(corpus, 'cvat', ['anna__match', 'ben__match'])['match.xml'])  # noqa: S314
    assert root.findtext('version') == '1.1'
    assert root.findtext('meta/source') == 'match.mp4'
    names = [label.findtext('name') for label in root.findall('meta/task/labels/label')]
    assert names[:5] == ['athlete', *CLASSES, 'pose']
    tracks = root.findall('track')
    assert len(tracks) == 2 * (2 + len(LABELS))
    boxes = tracks[0].findall('box')
    # frames 1-19, then outside at 20, 22-59, then outside at 60
    assert [b.get('frame') for b in boxes if b.get('outside') == '1'] == ['20', '60']
    first = corpus.track('anna__match').boxes[0]
    assert [float(boxes[0].get(side)) for side in ('xtl', 'ytl', 'xbr', 'ybr')] == pytest.approx(first, abs=0.005)
    assert boxes[0].findtext('attribute') == 'anna'
    points = tracks[1].find('skeleton').findall('points')
    assert [p.get('label') for p in points][:2] == ['nose', 'left_eye']
    scores = corpus.poses('made', 'anna__match').scores[0]
    assert [p.get('outside') == '1' for p in points] == (scores == 0).tolist()
    assert [p.get('occluded') == '1' for p in points] == ((scores > 0) & (scores < 0.5)).tolist()
    action = next(t for t in tracks if t.get('label') == SAFETY)
    assert [(b.get('frame'), b.get('outside')) for b in action.findall('box')] == [('3', '0'), ('16', '0'), ('17', '1')]


def test_boxes_and_poses_come_back_from_cvat(corpus, tmp_path):
    other = without_labels(corpus, tmp_path / 'c')
    merge(other, 'cvat', export(corpus, 'cvat', ['anna__match', 'ben__match', 'pal']))
    for video in ('anna__match', 'ben__match', 'pal'):
        old, new = corpus.track(video), other.track(video)
        assert new.frame_inds.tolist() == old.frame_inds.tolist()
        assert np.allclose(new.boxes, old.boxes, atol=0.006)
        poses, read = corpus.poses('made', video), other.poses('cvat', video)
        assert read.frame_inds.tolist() == poses.frame_inds.tolist()
        assert np.allclose(read.keypoints, poses.keypoints, atol=0.006)
        assert ((read.scores > 0) == (poses.scores > 0)).all()


def test_soccernet(corpus):
    content = json.loads(export(corpus, 'soccernet', ['pal'])['pal.json'])
    assert content['UrlLocal'] == 'pal'
    event = content['annotations'][4]
    assert (event['gameTime'], event['position'], event['label']) == ('1 - 00:06', '6440', RUNNER)
    assert event['interval'] == [4040, 6440, 8880]


def test_osl(corpus):
    content = json.loads(export(corpus, 'osl', ['ben__match'])['labels.json'])
    assert content['version'] == '1.0'
    assert content['labels'] == {'action': {'type': 'single_label', 'labels': CLASSES}}
    [sample] = content['data']
    assert sample['inputs'] == [{'type': 'video', 'path': '/videos/match.mp4', 'fps': 25.0}]
    assert sample['metadata'] == {'athlete': 'ben', 'split': 'train'}
    event = sample['events'][4]
    assert (event['head'], event['label'], event['position_ms']) == ('action', SAFETY, 6440)


def test_e2e_spot(corpus):
    [item] = json.loads(export(corpus, 'e2e_spot', ['pal'])['labels.json'])
    assert (item['video'], item['num_frames'], item['num_events'], item['fps']) == ('pal', 600, len(LABELS), 25.0)
    assert item['events'][4] == {'frame': 161, 'label': RUNNER, 'comment': '', 'interval': [101, 161, 222]}


def test_activitynet(corpus):
    content = json.loads(export(corpus, 'activitynet', ['pal', 'fast'])['labels.json'])
    assert sorted(content['database']) == ['fast', 'pal']
    item = content['database']['pal']
    assert (item['duration'], item['subset'], item['resolution']) == (24.0, 'validation', '640x360')
    assert item['annotations'][2] == {'segment': [0.12, 0.68], 'label': KONG}


def test_frames_that_milliseconds_do_not_tell_apart_are_refused(corpus, tmp_path):
    other = without_labels(corpus, tmp_path / 'c')
    info = other.video('pal')
    other.add_videos([type(info)('pal', info.path, 5000.0, 600, 640, 360)])
    save_actions(other.actions_path, [Action('a', 'pal', 1, 2, 0, 'train')])
    with pytest.raises(UserError, match=r'video pal: the times of frame 1 .* the same to 3 digits'):
        export(other, 'elan')
    assert b'0.0002' in export(other, 'activitynet')['labels.json']


@pytest.mark.parametrize(
    ('videos', 'poses', 'problem'),
    [(['nothing'], '', "no video 'nothing'"), ([], 'other', "no pose set 'other'; there are made")],
)
def test_errors(corpus, videos, poses, problem):
    from vpd_mm.interchange import export_labels, find_format
    from vpd_mm.studio.labels import LabelStore

    with pytest.raises(UserError, match=problem):
        export_labels(LabelStore(corpus), find_format('cvat'), videos, poses)


def test_a_corpus_without_labels_has_nothing_to_write(corpus, tmp_path):
    other = without_labels(corpus, tmp_path / 'c')
    with pytest.raises(UserError, match='no label of a video of the corpus; label some, or name videos'):
        export(other, 'elan')
    assert list(export(other, 'elan', ['pal'])) == ['pal.eaf']  # to begin with labels in ELAN
