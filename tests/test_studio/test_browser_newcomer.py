"""What a newcomer meets in the browser: a corpus without classes, clicks before keys, a server that has ended."""

import pytest
from studio_server import DESKTOP, browser, open_page, prepared, serve, start_studio, studio, window  # noqa: F401

from vpd_mm.corpus import Corpus
from vpd_mm.studio import Workspace

pytestmark = pytest.mark.browser


@pytest.fixture
def empty(prepared, tmp_path):  # noqa: F811
    """A corpus with one video, without labels, classes and features."""
    corpus = Corpus.create(tmp_path / 'empty')
    corpus.add_videos(list(Corpus.open(prepared).videos().values())[:1])
    return corpus


def test_first_label_of_a_corpus_without_classes(empty, open_page):  # noqa: F811
    with serve(Workspace(empty)) as url:
        page = open_page(url, viewport=DESKTOP)
        page.wait_for_selector('.notice:has-text("add the classes")')
        command = f'python tools/extract_features.py RUN_FOLDER --corpus {empty.root} --out vpd'
        assert command in page.inner_text('main')
        page.click('.videos a')
        page.wait_for_selector('#new-class')  # needs no click to be there
        for key in 'ia':
            page.keyboard.press(key)
        page.wait_for_selector('#messages:has-text("Add a class first")')
        page.fill('#new-class', 'vault')
        page.keyboard.press('Enter')
        page.wait_for_selector('#classes button:has-text("vault")')
        page.goto(f'{url}/#/exchange')
        page.wait_for_selector('.history summary:has-text("added class vault")')


def test_a_key_goes_to_the_match_behind_the_one_that_was_clicked(studio, open_page):  # noqa: F811
    page = open_page(f'{studio[0]}/#/search?video=practice_0&start=5&end=25')
    page.wait_for_selector('.results li', timeout=120_000)  # the first search of an installation is compiled
    is_open = 'li:has(button.reject:enabled)'
    second = page.locator(f'.results {is_open} + {is_open}').first
    pair = second.locator('xpath=preceding-sibling::li[1]'), second
    names = [card.locator('button.reject').get_attribute('aria-label') for card in pair]
    page.get_by_role('button', name=names[0]).click()
    page.keyboard.press('r')
    page.wait_for_selector('.results li.rejected >> nth=1', state='attached')
    for name in names:
        assert page.get_by_role('button', name=name).is_disabled()
    assert page.locator('.results [aria-current]').count() == 1


def test_a_review_at_its_end_says_to_train_again(empty, open_page):  # noqa: F811
    with serve(Workspace(empty)) as url:
        page = open_page(f'{url}/#/review')
        page.wait_for_selector('.empty:has-text("No predictions to review: label at least two")')
        point = {'minutes': 1.5, 'num_labels': 8, 'accuracy': 0.5, 'low': 0.2, 'high': 0.8}
        page.route('**/api/review/curve', lambda route: route.fulfill(json={'points': [point]}))
        page.reload()
        page.wait_for_selector('.empty:has-text("No predictions are left to review: train again")')


def test_a_server_that_has_ended_is_named(empty, open_page):  # noqa: F811
    with start_studio(empty.root, cwd=empty.root) as url:
        page = open_page(f'{url}/#/train', expected='ERR_|WebSocket')
        page.wait_for_selector('h1:has-text("Train")')
    page.wait_for_selector('#stage.error:has-text("does not answer")')
    page.click('nav a:has-text("Review")')
    page.wait_for_selector('.error:has-text("run tools/studio.py again")')
