"""Export and import over HTTP: files, archives, the report, and refusals in one line."""

import io
import json
import zipfile

import pytest
from fastapi.testclient import TestClient
from interchange_corpus import LABELS, content, without_labels
from media import frame_number, make_video

from vpd_mm.athlete.video_reader import VideoReader
from vpd_mm.corpus import Corpus, VideoInfo
from vpd_mm.interchange import FORMATS
from vpd_mm.structures import Action, save_actions, save_classes
from vpd_mm.studio import Workspace, create_app


def open_client(corpus: Corpus) -> TestClient:
    return TestClient(create_app(Workspace(corpus)), 'http://127.0.0.1', headers={'X-VPD-Studio': '1'})


@pytest.fixture
def corpus(full, tmp_path):
    return without_labels(full, tmp_path / 'c')


def test_formats(full):
    rows = open_client(full).get('/api/formats').json()
    assert [row['name'] for row in rows] == [*FORMATS, 'clips']
    assert rows[1] == {'name': 'elan', 'title': 'ELAN', 'suffix': '.eaf', 'reads': True, 'writes': True}
    assert (rows[-1]['reads'], rows[-1]['writes']) == (False, True)


@pytest.mark.parametrize('name', FORMATS)
def test_what_is_exported_can_be_imported(full, corpus, name):
    made = open_client(full).get(f'/api/export/{name}')
    assert made.status_code == 200
    assert 'attachment; filename=' in made.headers['content-disposition']
    client = open_client(corpus)
    report = client.post(f'/api/import/{name}', content=made.content).json()
    count = 7 * len(LABELS)
    assert (report['added'], report['unchanged'], report['conflicts'], report['skipped']) == (count, 0, [], [])
    assert content(corpus) == content(full)
    again = client.post(f'/api/import/{name}', content=made.content).json()
    assert (again['added'], again['unchanged']) == (0, count)


def test_videos_are_chosen_by_name(full):
    client = open_client(full)
    made = client.get('/api/export/elan', params={'videos': ['pal']})
    assert made.headers['content-disposition'] == 'attachment; filename="pal.eaf"; filename*=UTF-8\'\'pal.eaf'
    assert made.headers['content-type'].startswith('application/xml')
    made = client.get('/api/export/elan', params={'videos': ['pal', 'anna__match', 'ben__match']})
    assert made.headers['content-disposition'].startswith('attachment; filename="full-elan.zip"')
    with zipfile.ZipFile(io.BytesIO(made.content)) as archive:
        assert sorted(archive.namelist()) == ['match.eaf', 'pal.eaf']
    made = client.get('/api/export/elan', params={'videos': ['../../etc/passwd']})
    assert (made.status_code, made.json()['error'].endswith("no video '../../etc/passwd'")) == (404, True)


def test_the_name_of_a_file_and_options(corpus):
    text = (
        '<file><ALL_INSTANCES><instance><start>1</start><end>2</end><code>dash</code></instance></ALL_INSTANCES></file>'
    )
    client = open_client(corpus)
    params = {'file': 'C:\\exports\\pal.xml'}
    report = client.post('/api/import/sportscode', content=text, params=params).json()
    assert (report['added'], len(report['skipped'])) == (0, 1)
    params = {'file': 'x.xml', 'video': 'pal', 'new_classes': True}
    report = client.post('/api/import/sportscode', content=text, params=params).json()
    assert (report['added'], report['new_classes']) == (1, ['dash'])
    assert content(corpus) == {('pal', 25, 50, 'dash')}
    history = client.get('/api/labels/history').json()
    assert history[0]['source'] == 'imported sportscode x.xml'


def test_many_lines_are_cut(corpus):
    events = [{'frame': i, 'label': f'class {i}'} for i in range(300)]
    body = json.dumps([{'video': 'pal', 'events': events}])
    report = open_client(corpus).post('/api/import/e2e_spot', content=body).json()
    assert (len(report['skipped']), report['skipped'][-1]) == (201, 'and 100 more')


@pytest.mark.parametrize(
    ('method', 'path', 'problem'),
    [
        ('get', 'export/nothing', "no format 'nothing'; there are csv, elan"),
        ('post', 'import/nothing', "no format 'nothing'"),
        ('post', 'import/clips', "no format 'clips'"),
        ('get', 'export/csv', 'no label of a video of the corpus'),
        ('get', 'export/clips', 'no label of a video of the corpus'),
        ('get', 'export/cvat?videos=pal&poses=../x', "no pose set '../x'"),
        ('post', 'import/elan', 'upload.eaf: truncated or not XML'),
    ],
)
def test_refusals_are_one_line(corpus, method, path, problem):
    answer = getattr(open_client(corpus), method)(f'/api/{path}')
    assert answer.status_code == 400
    assert problem in answer.json()['error']


def test_a_body_that_is_too_large_is_not_read_to_its_end(corpus, monkeypatch):
    form = FORMATS['elan']
    monkeypatch.setitem(FORMATS, 'elan', type(form)(**{**vars(form), 'max_bytes': 1000}))
    read = []

    def chunks():
        for i in range(100):
            read.append(i)
            yield b'x' * 600

    answer = open_client(corpus).post('/api/import/elan', content=chunks())
    assert (answer.status_code, answer.json()['error']) == (400, 'ELAN: a file may have at most 1000 bytes')


def test_clips(tmp_path):
    make_video(tmp_path / 'run.mp4', 12)
    reader = VideoReader(tmp_path / 'run.mp4')
    corpus = Corpus.create(tmp_path / 'c')
    corpus.add_videos([VideoInfo('run', str(reader.path), 25.0, 12, 64, 48)])
    corpus.actions_path.parent.mkdir()
    save_classes(corpus.classes_path, ['jump'])
    save_actions(corpus.actions_path, [Action('a', 'run', 3, 9, 0, 'train')])
    client = open_client(corpus)
    made = client.get('/api/export/clips')
    assert made.headers['content-type'] == 'application/zip'
    with zipfile.ZipFile(io.BytesIO(made.content)) as archive:
        assert sorted(archive.namelist()) == ['clips.csv', 'jump/run_3_9.mp4']
        archive.extractall(tmp_path / 'out')
    clip = VideoReader(tmp_path / 'out' / 'jump' / 'run_3_9.mp4')
    assert [frame_number(image) for _, image in clip] == list(range(3, 9))
    (tmp_path / 'run.mp4').unlink()
    answer = client.get('/api/export/clips')
    assert (answer.status_code, 'the files of run are missing' in answer.json()['error']) == (400, True)
