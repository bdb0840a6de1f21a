"""The page: complete in itself, escaped, whole on a phone."""

import re

import numpy as np
from browser import PHONE, render_on_phone
from matplotlib.figure import Figure

from vpd_mm.visualize.report_page import Code, Picture, Section, Table, Text, figure_uri, jpeg_uri, write_page


def page(path):
    figure = Figure()
    figure.add_subplot().plot([0, 1], [1, 0])
    wide = np.full((80, 1600, 3), 120, np.uint8)
    blocks = [
        Text('a < b & <script>alert(1)</script>'),
        Text('reached', True),
        Table(('method', *(f'column {i}' for i in range(12))), [('x' * 40, *range(12))]),
        Picture(jpeg_uri(wide), 'wide', wide=True),
        Picture(figure_uri(figure), 'a plot'),
        Code('python tools/demo.py ' + '--option value ' * 20),
    ]
    write_page(path, 'A title', 'a lead', [Section('First', blocks)])
    return path.read_text(encoding='utf-8')


def test_nothing_is_fetched_and_everything_is_escaped(tmp_path):
    text = page(tmp_path / 'page.html')
    links = re.findall(r'(?:src|href)="([^"]{0,12})', text)
    assert links
    assert all(link.startswith('data:') for link in links)
    assert '<script' not in text
    assert 'a &lt; b &amp;' in text


def test_a_phone_shows_all_of_it_without_scrolling_sideways(tmp_path):
    page(tmp_path / 'page.html')
    shown = render_on_phone(tmp_path / 'page.html', tmp_path)
    assert shown.width == PHONE
    assert shown.scroll_width == PHONE
    assert (shown.images, shown.broken) == (2, 0)
    assert shown.console == []
