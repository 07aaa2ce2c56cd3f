"""`python -m biggan_tf.sample` as people run it: folders and .npz for other people's code, sheets, mistakes."""

import numpy as np
import pytest
from PIL import Image

from biggan_tf.config import to_dict
from biggan_tf.training import checkpoint_files
from biggan_tf.training.checkpoints import Checkpoints
from biggan_tf.training.gan import BigGAN
from tests.biggan_tf.training import tiny


@pytest.fixture(scope="module")
def workdir(tmp_path_factory):
    folder = str(tmp_path_factory.mktemp("run"))
    config = tiny.config()
    record = checkpoint_files.Record(3, 30, to_dict(config))
    Checkpoints(folder, config, BigGAN(config).state()).save(record)
    return folder


@pytest.mark.slow
def test_a_folder_and_an_npz_hold_the_same_images_and_the_seed_decides_them(commands, workdir, tmp_path):
    common = ("--kind=images", "--num=7", "--classes=2,0", "--truncation=0.5", "--seed=3")
    for output in (tmp_path / "folder", tmp_path / "images.npz"):
        done = commands.run("biggan_tf.sample", f"--workdir={workdir}", *common, "--batch_size=3", f"--output={output}")
        assert done.status == 0, done.stderr[-2000:]
        assert done.stdout.strip() == str(output)
    with np.load(tmp_path / "images.npz") as archive:
        images, labels = archive["arr_0"], archive["arr_1"]
    assert (images.dtype, images.shape) == (np.uint8, (7, 8, 8, 3))
    assert labels.tolist() == [2, 0, 2, 0, 2, 0, 2]
    files = sorted((tmp_path / "folder").rglob("*.png"), key=lambda path: path.name)
    assert [path.relative_to(tmp_path / "folder").as_posix() for path in files[:2]] == ["2/000000.png", "0/000001.png"]
    np.testing.assert_array_equal(np.stack([np.asarray(Image.open(path)) for path in files]), images)
    other = commands.run(
        "biggan_tf.sample", f"--workdir={workdir}", *common[:-1], "--seed=4", f"--output={tmp_path / 'other.npz'}"
    )
    assert other.status == 0, other.stderr[-2000:]
    with np.load(tmp_path / "other.npz") as archive:
        assert not np.array_equal(archive["arr_0"], images)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("flags", "text"),
    [
        (["--classes=7"], "a class index must be below 3. Received: 7"),
        (["--output=sheet.gif"], "must end in .png or .webp. Received: sheet.gif"),
        (["--kind=interpolate_class", "--classes=1"], "needs two classes or more"),
    ],
)
def test_a_mistake_is_one_clear_line(commands, workdir, flags, text):
    done = commands.run("biggan_tf.sample", f"--workdir={workdir}", *flags)
    assert done.status == 2
    assert text in done.stderr
    assert "Traceback" not in done.stderr
