"""Every view in a real browser: no error, no horizontal scrolling on a phone, no serious finding of axe-core."""

import pytest
from studio_server import DESKTOP, PHONE, browser, open_page, studio  # noqa: F401

pytestmark = pytest.mark.browser
#: Address and heading of each view.
VIEWS = {
    'library': ('#/library', 'Videos'),
    'player': ('#/player/practice_0?start=35&end=55', 'practice_0'),
    'athletes': ('#/player/front__match', 'front__match'),
    'search': ('#/search?video=practice_0&start=5&end=25', 'Search by example'),
    'train': ('#/train', 'Train and predict'),
    'review': ('#/review', 'Review'),
    'exchange': ('#/exchange', 'Import and export'),
}


@pytest.mark.parametrize('view', VIEWS)
def test_a_view_has_no_error_and_is_accessible(view, studio, open_page):  # noqa: F811
    sync_playwright = pytest.importorskip('axe_playwright_python.sync_playwright', reason='needs axe-playwright-python')
    url, _ = studio
    address, heading = VIEWS[view]
    findings = {}
    for size in (DESKTOP, PHONE):
        page = open_page(f'{url}/{address}', viewport=size)
        page.wait_for_selector('main h1')
        assert page.inner_text('main h1') == heading, page.inner_text('main')
        page.wait_for_load_state('networkidle')
        assert page.title()
        for scheme in ('light', 'dark'):
            page.emulate_media(color_scheme=scheme)
            options = {'resultTypes': ['violations']} if scheme == 'light' else {'runOnly': ['color-contrast']}
            found = sync_playwright.Axe().run(page, options=options).response['violations']
            for rule in found:
                if rule['impact'] in ('serious', 'critical'):
                    nodes = [node['html'][:200] for node in rule['nodes'][:3]]
                    findings[size['width'], scheme, rule['id']] = nodes
        if size is PHONE:
            widths = page.evaluate('[document.documentElement.scrollWidth, document.documentElement.clientWidth]')
            assert widths[0] <= widths[1] == PHONE['width'], widths
    assert not findings, findings
