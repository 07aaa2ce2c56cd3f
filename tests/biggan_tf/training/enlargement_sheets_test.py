"""The sheets of a run that enlarges images."""

import numpy as np
import pytest
from PIL import Image

from biggan_tf.config import Config, DataConfig
from biggan_tf.training import enlargement_sheets
from biggan_tf.training.checkpoints.files import CheckpointError
from biggan_tf.training.checkpoints.loading import load_generator
from biggan_tf.training.enlargement_sheets import EnlargementSheets
from biggan_tf.training.gan import GAN
from tests.biggan_tf.families.super_resolution import smallest
from tests.biggan_tf.training import tiny
from tests.data import made_data
from tests.serving.export import saved_run


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    made_data.write(folder, num_shards=1, per_shard=12)
    return enlargement_sheets.first_images(DataConfig(path=str(folder)))


@pytest.fixture(scope="module")
def pixel_run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pixels")
    saved_run.save(folder, smallest.config())
    return str(folder)


def test_a_sheet_has_a_column_for_each_way_to_enlarge(images, pixel_run, tmp_path):
    gan = GAN(smallest.config())
    assert list(EnlargementSheets(gan, str(tmp_path), images).draw()) == [
        "input", "bicubic", "average", "in training", "truth"
    ]  # fmt: skip
    pixels = enlargement_sheets.pixel_generator(pixel_run, factor=2)
    sheets = EnlargementSheets(gan, str(tmp_path), images, pixels)
    grids = sheets.draw()
    assert list(grids) == ["input", "bicubic", "pixel loss", "average", "in training", "truth"]
    assert {grid.shape for grid in grids.values()} == {(8 * 8, 8, 3)}  # eight images below one another
    np.testing.assert_array_equal(grids["truth"][8:16], made_data.image_of(1, 1))
    enlarged = load_generator(pixel_run)[0].enlarge(gan.generator.reduce(images), sheets._keys)
    expected = np.clip(np.rint((np.asarray(enlarged) + 1.0) * 127.5), 0, 255)
    assert np.abs(grids["pixel loss"] - expected.reshape(64, 8, 3)).max() <= 1
    with Image.open(sheets.save(7, grids)) as sheet:
        assert sheet.size == (6 * (8 + 2), 32 + 64)


def test_a_run_that_does_not_enlarge_so_is_refused(pixel_run, tmp_path):
    with pytest.raises(CheckpointError, match=r"pixel_workdir must be a run that enlarges images 4 times.*enlarges 2"):
        enlargement_sheets.pixel_generator(pixel_run, factor=4)
    saved_run.save(tmp_path / "drawing", tiny.toy())
    with pytest.raises(CheckpointError, match="enlarges images 2 times"):
        enlargement_sheets.pixel_generator(str(tmp_path / "drawing"), factor=2)
    with pytest.raises(CheckpointError, match="without any; train there first"):
        enlargement_sheets.pixel_generator(str(tmp_path / "nothing"), factor=2)


def test_networks_that_enlarge_nothing_have_no_such_column():
    config = Config()
    config.monitoring.pixel_workdir = "runs/pixels"
    (problem,) = config.problems()
    assert problem.startswith("monitoring.pixel_workdir must be empty with networks that enlarge no images. Received:")
