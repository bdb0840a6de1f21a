"""Mutated and structured-but-wrong files of labels: read, or refused in one line, with valid labels in the corpus."""

import json
from pathlib import Path

import pytest
from fuzzing import mutated, read_or_refuse
from hypothesis import given
from hypothesis import strategies as st
from interchange_corpus import CLASSES, export, make_corpus, without_labels
from test_fuzz.test_foreign_files import changed

from vpd_mm.corpus import Corpus
from vpd_mm.interchange import FORMATS, Format, MergeReport, merge_files
from vpd_mm.interchange.archives import pack, sources
from vpd_mm.structures import load_actions, load_classes, save_classes
from vpd_mm.studio.labels import LabelStore

SAMPLES = Path(__file__).resolve().parents[1] / 'test_interchange' / 'samples'
#: Format to files of it that are written by hand, beside ours.
FILES = {
    'elan': ['elan.eaf'],
    'boris': ['boris_project.boris', 'boris_old.tsv'],
    'boris_events': ['boris_current.csv', 'boris_aggregated.csv'],
    'sportscode': ['pal.xml'],
    'label_studio': ['label_studio.json', 'label_studio_min.json'],
    'cvat': ['cvat_video.xml', 'cvat_images.xml'],
    'soccernet': ['Labels-v2.json'],
    'osl': ['osl.json'],
    'e2e_spot': ['e2e_spot.json'],
    'activitynet': ['activitynet.json'],
}


def merge_alone(corpus: Corpus, form: Format, data: bytes) -> MergeReport:
    """Merge a file into a corpus without labels, boxes and poses; what is then in the corpus must be valid."""
    save_classes(corpus.classes_path, CLASSES)
    for path in (corpus.actions_path, corpus.track_path('pal'), corpus.pose_path('cvat', 'pal')):
        path.unlink(missing_ok=True)
    report = merge_files(LabelStore(corpus), form, sources(form, 'file', data), new_classes=True)
    for line in [*report.conflicts, *report.skipped]:
        assert line.isprintable(), repr(line)
        assert len(line) < 2000
    videos = corpus.videos()
    actions = load_actions(corpus.actions_path, len(load_classes(corpus.classes_path))) if report.added else []
    assert all(action.end_frame <= videos[action.video].num_frames for action in actions)
    return report


@pytest.fixture(scope='module')
def full(tmp_path_factory):
    return make_corpus(tmp_path_factory.mktemp('corpus') / 'full')


@pytest.mark.parametrize('name', FORMATS)
def test_files_of_labels(name, full, tmp_path):
    form, corpus = FORMATS[name], without_labels(full, tmp_path / 'c')
    ours = export(full, name, ['pal', 'anna__match'])
    contents = [*ours.values(), *((SAMPLES / file).read_bytes() for file in FILES.get(name, []))]

    @given(st.data())
    def check(data):
        content = data.draw(st.sampled_from(contents))
        mutations = mutated(content)
        if content[:1] in b'[{':
            mutations |= changed(json.loads(content)).map(lambda value: json.dumps(value).encode())
        read_or_refuse(lambda: merge_alone(corpus, form, data.draw(mutations)), 10)

    check()


def test_archives(full, tmp_path):
    form, data = FORMATS['elan'], pack(export(full, 'elan'))

    @given(mutated(data))
    def check(content):
        read_or_refuse(lambda: sources(form, 'labels.zip', content))

    check()
