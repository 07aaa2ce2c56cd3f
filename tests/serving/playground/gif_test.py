"""The page's GIF writer, its files read by Pillow, and the button that downloads a walk."""

import base64
import io
import json

import numpy as np
import pytest
from PIL import Image

from tests.serving.playground.page_test import pictures, show

_KEEP_BLOB = """
    window.saved = null;
    URL.createObjectURL = (blob) => { window.blob = blob; return "blob:kept"; };
    HTMLAnchorElement.prototype.click = function () { window.saved = this.download; };
"""
_READ_BLOB = """blob.arrayBuffer().then((data) =>
    btoa(Array.from(new Uint8Array(data), (byte) => String.fromCharCode(byte)).join("")))"""


@pytest.fixture
def page(browser, served):
    """The page, from whose origin gif.js can be imported."""
    show(browser, served[1], "#classes=0&columns=1")
    return browser


def encode(page, frames, order, frame_ms=150):
    """The file that gif.js writes of frames [N, H, W, 3]."""
    opaque = np.concatenate([frames, np.full((*frames.shape[:3], 1), 255, np.uint8)], axis=-1)
    data = [base64.b64encode(frame.tobytes()).decode() for frame in opaque]
    height, width = frames.shape[1:3]
    written = page.evaluate(
        f"""import("./gif.js").then(({{ encodeGif }}) => {{
            const bytes = (text) => Uint8ClampedArray.from(atob(text), (letter) => letter.charCodeAt(0));
            const frames = {json.dumps(data)}.map(bytes);
            const file = encodeGif(frames, {json.dumps(order)}, {width}, {height}, {frame_ms});
            return btoa(Array.from(file, (byte) => String.fromCharCode(byte)).join(""));
        }})"""
    )
    return base64.b64decode(written)


def decode(content):
    """The frames of a GIF, how long each is shown in milliseconds, and how often it is shown (0: for ever)."""
    with Image.open(io.BytesIO(content)) as opened:
        assert opened.format == "GIF"
        frames, durations, loop = [], [], opened.info["loop"]
        for number in range(opened.n_frames):
            opened.seek(number)
            frames.append(np.asarray(opened.convert("RGB")))
            durations.append(opened.info["duration"])
    return np.stack(frames), durations, loop


@pytest.mark.parametrize(
    ("colours", "size"),
    [(1, (1, 1)), (2, (7, 5)), (3, (1, 40)), (17, (33, 31)), (255, (64, 64)), (256, (128, 160))],
)
def test_a_picture_of_few_colours_keeps_each_pixel(page, colours, size):
    """The last one fills the table of 4,096 codes several times; the others end at all widths of a code."""
    draw = np.random.default_rng(colours)
    table = draw.choice(2**24, colours, replace=False)
    indices = draw.integers(0, colours, (3, *size))
    frames = np.stack([table >> 16, table >> 8 & 255, table & 255], axis=-1).astype(np.uint8)[indices]
    shown, durations, loop = decode(encode(page, frames, [0, 1, 2]))
    np.testing.assert_array_equal(shown, frames)
    assert (durations, loop) == ([150] * 3, 0)


def test_every_length_of_a_picture_is_read_to_its_last_pixel(page):
    """The end of the codes stands at each place of a byte, and right before and after a code grows wider."""
    draw = np.random.default_rng(3)
    for width in range(1, 70):
        frame = draw.integers(0, 2, (1, 1, width, 1)).astype(np.uint8) * np.uint8([200, 100, 50])
        np.testing.assert_array_equal(decode(encode(page, frame, [0]))[0], frame)


def test_a_picture_of_many_colours_is_as_near_as_pillows(page):
    y, x = np.mgrid[0:96, 0:96] / 95
    waves = np.stack([x, y, (np.sin(9 * x * y) + 1) / 2], axis=-1)
    frames = np.stack([waves, waves[::-1] ** 2]) * 255
    frames = np.clip(frames + np.random.default_rng(0).normal(0, 6, frames.shape), 0, 255).astype(np.uint8)
    assert len(np.unique(frames[0].reshape(-1, 3), axis=0)) > 5000
    shown, _, _ = decode(encode(page, frames, [0, 1]))
    for ours, frame in zip(shown, frames, strict=True):
        theirs = np.asarray(Image.fromarray(frame).quantize(256, Image.Quantize.MEDIANCUT, dither=0).convert("RGB"))
        errors = [np.mean((picture.astype(float) - frame) ** 2) for picture in (ours, theirs)]
        assert errors[0] < errors[1]


def test_a_walk_is_downloaded_as_it_is_played(browser, served):
    _, url = served
    show(browser, url, "#show=walk&from=0:3&to=4:8&frames=4")
    assert browser.evaluate("document.getElementById('download-gif').checkVisibility()")
    browser.evaluate(_KEEP_BLOB)
    browser.evaluate("document.getElementById('download-gif').click()")
    browser.wait_for("window.saved")
    assert browser.evaluate("[saved, blob.type]") == ["biggan-3-walk-truncation0.5.gif", "image/gif"]
    frames, durations, loop = decode(base64.b64decode(browser.evaluate(_READ_BLOB)))
    shown = [np.asarray(Image.open(io.BytesIO(picture)).convert("RGB")) for picture in pictures(browser)]
    expected = np.stack([*shown, shown[2], shown[1]])
    assert (durations, loop, frames.shape) == ([150] * 6, 0, expected.shape)
    # 1,024 pixels in 256 colours.
    difference = np.abs(frames.astype(int) - expected)
    assert difference.mean() < 4
    # Each frame is nearer to its own picture than to any other.
    distances = np.abs(frames[:4, None].astype(int) - expected[None, :4]).mean(axis=(2, 3, 4))
    np.testing.assert_array_equal(distances.argmin(axis=1), range(4))


def test_only_a_walk_is_offered_as_gif(browser, served):
    show(browser, served[1], "#show=grid&columns=1")
    assert not browser.evaluate("document.getElementById('download-gif').checkVisibility()")
