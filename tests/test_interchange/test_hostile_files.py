"""Files that are not what they say: refused in one line, with nothing written; XML without document types."""

import io
import json
import zipfile

import pytest
from interchange_corpus import CLASSES, content, export, merge

from vpd_mm.errors import UserError
from vpd_mm.interchange import FORMATS, find_format
from vpd_mm.interchange.archives import pack, sources
from vpd_mm.interchange.entries import Source
from vpd_mm.interchange.xml_io import parse_xml

XML = ('elan', 'sportscode', 'cvat')
JSON = ('label_studio', 'soccernet', 'osl', 'e2e_spot', 'activitynet')
ROOTS = {'elan': 'ANNOTATION_DOCUMENT', 'sportscode': 'file', 'cvat': 'annotations'}


@pytest.mark.parametrize('name', XML)
@pytest.mark.parametrize(
    'head',
    [
        '<!DOCTYPE {root} [<!ENTITY a "x">]>',
        '<!DOCTYPE {root} SYSTEM "file:///etc/passwd">',
        '<!DOCTYPE {root} [<!ENTITY a SYSTEM "file:///etc/passwd">]>',
        '<!DOCTYPE {root} [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]>',
    ],
)
def test_document_types_are_refused(corpus, name, head):
    root = ROOTS[name]
    with pytest.raises(UserError, match=r'file: holds a document type \(DOCTYPE\)'):
        merge(corpus, name, f'<?xml version="1.0"?>{head.format(root=root)}<{root}>&a;</{root}>')
    assert not corpus.actions_path.exists()


@pytest.mark.parametrize('name', XML)
@pytest.mark.parametrize(
    ('text', 'problem'),
    [
        ('', 'truncated or not XML'),
        ('<{root}>', 'truncated or not XML'),
        ('<{root}>&a;</{root}>', 'truncated or not XML'),
        ('{{}}', 'truncated or not XML'),
        ('<html></html>', "the outermost element is 'html', of such a file '{root}'"),
        ('<{root}>' + '<a>' * 100 + '</a>' * 100 + '</{root}>', 'nested deeper than 64 elements'),
        ('<?xml version="1.0" encoding="no-such"?><{root}></{root}>', 'truncated or not XML'),
    ],
)
def test_what_is_no_such_xml_is_refused(corpus, name, text, problem):
    with pytest.raises(UserError, match=problem.format(root=ROOTS[name])):
        merge(corpus, name, text.format(root=ROOTS[name]))


def test_xml_in_other_encodings_is_read():
    text = '<?xml version="1.0" encoding="UTF-16"?><file><code>Läufer</code></file>'
    assert parse_xml(Source('f', text.encode('utf-16')), 'file').findtext('code') == 'Läufer'


@pytest.mark.parametrize('name', JSON)
@pytest.mark.parametrize('text', ['', 'null', '7', '"a"', '{"a": 1}', '[' * 100_000, '{"annotations": 3}', '\xff'])
def test_what_is_no_such_json_is_refused(corpus, name, text):
    with pytest.raises(UserError, match=rf'^file: .*; is it a file of {find_format(name).title}\?$'):
        merge(corpus, name, text.encode('latin-1'))


@pytest.mark.parametrize('name', FORMATS)
def test_a_file_that_is_too_large_is_not_parsed(corpus, name, monkeypatch):
    form = find_format(name)
    monkeypatch.setitem(FORMATS, name, type(form)(**{**vars(form), 'max_bytes': 10}))
    with pytest.raises(UserError, match=r'file: has 11 bytes; of .* at most 10 are read'):
        merge(corpus, name, b'x' * 11)


@pytest.mark.parametrize('value', ['nan', '-1', '1e999', '"x"', 'null', 'true', '[]', '9' * 400, '1' + '0' * 30])
def test_numbers_that_cannot_be_times_are_skipped(corpus, value):
    number = {'nan': 'NaN'}.get(value, value)
    text = f'[{{"video": "pal", "events": [{{"frame": {number}, "label": "{CLASSES[0]}"}}]}}]'
    report = merge(corpus, 'e2e_spot', text)
    assert (report.added, len(report.skipped)) == (0, 1)


def test_boxes_far_beyond_the_video_take_no_memory(corpus):
    box = '<box frame="{}" outside="{}" xtl="0" ytl="0" xbr="9" ybr="9"/>'
    shapes = box.format(0, 0) + box.format(99_999_999, 1)
    text = f'<annotations><meta><source>pal</source></meta><track id="0" label="athlete">{shapes}</track></annotations>'
    report = merge(corpus, 'cvat', text)
    assert report.skipped == ['track 0: its boxes continue to frame 99999998, the video has 600']
    assert not corpus.track_path('pal').exists()


def test_boxes_without_an_area_are_refused(corpus):
    box = '<box frame="0" outside="0" xtl="5" ytl="0" xbr="5" ybr="9"/>'
    text = f'<annotations><meta><source>pal</source></meta><track id="0" label="athlete">{box}</track></annotations>'
    [line] = merge(corpus, 'cvat', text).skipped
    assert line.startswith('track 0: AthleteTrack: box [5.0, 0.0, 5.0, 9.0] of frame 0 has no area')


@pytest.mark.parametrize('name', ['../../etc/passwd', '/etc/passwd', 'a\x00b', 'x' * 5000, '\x1b[2J'])
def test_names_of_a_file_lead_nowhere(corpus, name):
    """A name is looked up among the videos and in the classes; a class is added only if it can be one."""
    items = [{'video': name, 'events': [{'frame': 1, 'label': 'a'}]}]
    items += [{'video': 'pal', 'events': [{'frame': 1, 'label': name}]}]
    report = merge(corpus, 'e2e_spot', json.dumps(items))
    assert report.added == 0
    assert all(line.isprintable() for line in report.skipped)
    assert len(report.skipped) == 2


def test_archives(full, corpus, tmp_path):
    files = export(full, 'elan')
    data = pack(files)
    assert data == pack(files)
    form = find_format('elan')
    unpacked = sources(form, 'labels.zip', data)
    assert {source.name: source.data for source in unpacked} == files
    merge(corpus, 'elan', {source.name: source.data for source in unpacked})
    assert content(corpus) == content(full)


def archive(**files: bytes) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, 'w', zipfile.ZIP_DEFLATED) as file:
        for name, data in files.items():
            file.writestr(name, data)
    return packed.getvalue()


def test_archives_are_bounded(monkeypatch):
    form = find_format('elan')
    bomb = archive(**{'a.eaf': b'x' * (form.max_bytes + 1)})
    assert len(bomb) < 100_000
    with pytest.raises(UserError, match=f'labels.zip: unpacks to more than {form.max_bytes} bytes'):
        sources(form, 'labels.zip', bomb)
    with pytest.raises(UserError, match=r'has no file \*.eaf of ELAN'):
        sources(form, 'labels.zip', archive(**{'a.txt': b'x', '../../b.xml': b'x'}))
    with pytest.raises(UserError, match='truncated, damaged or encrypted'):
        sources(form, 'labels.zip', archive(**{'a.eaf': b'x'})[:-30])
    assert [s.name for s in sources(form, 'x', archive(**{'../../b.eaf': b'x'}))] == ['b.eaf']
    monkeypatch.setattr('vpd_mm.interchange.archives.MAX_MEMBERS', 1)
    with pytest.raises(UserError, match='the archive has 2 files, at most 1 are read'):
        sources(form, 'labels.zip', archive(**{'a.eaf': b'x', 'b.eaf': b'x'}))
