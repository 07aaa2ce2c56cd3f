import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from biggan_tf.training.gan import GAN
from biggan_tf.training.sample_sheets import SampleSheets
from tests.biggan_tf.training import tiny


@pytest.fixture(scope="module")
def gan():
    return GAN(tiny.config())


def test_a_sheet_shows_a_class_in_each_row_the_same_latents_each_time(gan, tmp_path):
    sheets = SampleSheets(gan, str(tmp_path), ["cat", "dog", "hen"])
    grids = sheets.draw()
    assert set(grids) == {"average", "in training"}
    assert grids["average"].shape == (3 * 10, 8 * 10, 3)  # 8 pixels and a gap
    for name, grid in SampleSheets(gan, str(tmp_path)).draw().items():
        np.testing.assert_array_equal(grid, grids[name])
    z = sheets._z[8:16]
    expected = gan.ema_generator((z, gan.ema_generator.embed(tf.constant([1] * 8))), training=False)
    expected = np.rint((np.asarray(expected)[3] + 1) * 127.5)
    shown = grids["average"][10:18, 30:38]
    assert np.abs(shown - expected).max() <= 1


def test_a_sheet_is_written_whole_under_the_steps_number(gan, tmp_path):
    sheets = SampleSheets(gan, str(tmp_path / "samples"), ["cat", "dog", "hen"])
    path = sheets.save(12, sheets.draw())
    assert path.endswith("samples/step-00000012.png")
    assert [file.name for file in (tmp_path / "samples").iterdir()] == ["step-00000012.png"]
    plain = SampleSheets(gan, str(tmp_path / "plain"))
    with Image.open(path) as named, Image.open(plain.save(12, plain.draw())) as bare:
        assert named.size[0] > bare.size[0]  # room for the names of the classes
