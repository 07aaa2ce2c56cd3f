"""The playground in a browser, against a generator that is really served."""

import base64
import datetime
import io
import json
import re

import numpy as np
import pytest
from PIL import Image

from biggan_tf.data import class_names
from biggan_tf.evaluation.sampling.sheet_plans import great_circle
from biggan_tf.ops.pixels import to_bytes
from serving.client import GeneratorClient
from tests.serving.playground.conftest import EXPORTED, NAMES

DRAWN = "!document.getElementById('actions').hidden && !document.querySelector('[aria-busy]')"
SOURCES = "[...document.querySelectorAll('#pictures img')].map((image) => image.src)"


def show(browser, url, hash=""):
    browser.open(url + hash)
    browser.wait_for(DRAWN)


def pictures(browser):
    return [base64.b64decode(source.partition(",")[2]) for source in browser.evaluate(SOURCES)]


def text(browser, selector):
    return browser.evaluate(f"document.querySelector('{selector}').innerText")


def focus(browser, selector):
    browser.evaluate(f"document.querySelector('{selector}').focus()")


def label():
    """How the page calls the model of `served`: with the date of its export in the zone of this machine."""
    return f"biggan, exported {datetime.datetime.fromisoformat(EXPORTED).astimezone():%-d %b %Y, %H:%M}"


def hash_of(browser):
    return browser.evaluate("location.hash")


def test_the_first_page_shows_classes_by_name(browser, served):
    _, url = served
    show(browser, url)
    assert (
        text(browser, "#about")
        == f"{label()}: 6 classes, 32 \N{MULTIPLICATION SIGN} 32 pixels, after 12,345 training images."
    )
    assert browser.evaluate("[...document.querySelectorAll('#pictures h3')].map((x) => x.innerText)") == NAMES[:4]
    assert text(browser, "#status") == "16 pictures."


def test_the_grid_is_what_the_client_gets(browser, served):
    target, url = served
    show(browser, url, "#show=grid&classes=5.1&seed=40&columns=3&truncation=0.7")
    with GeneratorClient(target) as client:
        expected = client.sample_png([5, 5, 5, 1, 1, 1], seeds=[40, 41, 42] * 2, truncation=0.7)
    shown = pictures(browser)
    assert shown == expected
    assert len(set(shown)) == 6
    alt = browser.evaluate("[...document.querySelectorAll('#pictures img')].map((image) => image.alt)")
    assert alt[1] == "cross, seed 41"


def test_the_link_reproduces_the_picture(browser, served):
    _, url = served
    show(browser, url, "#show=grid&classes=2.4&seed=7&columns=2&truncation=0.9")
    before, link = browser.evaluate(SOURCES), browser.evaluate("document.getElementById('link').value")
    assert link.startswith(url + "#model=biggan&version=3&show=grid&classes=2.4&seed=7&columns=2&truncation=0.9")
    show(browser, url, "#show=walk")
    show(browser, link)
    assert browser.evaluate(SOURCES) == before


def test_classes_are_chosen_and_removed_by_keyboard(browser, served):
    _, url = served
    show(browser, url, "#classes=0&columns=1")
    focus(browser, "#class-search")
    browser.type("Five pointed  STAR")
    browser.press("Enter")
    browser.wait_for(f"document.querySelectorAll('#pictures img').length === 2 && {DRAWN}")
    assert "classes=0.3" in hash_of(browser)
    assert text(browser, "#class-note") == "five-pointed star added."
    browser.type("circle or")
    browser.press("Enter")
    assert text(browser, "#class-note") == "There is no class circle or."
    focus(browser, "#chosen button")
    browser.press("Enter")
    browser.wait_for(f"document.querySelectorAll('#pictures img').length === 1 && {DRAWN}")
    assert "classes=3&" in hash_of(browser)
    assert browser.evaluate("document.activeElement.innerText") == "five-pointed star \N{MULTIPLICATION SIGN}"
    browser.press("Enter")
    browser.wait_for("document.getElementById('status').innerText === 'Choose a class.'")


def test_names_are_the_same_on_the_page_and_in_the_commands(browser, served):
    names = ("jack-o'-lantern", "great_white-shark", "-1", "temperature -5", "Ärger", "\u0663-\u0664")
    texts = (
        "jack o' lantern", "Jack-O'-Lantern", "great  WHITE shark", "great - white -shark", "-1", "_-1", "1", "--1",
        "- -1", "temperature_-5", "temperature 5", "ärger-", "\u0663 \u0664", "-\u0663 \u0664", "shark", "-",
    )  # fmt: skip
    show(browser, served[1], "#columns=1")
    # Of two classes of one name, it says that there are two.
    script = f"""import("./class_names.js").then(({{ labelOf }}) => {json.dumps(texts)}.map((text) =>
        {json.dumps(names)}.filter((name) => labelOf(text, [name, name])[1].startsWith("2 classes"))))"""
    plain = class_names._plain
    assert browser.evaluate(script) == [[name for name in names if plain(name) == plain(text)] for text in texts]


