"""Every view in a real browser: no error, no horizontal scrolling on a phone, no serious finding of axe-core."""

import pytest
from studio_server import DESKTOP, PHONE, browser, open_page, studio  # noqa: F401

pytestmark = pytest.mark.browser
#: Address of each view and a selector that is there when it is shown.
VIEWS = {
    'library': '#/library',
    'player': '#/player/practice_0?frame=40',
    'athletes': '#/player/front__match',
    'search': '#/search?video=practice_0&start=5&end=25',
    'train': '#/train',
    'review': '#/review',
    'exchange': '#/exchange',
}


@pytest.mark.parametrize('view', VIEWS)
def test_a_view_has_no_error_and_is_accessible(view, studio, open_page):  # noqa: F811
    sync_playwright = pytest.importorskip('axe_playwright_python.sync_playwright', reason='needs axe-playwright-python')
    url, _ = studio
    findings = {}
    for size in (DESKTOP, PHONE):
        page = open_page(f'{url}/{VIEWS[view]}', viewport=size)
        page.wait_for_selector('main h1')
        page.wait_for_load_state('networkidle')
        assert page.title()
        for scheme in ('light', 'dark'):
            page.emulate_media(color_scheme=scheme)
            found = sync_playwright.Axe().run(page).response['violations']
            for rule in found:
                if rule['impact'] in ('serious', 'critical'):
                    nodes = [node['html'][:200] for node in rule['nodes'][:3]]
                    findings[size['width'], scheme, rule['id']] = nodes
        if size is PHONE:
            widths = page.evaluate('[document.documentElement.scrollWidth, document.documentElement.clientWidth]')
            assert widths[0] <= widths[1] == PHONE['width'], widths
    assert not findings, findings
