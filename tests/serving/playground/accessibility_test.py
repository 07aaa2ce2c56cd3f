"""The playground for a keyboard, a screen reader, a phone and weak eyes."""

import importlib.resources
import re

import pytest

from tests.serving.playground.page_test import DRAWN, focus, show

ROLES = {"button", "textbox", "combobox", "slider", "radio", "spinbutton", "image", "link"}


def nodes(browser):
    for node in browser.call("Accessibility.getFullAXTree")["nodes"]:
        if not node.get("ignored"):
            yield node.get("role", {}).get("value"), node.get("name", {}).get("value", "")


@pytest.mark.parametrize("hash", ["#show=grid&columns=1", "#show=classes&columns=1", "#show=walk&frames=3"])
def test_every_control_and_picture_has_a_name(browser, served, hash):
    show(browser, served[1], hash)
    found = [(role, name) for role, name in nodes(browser) if role in ROLES]
    assert len(found) > 10
    assert [role for role, name in found if not name.strip()] == []


@pytest.mark.parametrize("width", [1280, 360])
@pytest.mark.parametrize("hash", ["#show=grid&columns=1&classes=0.1", "#show=classes&columns=1", "#show=walk&frames=3"])
def test_tab_reaches_every_control_and_shows_where_it_is(browser, served, hash, width):
    browser.resize(width, 900)
    show(browser, served[1], hash)
    browser.evaluate("document.activeElement.blur()")
    reached = []
    for _ in range(40):
        browser.press("Tab")
        reached.append(browser.evaluate("document.activeElement.id || document.activeElement.innerText"))
        outline = browser.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        assert outline != "none" or browser.evaluate("document.activeElement === document.body"), reached[-1]
    wanted = browser.evaluate(
        "[...document.querySelectorAll('button, input, select')]"
        ".filter((x) => x.checkVisibility() && x.id).map((x) => x.id)"
    )
    assert len(wanted) > 8
    assert set(wanted) <= set(reached)


PLACES = """["results", "controls"].map((id) => {
    const place = document.getElementById(id).getBoundingClientRect();
    return [place.left, place.top].map(Math.round);
})"""


def test_the_pictures_come_first_on_a_phone_for_the_eye_and_the_tab_key(browser, served):
    """What comes first on the screen comes first in the page, where the tab key and screen readers go by."""
    pictures_follow = (
        "!!(document.getElementById('controls').compareDocumentPosition(document.getElementById('results')) & 4)"
    )
    show(browser, served[1], "#columns=3")
    (left, top), (form_left, form_top) = browser.evaluate(PLACES)
    assert (left > form_left, top == form_top) == (True, True)
    assert browser.evaluate(pictures_follow)
    focus(browser, "#pictures button")
    browser.resize(360, 780)
    browser.wait_for("document.getElementById('drawing').firstElementChild.id === 'results'")
    (left, top), (form_left, form_top) = browser.evaluate(PLACES)
    assert (left == form_left, top < form_top) == (True, True)
    assert browser.evaluate("document.querySelector('#pictures img').getBoundingClientRect().top + scrollY") < 390
    assert not browser.evaluate(pictures_follow)
    assert browser.evaluate("document.activeElement === document.querySelector('#pictures button')")
    focus(browser, "#to-controls")
    browser.press("Enter")
    assert browser.evaluate("document.activeElement.name") == "show"
    assert browser.evaluate("document.getElementById('controls').getBoundingClientRect().top") < 780 / 2
    browser.resize(1280, 900)
    browser.wait_for("document.getElementById('drawing').lastElementChild.id === 'results'")


@pytest.mark.parametrize("width", [320, 390, 1280])
@pytest.mark.parametrize("hash", ["#show=grid&columns=12", "#show=classes&columns=12", "#show=walk&frames=33"])
def test_the_page_is_as_wide_as_the_screen(browser, served, width, hash):
    browser.resize(width, 844)
    show(browser, served[1], hash)
    assert browser.evaluate("document.documentElement.scrollWidth") <= width


def test_fingers_find_the_controls(browser, served):
    browser.resize(390, 844)
    show(browser, served[1])
    small = browser.evaluate(
        "[...document.querySelectorAll('button, select, input:not([type=radio])')].filter((x) => x.checkVisibility())"
        ".filter((x) => x.getBoundingClientRect().height < 36).map((x) => x.id || x.innerText)"
    )
    assert small == []


def colours():
    css = (importlib.resources.files("serving") / "playground" / "playground.css").read_text()
    light, dark = [dict(re.findall(r"--([\w-]+): (#\w{6});", part)) for part in css.split("prefers-color-scheme")[:2]]
    return [light, dark]


def luminance(colour):
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("scheme", colours(), ids=["light", "dark"])
def test_contrast_is_what_wcag_asks_for(scheme):
    pairs = [(text, back, 4.5) for text in ("text", "faint", "error") for back in ("back", "panel")]
    pairs += [("on-accent", "accent", 4.5), ("line", "back", 3), ("line", "panel", 3), ("accent", "back", 3)]
    for first, second, least in pairs:
        high, low = sorted((luminance(scheme[first]), luminance(scheme[second])), reverse=True)
        assert (high + 0.05) / (low + 0.05) >= least, (first, second)


def test_a_dark_page_is_dark(browser, served):
    browser.resize(390, 844, dark=True)
    show(browser, served[1], "#columns=1")
    browser.wait_for(DRAWN)
    assert browser.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(15, 23, 42)"