def test_truncation_and_seed_change_the_pictures(browser, served):
    _, url = served
    show(browser, url, "#classes=0&columns=2&seed=5")
    before = pictures(browser)
    focus(browser, "#truncation")
    browser.press("Home")
    browser.wait_for(f"location.hash.includes('truncation=0.02') && {DRAWN}")
    assert text(browser, "#truncation-value") == "0.02"
    assert pictures(browser) != before
    focus(browser, "#new-seed")
    browser.press(" ")
    browser.wait_for(f"!location.hash.includes('seed=5&') && {DRAWN}")


def test_a_number_that_cannot_be_is_refused(browser, served):
    _, url = served
    show(browser, url, "#columns=2")
    focus(browser, "#columns")
    browser.evaluate("document.getElementById('columns').select()")
    browser.type("99")
    browser.press("Tab")
    assert browser.evaluate("document.getElementById('columns').validationMessage") == "A whole number from 1 to 12."
    assert "columns=2" in hash_of(browser)


def test_the_walk_goes_from_one_picture_to_the_other(browser, served):
    target, url = served
    show(browser, url, "#show=walk&from=0:3&to=4:8&frames=5&truncation=0.6")
    shown = [np.asarray(Image.open(io.BytesIO(picture))) for picture in pictures(browser)]
    with GeneratorClient(target) as client:
        ends = client.sample([0, 4], seeds=[3, 8], truncation=0.6)
        z = client.latents([3, 8], truncation=0.6)
        y = np.zeros((1, 6), np.float32)
        y[0, [0, 4]] = 0.5
        middle = client.synthesize(great_circle(z[:1], z[1:], 0.5).astype(np.float32), y, np.float32([0.6]))
    np.testing.assert_array_equal(shown[0], ends[0])
    np.testing.assert_array_equal(shown[4], ends[1])
    # The browser computes in double precision, NumPy in single: a value may round to the next of 256 levels.
    assert np.abs(shown[2].astype(int) - to_bytes(middle).numpy()[0]).max() <= 1


def test_the_slider_moves_along_the_walk(browser, served):
    _, url = served
    show(browser, url, "#show=walk&from=0:3&to=4:8&frames=3")
    focus(browser, "#position")
    browser.press("ArrowRight")
    browser.press("ArrowRight")
    sources = browser.evaluate(SOURCES)
    assert browser.evaluate("document.getElementById('frame').src") == sources[2]
    said = browser.evaluate("document.getElementById('position').getAttribute('aria-valuetext')")
    assert said == "100% of the way from circle, seed 3 to ring, seed 8"
    browser.evaluate("document.querySelectorAll('#pictures button')[1].click()")
    assert browser.evaluate("document.getElementById('frame').src") == sources[1]
    assert browser.evaluate("document.getElementById('position').value") == "1"
    focus(browser, "#play")
    browser.press("Enter")
    assert text(browser, "#play") == "Stop"
    browser.wait_for(f"document.getElementById('frame').src === {sources[0]!r}")
    browser.press("Enter")
    assert text(browser, "#play") == "Play"


def test_a_picture_opens_and_begins_a_walk(browser, served):
    _, url = served
    show(browser, url, "#classes=1.2&seed=10&columns=2")
    focus(browser, "#pictures li:last-child button")
    browser.press("Enter")
    assert browser.evaluate("document.getElementById('viewer').open")
    assert text(browser, "#viewer-caption") == "square, seed 11"
    browser.press("Escape")
    browser.wait_for("!document.getElementById('viewer').open")
    assert browser.evaluate("document.activeElement.parentElement.parentElement.tagName") == "OL"
    browser.press("Enter")
    focus(browser, "#viewer-to")
    browser.press("Enter")
    browser.wait_for(f"location.hash.includes('show=walk') && {DRAWN}")
    assert "to=1:11" in hash_of(browser)
    assert browser.evaluate("document.getElementById('to-class').value") == "square"


