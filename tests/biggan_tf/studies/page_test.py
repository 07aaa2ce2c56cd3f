"""The page of all studies on the screen of a phone and of a desk, in a browser."""

import itertools

import pytest

from biggan_tf.studies import registry
from biggan_tf.studies.page import StudiesPage
from tests.biggan_tf.studies.small_results import small_result
from tests.serving.playground.conftest import browser, chromium

__all__ = ["browser", "chromium"]

WIDTHS = (360, 1280)
SHOWN = ("demodulation", "hard_negatives", "isometry")
# Paths have no spaces at which a line could end.
PATH = "/a/folder/" + "of-a-very-long-name" * 8 + "/32"


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    folder = tmp_path_factory.mktemp("page")
    made = StudiesPage(f"runs{PATH}")
    for name in SHOWN:
        made.add(registry.load(name), small_result(name))
    made.add_missing(registry.load("loss_scale"), f"needs images. Received: {PATH}")
    return f"file://{made.save(str(folder))}"


@pytest.mark.parametrize("width", WIDTHS)
def test_the_page_is_as_wide_as_the_screen_and_its_figures_fill_a_phones(browser, page, width):
    browser.resize(width, 844)
    browser.open(page)
    assert browser.evaluate("document.documentElement.scrollWidth") <= width
    images = browser.evaluate("[...document.images].map((x) => [x.clientWidth, x.naturalWidth, x.complete])")
    assert len(images) == len(SHOWN)
    for shown, natural, complete in images:
        assert complete
        assert shown == min(natural, width - 16)  # 8 pixels are left on each side of a phone


@pytest.mark.parametrize("width", WIDTHS)
def test_letters_and_links_are_large_enough(browser, page, width):
    browser.resize(width, 844)
    browser.open(page)
    sizes = browser.evaluate(
        "[...document.querySelectorAll('p, a')].map((x) => parseFloat(getComputedStyle(x).fontSize))"
    )
    assert min(sizes) >= 16
    heights = browser.evaluate("[...document.querySelectorAll('nav a')].map((x) => x.getBoundingClientRect().height)")
    assert len(heights) == len(SHOWN) + 1
    assert min(heights) >= 24
    # The smallest letters of a figure, those of the legend, are of 9 points of 110 / 72 pixels before it is scaled.
    scale = browser.evaluate("Math.min(...[...document.images].map((x) => x.clientWidth / x.naturalWidth))")
    assert scale * 9 * 110 / 72 > 7.5


@pytest.mark.parametrize("width", WIDTHS)
def test_no_two_parts_of_the_page_lie_on_one_another_and_all_links_lead_somewhere(browser, page, width):
    browser.resize(width, 844)
    browser.open(page)
    boxes = browser.evaluate(
        "[...document.body.children].map((x) => x.getBoundingClientRect())"
        ".map((r) => [r.top, r.bottom, r.left, r.right])"
    )
    for above, below in itertools.pairwise(boxes):
        assert above[1] <= below[0] + 0.5
    assert all(left >= 0 and right <= width for _, _, left, right in boxes)
    targets = browser.evaluate(
        "[...document.querySelectorAll('nav a')].map((x) => document.querySelector(x.getAttribute('href')).innerText)"
    )
    assert targets == [registry.load(name).title for name in (*SHOWN, "loss_scale")]


def test_a_screen_reader_hears_what_each_figure_shows(browser, page):
    browser.open(page)
    assert browser.evaluate("[...document.images].map((x) => x.alt)") == [small_result(name).alt for name in SHOWN]
