"""Two classes mixed on the page, by a slider, with and without styles."""

import io

import numpy as np
import pytest
from PIL import Image

from biggan_tf.ops.pixels import to_bytes
from serving.client import GeneratorClient
from tests.serving.playground.page_test import DRAWN, focus, hash_of, pictures, show, text

MIX = "#show=classes&pair=0.4&share=0.25&seed=7&columns=2&truncation=0.6"


def levels(content):
    return np.asarray(Image.open(io.BytesIO(content)).convert("RGB")).astype(int)


def captions(browser):
    return browser.evaluate("[...document.querySelectorAll('#pictures h3')].map((x) => x.innerText)")


def test_the_mixture_is_drawn_from_the_shares_of_both_classes(browser, served):
    target, url = served
    show(browser, url, MIX)
    assert captions(browser) == ["75% circle, 25% ring", "circle", "ring"]
    shown = pictures(browser)
    with GeneratorClient(target) as client:
        assert shown[2:] == client.sample_png([0, 0, 4, 4], seeds=[7, 8, 7, 8], truncation=0.6)
        z = client.latents([7, 8], truncation=0.6)
        y = np.tile(np.float32([0.75, 0, 0, 0, 0.25, 0]), (2, 1))
        mixed = to_bytes(client.synthesize(z, y, np.float32([0.6, 0.6]))).numpy()
    np.testing.assert_array_equal([levels(picture) for picture in shown[:2]], mixed)
    assert len(set(shown)) == 6
    assert hash_of(browser).endswith("&" + MIX[1:])


def test_styles_are_those_of_mixed_classes(browser, styled):
    target, url = styled
    show(browser, url, "#show=classes&pair=2.1&share=0.5&seed=3&columns=1&truncation=0.9")
    shown = pictures(browser)
    with GeneratorClient(target, "style") as client:
        assert shown[1:] == client.sample_png([2, 1], seeds=[3, 3], truncation=0.9)
        z = client.latents([3], truncation=0.9)
        w = client.map(z, np.float32([[0, 0.5, 0.5]]), 0.9)
        assert shown[:1] == client.synthesize_styles_png(w, [3])


def test_the_slider_and_the_classes_are_set_by_keyboard(browser, served):
    show(browser, served[1], MIX)
    before = pictures(browser)
    focus(browser, "#share")
    browser.press("ArrowRight")
    browser.wait_for(f"location.hash.includes('share=0.26&') && {DRAWN}")
    assert text(browser, "#share-value") == "26%"
    spoken = browser.evaluate("document.getElementById('share').getAttribute('aria-valuetext')")
    assert spoken == "26% of the second class, 74% of the first"
    after = pictures(browser)
    assert after[:2] != before[:2]
    assert after[2:] == before[2:]
    focus(browser, "#second-class")
    browser.evaluate("document.getElementById('second-class').select()")
    browser.type("square")
    browser.press("Tab")
    browser.wait_for(f"location.hash.includes('pair=0.1&') && {DRAWN}")
    assert captions(browser)[0] == "74% circle, 26% square"
    focus(browser, "#first-class")
    browser.evaluate("document.getElementById('first-class').select()")
    browser.type("oval")
    browser.press("Tab")
    assert browser.evaluate("document.getElementById('first-class').validationMessage") == "There is no class oval."
    assert "pair=0.1&" in hash_of(browser)


def test_a_walk_begins_at_pictures_of_one_class_alone(browser, served):
    show(browser, served[1], MIX)
    visible = "document.getElementById('viewer-from').checkVisibility()"
    browser.evaluate("document.querySelectorAll('#pictures button')[0].click()")
    assert not browser.evaluate(visible)
    browser.evaluate("document.getElementById('viewer-close').click()")
    browser.evaluate("document.querySelectorAll('#pictures button')[5].click()")
    assert browser.evaluate(visible)
    browser.evaluate("document.getElementById('viewer-to').click()")
    browser.wait_for(f"location.hash.includes('to=4:8&') && {DRAWN}")


def test_a_model_without_classes_has_none_to_mix(browser, classless):
    show(browser, classless[1], "#show=classes&pair=0.0")
    assert "The link's show must be grid or walk or mix. Received: classes." in text(browser, "#error")
    assert not browser.evaluate("document.getElementById('classes-mode').checkVisibility()")


@pytest.mark.parametrize("pair", ["0", "0.6", "0.1.2", "a.b"])
def test_a_link_with_wrong_classes_says_so(browser, served, pair):
    show(browser, served[1], f"#show=classes&pair={pair}&share=2&columns=1")
    said = text(browser, "#error")
    assert f"The link's pair must be two numbers from 0 to 5, with a point between. Received: {pair}." in said
    assert "The link's share must be from 0 to 1. Received: 2." in said
