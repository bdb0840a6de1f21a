"""Search, training, review, export and import in a real browser, in the order of a day's work; then every view.

No view has an error, scrolls to the side on a phone, or has a serious finding of axe-core.
"""

import csv
import re
import time
from collections import Counter

import httpx
import pytest
from learning_corpus import run_short_training
from studio_corpus import is_unlabelled, practice_actions
from studio_server import DESKTOP, PHONE, browser, open_page, prepared, serve, studio, window  # noqa: F401

from vpd_mm.corpus import Corpus
from vpd_mm.structures import load_actions, load_classes
from vpd_mm.studio import Workspace

pytestmark = pytest.mark.browser
#: Address and heading of each view.
VIEWS = {
    'library': ('#/library', 'Videos'),
    'player': ('#/player/practice_1?frame=200', 'practice_1'),
    'athletes': ('#/player/front__match', 'front__match'),
    'examples': ('#/search', 'Search by example'),
    'search': ('#/search?video=practice_0&start=5&end=25', 'Search by example'),
    'train': ('#/train', 'Train and predict'),
    'review': ('#/review', 'Review'),
    'exchange': ('#/exchange', 'Import and export'),
}
UNLABELLED = [action for action in practice_actions() if is_unlabelled(action)]


@pytest.fixture
def labels(studio):  # noqa: F811
    """Function that gives all labels, as stored: {(video, start, end): class}."""

    def stored() -> dict[tuple[str, int, int], str]:
        names = load_classes(studio[1].classes_path)
        actions = load_actions(studio[1].actions_path, len(names))
        return {(action.video, action.start_frame, action.end_frame): names[action.label] for action in actions}

    return stored


def said(page, text: str) -> None:
    """Wait for a message."""
    page.wait_for_selector(f'#messages:has-text("{text}")')


def test_search_by_example_accept_and_reject(studio, open_page, labels):  # noqa: F811
    page = open_page(f'{studio[0]}/#/player/practice_0?start=5&end=25')
    page.click('a:has-text("Search for similar segments")')
    page.wait_for_selector('.results li', timeout=120_000)  # the first search of an installation is compiled
    distances = [
        float(text.split()[1])
        for text in page.locator('.results li', has_text='distance').all_inner_texts()
        for text in re.findall(r'distance [\d.]+', text)
    ]
    assert distances == sorted(distances)
    before, known = labels(), [action for action in practice_actions() if action.label == 0]
    cards = page.locator('.results li:has(button.accept:enabled)')
    accepted, rejected = (cards.nth(k).locator('button.accept').get_attribute('aria-label') for k in (0, 1))
    found = [re.fullmatch(r'Accept (\w+), frames (\d+) to (\d+)', name).groups() for name in (accepted, rejected)]
    (video, start, end), (other, *span) = ((name, int(first), int(last)) for name, first, last in found)
    assert any(a.video == video and a.start_frame < end and start < a.end_frame for a in known), found
    assert page.locator('.results li').first.locator('img').get_attribute('data-src').count('/clip?')
    page.get_by_role('button', name=accepted).click()
    said(page, f'Labelled {video}, frames {start} to {end} as jump')
    assert labels() == before | {(video, start, end): 'jump'}
    page.get_by_role('button', name=rejected.replace('Accept', 'Reject')).click()
    said(page, f'Rejected {other}')
    page.reload()
    page.wait_for_selector('.results li')
    assert page.get_by_role('button', name=rejected).count() == 0
    with open(studio[1].root / 'studio' / 'rejections.csv', newline='') as f:
        [row] = csv.DictReader(f)
    assert [row[f'match_{key}'] for key in ('video', 'start_frame', 'end_frame')] == [other, *map(str, span)]
    page.locator('.results li:has(button.accept:enabled)').first.locator('h2').click(position={'x': 150, 'y': 5})
    page.keyboard.press('2')  # a number accepts as this class
    page.wait_for_selector('.results li.accepted')
    assert sorted(labels().values()).count('spin') == sorted(before.values()).count('spin') + 1
    page.keyboard.press('Control+z')
    page.wait_for_selector('.results li.accepted', state='detached')
    assert labels() == before | {(video, start, end): 'jump'}


