from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from biggan_tf.evaluation.reports import animation

COLOURS = [(255, 0, 0), (0, 255, 0), (0, 0, 255)]
FRAMES = [Image.new("RGB", (12, 8), colour) for colour in COLOURS]


@pytest.mark.parametrize("name", ["walk.webp", "walk.gif"])
def test_frames_come_back_and_begin_again(name, tmp_path):
    animation.write(FRAMES, tmp_path / name, 40)
    with Image.open(tmp_path / name) as opened:
        assert opened.n_frames == 3
        assert opened.info["loop"] == 0
        for number, colour in enumerate(COLOURS):
            opened.seek(number)
            assert opened.convert("RGB").getpixel((3, 3)) == colour
            opened.load()
            assert opened.info["duration"] == 40


def test_another_name_is_a_folder_of_frames(tmp_path):
    animation.write(FRAMES, tmp_path / "walk", 40)
    names = sorted(Path(tmp_path / "walk").iterdir())
    assert [name.name for name in names] == ["00000.png", "00001.png", "00002.png"]
    np.testing.assert_array_equal(np.asarray(Image.open(names[2])), np.asarray(FRAMES[2]))
