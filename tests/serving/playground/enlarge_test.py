"""The page with a model that enlarges pictures: a picture of the reader's own, before and after, and the divider."""

import base64
import io
import json
import urllib.request

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from serving import signatures as s
from serving.client import GeneratorClient
from serving.export.served_enlarger import ServedEnlarger
from serving.input_limits import of_pictures, to_json
from tests.biggan_tf.families.super_resolution.networks_test import roused
from tests.free_port import free_port
from tests.serving.embedded import running
from tests.serving.playground.page_test import text

SHOWN = "!document.getElementById('comparison').hidden && !document.querySelector('[aria-busy]')"
REFUSED = "!document.getElementById('enlarge-error').hidden && !document.querySelector('[aria-busy]')"


def picture(size=(24, 40)):
    file = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (*size, 3)).astype(np.uint8)).save(file, "WEBP")
    return file.getvalue()


@pytest.fixture(scope="module")
def enlarging(tmp_path_factory):
    """The gRPC target and the playground's address of a server with a model that enlarges."""
    base, port = tmp_path_factory.mktemp("enlarging"), free_port()
    module = ServedEnlarger(roused(), tile=48)
    tf.saved_model.save(module, str(base / "1"), signatures=module.functions())
    assets = base / "1" / "assets"
    (assets / s.LIMITS_ASSET).write_text(to_json(of_pictures(s.MAX_PICTURE_PIXELS)))
    (assets / s.PROVENANCE_ASSET).write_text(json.dumps({"sizes": {"enlargement": 2}}))
    with running(model_name="large", model_base_path=str(base), playground_port=port) as (_, target):
        yield target, f"http://127.0.0.1:{port}/"


def choose(browser, content, name="photo.webp"):
    browser.evaluate(
        f"""(() => {{
            const bytes = Uint8Array.from(atob("{base64.b64encode(content).decode()}"), (c) => c.charCodeAt(0));
            const chosen = new DataTransfer();
            chosen.items.add(new File([bytes], "{name}"));
            document.getElementById("enlarge-file").files = chosen.files;
            document.getElementById("enlarge-file").dispatchEvent(new Event("change"));
        }})()"""
    )


def opened(browser, url):
    browser.open(url)
    browser.wait_for("!document.getElementById('enlarge').hidden")


def value(browser):
    return browser.evaluate("document.getElementById('divider-place').value")


def test_the_page_is_told_of_the_enlargement(enlarging):
    with urllib.request.urlopen(f"{enlarging[1]}playground/models.json") as answer:
        (model,) = json.load(answer)
    assert model == {"name": "large", "version": 1, "problem": "", "enlargement": 2, "exported": None}


def test_a_picture_is_enlarged_as_by_the_client(browser, enlarging):
    target, url = enlarging
    opened(browser, url)
    assert text(browser, "#about") == "large, version 1, enlarges pictures 2 times."
    assert not browser.evaluate("document.getElementById('controls').checkVisibility()")
    choose(browser, picture())
    browser.wait_for(SHOWN)
    source = browser.evaluate("document.getElementById('after').src")
    with GeneratorClient(target, "large") as client:
        assert [base64.b64decode(source.partition(",")[2])] == client.upscale([picture()], [0])
    assert text(browser, "#enlarge-status") == "80 \N{MULTIPLICATION SIGN} 48 pixels."
    shown = browser.evaluate(
        "['before', 'after'].map((id) => { const r = document.getElementById(id).getBoundingClientRect();"
        " return [r.left, r.top, r.width, r.height].map(Math.round); })"
    )
    assert shown[0] == shown[1]


def test_the_divider_moves_by_keyboard_and_by_dragging(browser, enlarging):
    opened(browser, enlarging[1])
    choose(browser, picture())
    browser.wait_for(SHOWN)
    browser.evaluate("document.getElementById('divider-place').focus()")
    browser.press("ArrowRight")
    assert value(browser) == "51"
    left, width = browser.evaluate(
        "(() => { const r = document.getElementById('compare').getBoundingClientRect(); return [r.left, r.width]; })()"
    )
    top = browser.evaluate("document.getElementById('compare').getBoundingClientRect().top") + 5
    for kind, share in (("mousePressed", 0.2), ("mouseMoved", 0.75), ("mouseReleased", 0.75)):
        x = left + share * width
        browser.call("Input.dispatchMouseEvent", type=kind, x=x, y=top, button="left", buttons=1, clickCount=1)
        if kind == "mousePressed":
            assert value(browser) == "20"
    assert value(browser) == "75"
    place = browser.evaluate("getComputedStyle(document.getElementById('after')).clipPath")
    assert "75%" in place
    spoken = browser.evaluate("document.getElementById('divider-place').getAttribute('aria-valuetext')")
    assert spoken == "Before on 75% of the width, after on the rest"


def test_a_file_that_is_no_picture_is_told(browser, enlarging):
    opened(browser, enlarging[1])
    choose(browser, b"no picture", "notes.txt")
    browser.wait_for(REFUSED)
    assert "must be PNG, JPEG or WebP files" in text(browser, "#enlarge-error")
    choose(browser, picture())
    browser.wait_for(SHOWN)
    assert text(browser, "#enlarge-error") == ""
    browser.problems.clear()  # the browser notes the status 400 in its log


HOLD = """(() => {
    const real = window.fetch;
    window.held = [];
    window.fetch = (...all) => new Promise((done, fail) => {
        window.held.push(() => real(...all).then(done, fail));
        all[1].signal.addEventListener("abort", () => fail(all[1].signal.reason));
    });
})()"""
LARGEST_SEED = 9007199254740000


def enter_seed(browser, seed):
    browser.evaluate(
        f"document.getElementById('enlarge-seed').value = '{seed}';"
        "document.getElementById('enlarge-seed').dispatchEvent(new Event('change'))"
    )


@pytest.mark.parametrize("given_up", ["file", "seed"])
def test_a_picture_that_is_given_up_is_no_longer_said_to_be_enlarged(browser, enlarging, given_up):
    opened(browser, enlarging[1])
    browser.evaluate(HOLD)
    choose(browser, picture())
    browser.wait_for("held.length === 1")
    assert text(browser, "#enlarge-status") == "Enlarging photo.webp …"
    if given_up == "file":
        browser.evaluate(
            "document.getElementById('enlarge-file').value = '';"
            "document.getElementById('enlarge-file').dispatchEvent(new Event('change'))"
        )
    else:
        enter_seed(browser, LARGEST_SEED + 1)
        said = f"The seed must be a whole number from 0 to {LARGEST_SEED}."
        assert text(browser, "#enlarge-error") == said
    browser.evaluate("held[0]()")
    browser.wait_for("!document.querySelector('[aria-busy]')")
    assert text(browser, "#enlarge-status") == ""
    assert browser.evaluate("document.getElementById('comparison').hidden")
    enter_seed(browser, LARGEST_SEED)
    if given_up == "seed":
        browser.wait_for("held.length === 2")
        browser.evaluate("held[1]()")
        browser.wait_for(SHOWN)


@pytest.mark.parametrize("width", [320, 1280])
def test_the_page_is_as_wide_as_the_screen_and_its_controls_have_names(browser, enlarging, width):
    browser.resize(width, 844)
    opened(browser, enlarging[1])
    choose(browser, picture((30, 400)))
    browser.wait_for(SHOWN)
    assert browser.evaluate("document.documentElement.scrollWidth") <= width
    unnamed = browser.evaluate(
        "[...document.querySelectorAll('#enlarge input, #enlarge select')].filter((x) => !x.labels.length)"
        ".map((x) => x.id)"
    )
    assert unnamed == []