def test_a_training_is_cancelled(studio, open_page):  # noqa: F811
    page = open_page(f'{studio[0]}/#/train')
    page.click('#start')
    page.wait_for_selector('#bar:visible', timeout=120_000)  # the first one loads its modules
    page.click('#cancel')
    page.wait_for_selector('#stage:has-text("Cancelled")')
    assert page.is_enabled('#start')
    assert httpx.get(f'{studio[0]}/api/predictions').json()['predictions'] == []


@pytest.fixture(scope='module')
def trained(browser, studio):  # noqa: F811
    """Train in the browser; gives what the progress bar showed."""
    page = browser.new_page()
    page.goto(f'{studio[0]}/#/train')
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr('vpd_mm.studio.training.run_training', run_short_training)
        page.click('#start')
        page.wait_for_selector('#bar:visible')
    shown, end = set(), time.monotonic() + 300
    while page.is_hidden('#report h2'):
        assert time.monotonic() < end, f'after 300 s: {page.inner_text("main")}'
        assert not page.locator('#stage.error').count(), page.inner_text('#stage')
        shown.add(page.evaluate("document.getElementById('bar').value"))
        page.wait_for_timeout(100)
    page.close()
    return shown


def test_training_shows_its_progress_and_a_report(trained, studio, open_page):  # noqa: F811
    assert len(trained) > 5
    page = open_page(f'{studio[0]}/#/train')
    report = page.inner_text('#report')
    assert 'Accuracy' in report
    assert {'jump', 'spin', 'roll'} <= set(re.findall(r'\w+', report))
    found = httpx.get(f'{studio[0]}/api/predictions?video=practice_1').json()['predictions']
    overlaps = [
        any(p['start_frame'] < a.end_frame and a.start_frame < p['end_frame'] for p in found) for a in UNLABELLED
    ]
    assert sum(overlaps) >= len(UNLABELLED) - 1
    page.goto(f'{studio[0]}/#/player/practice_1?frame=200')
    page.wait_for_selector('#predictions summary:has-text("Predictions")')


def test_review_by_keys(trained, studio, open_page, labels):  # noqa: F811
    queue = httpx.get(f'{studio[0]}/api/review').json()
    assert len(queue) >= 3
    before = labels()
    page = open_page(f'{studio[0]}/#/review')
    page.wait_for_selector('.predicted')
    names = load_classes(studio[1].classes_path)
    wrong = next(name for name in names if name != queue[2]['label'])
    page.keyboard.press('a')
    said(page, 'Labelled')
    page.keyboard.press('r')
    said(page, 'Rejected')
    page.keyboard.press(str(names.index(wrong) + 1))
    page.wait_for_selector('[role=status]:has-text("1 accepted, 1 corrected, 1 rejected")')
    keys = [(p['video'], p['start_frame'], p['end_frame']) for p in queue]
    assert labels() == before | {keys[0]: queue[0]['label'], keys[2]: wrong}
    page.keyboard.press('q')
    page.wait_for_selector(f'.state:has-text("{wrong}")')
    page.keyboard.press('Control+z')
    said(page, 'Undone')
    assert labels() == before | {keys[0]: queue[0]['label']}
    left = httpx.get(f'{studio[0]}/api/review').json()
    assert len(left) == len(queue) - 2


