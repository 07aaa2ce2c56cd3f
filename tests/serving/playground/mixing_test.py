"""The page with a model that has styles: its pictures are the server's samples, and two of them can be mixed."""

import json
import urllib.request

import numpy as np
import pytest

from serving.client import GeneratorClient
from tests.serving.playground.page_test import DRAWN, focus, hash_of, pictures, show, text

WIDTHS = (1280, 360)
MIX = "#show=mix&from=0:3&to=2:8&layers=1-4&truncation=0.9"


def styles(client, ends, truncation):
    z = client.latents([seed for _, seed in ends], truncation)
    return client.map(z, np.eye(3, dtype=np.float32)[[label for label, _ in ends]], truncation)


def test_the_page_is_told_of_styles_and_bounds(served, styled):
    with urllib.request.urlopen(f"{styled[1]}playground/models.json") as answer:
        (model,) = json.load(answer)
    assert (model["num_styles"], model["truncation"], model["truncation_default"]) == (8, [0.0, 2.0], 0.7)
    with urllib.request.urlopen(f"{served[1]}playground/models.json") as answer:
        (model,) = json.load(answer)
    assert (model["num_styles"], model["truncation"], model["truncation_default"]) == (0, [0.02, 1.0], 0.5)


def test_only_a_model_with_styles_can_mix(browser, served, styled):
    show(browser, served[1], "#classes=0&columns=1")
    assert not browser.evaluate("document.getElementById('mix-mode').checkVisibility()")
    show(browser, served[1], MIX)
    assert "show must be grid or classes or walk. Received: mix." in text(browser, "#error")
    show(browser, styled[1], "#classes=0&columns=1")
    assert browser.evaluate("document.getElementById('mix-mode').checkVisibility()")


def test_the_grid_is_what_the_client_gets(browser, styled):
    target, url = styled
    show(browser, url, "#show=grid&classes=2.0&seed=40&columns=2&truncation=0.6")
    with GeneratorClient(target, "style") as client:
        assert pictures(browser) == client.sample_png([2, 2, 0, 0], seeds=[40, 41] * 2, truncation=0.6)


def test_pictures_are_mixed_by_ranges_of_layers(browser, styled):
    target, url = styled
    show(browser, url, MIX)
    shown = pictures(browser)
    with GeneratorClient(target, "style") as client:
        assert shown[:2] == client.sample_png([0, 2], seeds=[3, 8], truncation=0.9)
        ends, expected = styles(client, [(0, 3), (2, 8)], 0.9), []
        for own in (0, 1):
            for layers in (range(2), range(2, 5), range(5, 8), range(1, 5)):
                w = ends[own].copy()
                w[layers] = ends[1 - own][layers]
                expected += client.synthesize_styles_png(w[None], [(3, 8)[own]])
    assert shown[2:] == expected
    assert len(set(shown)) == 10
    heading = "0, seed 3, with layers of 2, seed 8: coarse, middle, fine, layers 1 to 4"
    assert browser.evaluate("[...document.querySelectorAll('#pictures h3')].map((x) => x.innerText)")[1] == heading


def test_a_walk_begins_at_a_picture_but_not_at_a_mixed_one(browser, styled):
    show(browser, styled[1], MIX)
    for number, is_end in ((0, True), (2, False)):
        browser.evaluate(f"document.querySelectorAll('#pictures button')[{number}].click()")
        shown = "['from', 'to'].map((end) => document.getElementById(`viewer-${end}`).checkVisibility())"
        assert browser.evaluate(shown) == [is_end, is_end]
        browser.evaluate("document.getElementById('viewer').close()")


def test_a_range_of_layers_is_entered(browser, styled):
    show(browser, styled[1], MIX)
    before = pictures(browser)
    focus(browser, "#first-layer")
    browser.evaluate("document.getElementById('first-layer').select()")
    browser.type("6")
    browser.press("Tab")
    browser.wait_for(f"location.hash.includes('layers=6-6') && {DRAWN}")
    assert pictures(browser)[5] != before[5]
    assert browser.evaluate("document.getElementById('last-layer').value") == "6"
    browser.evaluate("document.getElementById('last-layer').select()")
    browser.type("8")
    browser.press("Tab")
    assert browser.evaluate("document.getElementById('last-layer').validationMessage") == "A whole number from 0 to 7."
    assert "layers=6-6" in hash_of(browser)


def test_a_model_without_classes_is_asked_for_none(browser, classless):
    target, url = classless
    show(browser, url, "#show=grid&seed=4&columns=3")
    with GeneratorClient(target, "style") as client:
        assert pictures(browser) == client.sample_png([0, 0, 0], seeds=[4, 5, 6], truncation=0.7)
    assert text(browser, "#about").startswith("style, version 1: no classes, 32")
    assert not browser.evaluate("document.getElementById('class-search').checkVisibility()")
    show(browser, url, "#show=mix&from=0:3&to=0:8")
    assert len(set(pictures(browser))) == 10
    assert not browser.evaluate("document.getElementById('from-class').checkVisibility()")


def test_a_link_with_layers_that_there_are_not_says_so(browser, styled):
    show(browser, styled[1], "#show=mix&layers=5-9")
    assert "The link's layers must be FIRST-LAST from 0 to 7. Received: 5-9." in text(browser, "#error")


@pytest.mark.parametrize("width", WIDTHS)
def test_the_page_is_no_wider_than_the_screen(browser, styled, width):
    browser.resize(width, 800)
    show(browser, styled[1], MIX)
    assert browser.evaluate("document.documentElement.scrollWidth") <= width