@pytest.mark.parametrize(
    ("hash", "size", "name"),
    [
        ("#classes=0.1&columns=3&seed=9", (3 * 34 - 2, 2 * 56 - 2), "biggan-3-seed9-truncation0.5.png"),
        ("#show=walk&frames=4", (4 * 34 - 2, 32), "biggan-3-walk-truncation0.5.png"),
    ],
)
def test_the_sheet_is_downloaded_as_png(browser, served, hash, size, name):
    _, url = served
    show(browser, url, hash)
    browser.evaluate("HTMLAnchorElement.prototype.click = function () { window.saved = [this.download, this.href]; }")
    browser.evaluate("document.getElementById('download').click()")
    browser.wait_for("window.saved")
    content = browser.evaluate(
        "new Promise((done) => { const image = new Image(); image.onload = () => { const c ="
        " document.createElement('canvas'); c.width = image.width; c.height = image.height;"
        " c.getContext('2d').drawImage(image, 0, 0); done(c.toDataURL()); }; image.src = saved[1]; })"
    )
    sheet = Image.open(io.BytesIO(base64.b64decode(content.partition(",")[2]))).convert("RGB")
    assert browser.evaluate("saved[0]") == name
    assert sheet.size == size
    first = Image.open(io.BytesIO(pictures(browser)[0]))
    top = size[1] - 32 if "walk" in hash else 22
    np.testing.assert_array_equal(np.asarray(sheet.crop((0, top, 32, top + 32))), np.asarray(first))


def test_a_link_that_cannot_be_followed_says_why_and_shows_something(browser, served):
    _, url = served
    show(browser, url, "#seed=9007199254740001&columns=2")
    said = "The link's seed must be a whole number from 0 to 9007199254740000. Received: 9007199254740001."
    assert said in text(browser, "#error")
    show(browser, url, "#model=biggan&version=2&classes=0.77&seed=1&truncation=7&columns=2")
    said = text(browser, "#error")
    assert f"version 2, which is not served; this is {label()}, and the pictures may differ." in said
    assert "The link's classes must be numbers from 0 to 5, with points between. Received: 0.77." in said
    assert "The link's truncation must be from 0.02 to 1. Received: 7." in said
    assert "classes=0.1.2.3&seed=1&columns=2&truncation=0.5" in hash_of(browser)


def test_the_servers_error_is_shown(browser, served):
    _, url = served
    show(browser, url, "#classes=0&columns=1")
    browser.evaluate(
        "window.fetch = async () => new Response(JSON.stringify({error: 'no room'}), {status: 503, headers: {}})"
    )
    browser.evaluate("document.querySelector('button.main').click()")
    browser.wait_for("!document.getElementById('error').hidden")
    assert text(browser, "#error") == "The server answered 503: no room"
    browser.evaluate("window.fetch = async () => { throw new TypeError('failed'); }")
    browser.evaluate("document.querySelector('button.main').click()")
    browser.wait_for("document.getElementById('error').innerText === 'The server cannot be reached.'")


def test_only_the_newest_choice_is_drawn(browser, served):
    """Answers to an older choice arrive after the newer one was made, and change nothing."""
    _, url = served
    show(browser, url, "#classes=0&columns=1&seed=1")
    browser.evaluate("""(() => {
        const real = window.fetch;
        window.held = [];
        window.fetch = (...all) => new Promise((done, fail) => {
            window.held.push(() => real(...all).then(done, fail));
        });
    })()""")
    set_seed = (
        "document.getElementById('seed').value = {}; document.getElementById('seed').dispatchEvent(new Event('change'))"
    )
    browser.evaluate(set_seed.format(2))
    browser.wait_for("held.length === 1")
    browser.evaluate(set_seed.format(3))
    browser.wait_for("held.length === 2")
    browser.evaluate("setInterval(() => held.splice(0).forEach((go) => go()), 5)")
    browser.wait_for(DRAWN)
    target, _ = served
    with GeneratorClient(target) as client:
        assert pictures(browser) == client.sample_png([0], seeds=[3], truncation=0.5)
    assert browser.evaluate("document.getElementById('error').hidden")


def test_nothing_is_fetched_from_elsewhere(browser, served):
    _, url = served
    show(browser, url)
    fetched = browser.evaluate("performance.getEntriesByType('resource').map((entry) => entry.name)")
    assert [name for name in fetched if not re.match(rf"{url}|data:", name)] == []


def test_a_token_is_asked_for_and_kept_until_the_tab_is_closed(browser, guarded):
    url, token = guarded
    browser.open(url)
    browser.wait_for("!document.getElementById('token-form').hidden")
    assert browser.evaluate("document.activeElement.id") == "token"
    assert not browser.evaluate("document.getElementById('controls').checkVisibility()")
    browser.type("wrong")
    browser.press("Enter")
    browser.wait_for("document.getElementById('token-note').innerText === 'The server does not know this token.'")
    browser.type(token)
    browser.press("Enter")
    browser.wait_for(DRAWN)
    assert browser.evaluate("document.getElementById('token-form').hidden")
    show(browser, url, "#columns=1")
    assert len(pictures(browser)) == 4
    assert browser.evaluate("localStorage.length + document.cookie.length") == 0
    assert token not in browser.evaluate("location.href")
    browser.evaluate("sessionStorage.clear()")
    # A browser reports each answer 401 as a problem of the page.
    refused = [problem for problem in browser.problems if "401" in problem]
    assert len(refused) == 2
    browser.problems.clear()
