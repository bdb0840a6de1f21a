"""Reports: self-contained, escaped, readable on a phone."""

import base64
import io
import re

import numpy as np
import pytest
from browser import PHONE, dump_page, render_on_phone
from jinja2 import UndefinedError
from PIL import Image as PillowImage

from vpd_mm.visualize.plots import confusion_figure
from vpd_mm.visualize.report import (
    Code,
    Gallery,
    Image,
    Legend,
    MethodDiagram,
    Section,
    Table,
    Text,
    Verdict,
    animation_uri,
    figure_uri,
    file_uri,
    image_uri,
    write_report,
)
from vpd_mm.visualize.video_writer import VideoWriter


def write_page(path):
    tile = image_uri(np.full((64, 64, 3), 120, np.uint8))
    with VideoWriter(path.with_suffix('.mp4'), 25) as writer:
        writer.write(np.zeros((64, 64, 3), np.uint8))
    blocks = [
        MethodDiagram(tile, tile, tile, tile, 0.912, tile, tile, tile, 0.2, tile),
        Text('a < b & <script>alert(1)</script>'),
        Verdict('ok', 'reached <', 'go > on'),
        Table(('method', *(f'column {i}' for i in range(12))), [('x' * 40, '<i>', *range(11))]),
        Image(image_uri(np.full((80, 1600, 3), 120, np.uint8)), 'wide'),
        Image(figure_uri(confusion_figure(np.eye(2, dtype=int), ['a', 'b'])), 'a "plot"'),
        Image(file_uri(path.with_suffix('.mp4')), 'a video'),
        Gallery([Image(tile), Image(tile, 'second')], 160, 'all <b>', 'a & fold'),
        Legend({"athlete's <left": (60, 150, 255), 'faint': None}),
        Code('python tools/demo.py ' + '--option value ' * 20 + '> out'),
    ]
    section = Section('First & last', blocks, Verdict('stop', 'no & yes', 'label'), 'vpd-mm fewshot --k <4>')
    write_report(path, 'A title', 'a <b> lead', [Section('Before'), section])
    return path.read_text(encoding='utf-8')


def test_nothing_is_fetched_and_everything_is_escaped(tmp_path):
    text = write_page(tmp_path / 'page.html')
    links = re.findall(r'(?:src|href)="([^"]{0,12})', text)
    assert len(links) == 1 + 1 + 3 + 10 + 2  # icon, verdict, images and video, tiles of the diagram, gallery
    assert all(link.startswith('data:') for link in links if link != '#s2')
    assert text.count('<script') == 1
    assert '&lt;script&gt;alert(1)' in text
    assert '<i>' not in text
    pieces = (
        'a &lt; b &amp;',
        'a &lt;b&gt; lead',
        '<section id="s2">\n<h2>First &amp; last',
        '<li class="stop"><span class="level">stop</span><div><a href="#s2">First &amp; last</a>: no &amp; yes',
        '<p class="verdict ok"><span class="level">ok</span>reached &lt; <span class="hint">Next: go &gt; on</span>',
        '<pre>vpd-mm fewshot --k &lt;4&gt;</pre>',
        '&lt;i&gt;',
        'a &#34;plot&#34;',
        '&gt; out',
        'all &lt;b&gt;',
        '<li><i style="background: rgb(60, 150, 255)"></i>athlete&#39;s &lt;left</li>\n<li>faint</li>',
    )
    assert all(piece in text for piece in pieces)
    assert text.count('<video') == 1
    assert '<details><summary>a &amp; fold</summary>' in text
    assert 'confident (0.91)' in text
    assert 'low confidence (0.20)' in text


def test_numbers_and_later_columns_are_right_aligned(tmp_path):
    write_report(tmp_path / 'r.html', 't', 'l', [Section('s', [Table(('n', '', 'x'), [(3, 4, 'b')])])])
    cells = re.findall(r'<td(.*?)>(\w)</td>', (tmp_path / 'r.html').read_text())
    assert cells == [(' class="number"', '3'), ('', '4'), (' class="number"', 'b')]


def test_a_block_of_another_kind_is_an_error(tmp_path):
    with pytest.raises(UndefinedError):
        write_report(tmp_path / 'r.html', 't', 'l', [Section('s', ['text'])])


def test_a_phone_shows_the_page_without_scrolling_sideways(tmp_path):
    write_page(tmp_path / 'page.html')
    shown = render_on_phone(tmp_path / 'page.html', tmp_path)
    assert shown.width == PHONE
    assert shown.scroll_width == PHONE
    assert (shown.images, shown.broken) == (4, 0)
    assert shown.console == []


def test_an_animation_repeats_its_frames():
    frames = [np.full((8, 12, 3), value, np.uint8) for value in (0, 100, 200)]
    uri = animation_uri(frames, 12.5)
    image = PillowImage.open(io.BytesIO(base64.b64decode(uri.removeprefix('data:image/webp;base64,'))))
    assert (image.size, image.n_frames, image.info['loop']) == ((12, 8), 3, 0)
    values = []
    for k in range(3):
        image.seek(k)
        values.append(np.asarray(image.convert('RGB')).mean())
        assert image.info['duration'] == 80
    np.testing.assert_allclose(values, (0, 100, 200), atol=4)


def test_a_click_sorts_a_table_by_numbers_and_then_backwards(tmp_path):
    rows = [('b', '9.5', '1,000'), ('a', '10.5', '200'), ('c', '-', '30')]
    write_report(
        tmp_path / 'r.html', 't', 'l', [Section('s', [Table(('name', 'x', 'n'), rows), Table(('', ''), [(1, 2)])])]
    )
    page = (tmp_path / 'r.html').read_text()
    assert page.count('<thead>') == 1
    script = """<script>
      const head = document.querySelectorAll('th'), order = () => [...document.querySelectorAll('tbody')[0].rows]
        .map(row => row.cells[0].textContent).join('');
      const out = [];
      for (const column of [0, 2, 2]) { head[column].click(); out.push(order(), head[column].ariaSort); }
      head[1].click();
      document.body.append(out.join(' ') + ' ' + [...document.querySelectorAll('[aria-sort]')].length);
    </script></body>"""
    (tmp_path / 'r.html').write_text(page.replace('</body>', script))
    assert 'abc ascending cab ascending bac descending 1' in dump_page(tmp_path / 'r.html', tmp_path)