def test_export_and_import(studio, open_page, labels, tmp_path):  # noqa: F811
    page = open_page(f'{studio[0]}/#/exchange')
    page.wait_for_selector('#export-format')
    before = labels()
    with page.expect_download() as download:
        page.get_by_role('button', name='Export').click()
    path = tmp_path / download.value.suggested_filename
    download.value.save_as(path)
    with open(path, newline='') as f:
        rows = {
            (row['video'], int(row['start_frame']), int(row['end_frame'])): row['label'] for row in csv.DictReader(f)
        }
    assert rows == before
    # taken away by another program, and imported again
    label = httpx.get(f'{studio[0]}/api/labels?video=practice_0').json()['labels'][2]
    body, headers = {'changes': [{'before': label, 'after': None}]}, {'X-VPD-Studio': '1'}
    httpx.post(f'{studio[0]}/api/labels', json=body, headers=headers).raise_for_status()
    assert len(labels()) == len(before) - 1
    page.set_input_files('#file', path)
    page.select_option('#import-format', page.input_value('#export-format'))
    page.get_by_role('button', name='Import').click()
    page.wait_for_selector('[role=status]:has-text("1 label added")')
    assert labels() == before


def test_labels_are_divided_by_a_button(studio, open_page, labels):  # noqa: F811
    page = open_page(f'{studio[0]}/#/exchange')
    before = labels()
    page.get_by_role('button', name='Divide the labels').click()
    line = page.wait_for_selector('[role=status]:has-text("train, ")').inner_text()
    counts = {split: int(number) for number, split in re.findall(r'(\d+) (train|val|test)', line)}
    assert counts == Counter(action.split for action in load_actions(studio[1].actions_path))
    assert min(counts['train'], counts['val'], counts['test']) > 0
    assert labels() == before
    page.wait_for_selector('.history li:first-child:has-text("divided")')
    page.get_by_role('button', name='Restore').first.click()
    said(page, 'Restored')


def findings(page, **options) -> list:
    """Serious and critical findings of axe-core: [(rule, elements)]."""
    axe = pytest.importorskip('axe_playwright_python.sync_playwright', reason='needs axe-playwright-python').Axe()
    found = axe.run(page, options={'resultTypes': ['violations'], **options}).response['violations']
    serious = [rule for rule in found if rule['impact'] in ('serious', 'critical')]
    return [(rule['id'], [node['html'][:200] for node in rule['nodes'][:3]]) for rule in serious]


@pytest.mark.parametrize(
    'view',
    # The others are states of the player and of the search.
    [pytest.param(view, marks=[pytest.mark.full] * (view in ('athletes', 'examples'))) for view in VIEWS],
)
def test_a_view_has_no_error_and_is_accessible(view, trained, studio, open_page):  # noqa: F811
    address, heading = VIEWS[view]
    for size in (DESKTOP, PHONE):
        page = open_page(f'{studio[0]}/{address}', viewport=size)
        page.wait_for_selector('main h1')
        assert page.inner_text('main h1') == heading, page.inner_text('main')
        page.wait_for_load_state('networkidle')
        assert findings(page) == []
        page.emulate_media(color_scheme='dark')
        assert findings(page, runOnly=['color-contrast']) == []
        widths = page.evaluate('[document.documentElement.scrollWidth, document.documentElement.clientWidth]')
        assert widths[0] <= widths[1] == size['width'], widths
    if view == 'player':
        page.keyboard.press('?')
        page.wait_for_selector('dialog')
        assert findings(page) == []


@pytest.mark.parametrize('rows', [0, 1])
def test_views_of_a_corpus_without_labels_and_features(rows, prepared, browser, open_page, tmp_path):  # noqa: F811
    corpus = Corpus.create(tmp_path / 'empty')
    corpus.add_videos(list(Corpus.open(prepared).videos().values())[:rows])
    with serve(Workspace(corpus)) as url:
        page = open_page(url, viewport=PHONE)
        for view in ('library', 'search', 'train', 'review', 'exchange'):
            page.goto(f'{url}/{VIEWS[view][0]}')
            page.wait_for_selector(f'h1:has-text("{VIEWS[view][1]}")')
            page.wait_for_load_state('networkidle')
            assert page.evaluate('document.documentElement.scrollWidth') <= PHONE['width']
