"""`python -m biggan_tf.sample` as people run it: folders and .npz for other people's code, sheets, mistakes."""

import itertools
import json
import os
import zipfile

import numpy as np
import pytest
from PIL import Image, ImageSequence

from biggan_tf.config import to_dict
from biggan_tf.training.checkpoints import files as checkpoint_files
from biggan_tf.training.checkpoints.saving import Checkpoints
from biggan_tf.training.gan import GAN
from tests.biggan_tf.families.biggan import hub_port
from tests.biggan_tf.presets import saved_preset
from tests.biggan_tf.training import tiny


@pytest.fixture(scope="module")
def workdir(tmp_path_factory):
    folder = str(tmp_path_factory.mktemp("run"))
    config = tiny.config()
    record = checkpoint_files.CheckpointSummary(3, 30, to_dict(config))
    Checkpoints(folder, config, GAN(config).state()).save(record)
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
    done = commands.run("biggan_tf.sample", f"--workdir={workdir}", *common, f"--output={tmp_path / 'images.zip'}")
    assert done.status == 0, done.stderr[-2000:]
    with zipfile.ZipFile(tmp_path / "images.zip") as archive:
        assert archive.namelist()[:2] == ["2/000000.png", "0/000001.png"]
        first = np.asarray(Image.open(archive.open("2/000000.png")))
    assert np.max(np.abs(first.astype(int) - images[0])) <= 1  # batches of another size round otherwise
    other = commands.run(
        "biggan_tf.sample", f"--workdir={workdir}", *common[:-1], "--seed=4", f"--output={tmp_path / 'other.npz'}"
    )
    assert other.status == 0, other.stderr[-2000:]
    with np.load(tmp_path / "other.npz") as archive:
        assert not np.array_equal(archive["arr_0"], images)


@pytest.mark.slow
def test_a_walk_is_an_animation_or_a_folder_of_its_frames(commands, workdir, tmp_path):
    common = ("--kind=walk", "--rows=1", "--columns=2", "--frames=6", "--seed=3", "--truncation=0.5")
    shown = {}
    for name in ("walk.webp", "walk.gif", "walk"):
        output = tmp_path / name
        done = commands.run("biggan_tf.sample", f"--workdir={workdir}", *common, f"--output={output}")
        assert done.status == 0, done.stderr[-2000:]
        assert done.stdout.strip() == str(output)
        if output.is_dir():
            frames = [Image.open(file) for file in sorted(output.iterdir())]
        else:
            with Image.open(output) as opened:
                assert opened.n_frames == 6
                assert opened.info["loop"] == 0
                frames = list(ImageSequence.all_frames(opened))
        shown[name] = np.stack([np.asarray(frame.convert("RGB")) for frame in frames]).astype(int)
    frames = shown["walk"]
    assert len(frames) == 6
    np.testing.assert_array_equal(shown["walk.webp"], frames)  # WebP without loss
    assert np.abs(shown["walk.gif"] - frames).mean() < 4  # GIF has 256 colours
    assert all(not np.array_equal(a, b) for a, b in itertools.pairwise(frames))


@pytest.mark.slow
def test_standing_statistics_are_measured_with_a_bar_and_kept_for_the_next_call(commands, workdir, tmp_path):
    def drawn(name, *flags):
        flags = (f"--workdir={workdir}", "--kind=images", "--num=4", *flags, f"--output={tmp_path / name}")
        done = commands.run("biggan_tf.sample", *flags)
        assert done.status == 0, done.stderr[-2000:]
        with np.load(tmp_path / name) as archive:
            return archive["arr_0"], "standing statistics: 100%" in done.stderr

    first, is_measured = drawn("first.npz", "--truncation=0.7")
    again, is_measured_again = drawn("again.npz", "--truncation=0.7")
    assert (is_measured, is_measured_again) == (True, False)
    np.testing.assert_array_equal(first, again)
    few, is_measured = drawn("few.npz", "--truncation=0.7", "--standing=2")
    assert is_measured
    assert np.any(few != first)
    _, is_measured = drawn("training.npz", "--truncation=0.7", "--standing=0")
    assert not is_measured
    _, is_measured = drawn("none.npz")
    assert not is_measured


@pytest.mark.slow
@pytest.mark.parametrize(
    ("flags", "text"),
    [
        (["--classes=7"], "a class index must be below 3. Received: 7"),
        (["--output=sheet.gif"], "must end in .png or .webp. Received: sheet.gif"),
        (["--kind=interpolate_class", "--classes=1"], "needs two classes or more"),
        (["--kind=walk", "--output=walk.mp4"], "must end in .webp or .gif, or be a folder. Received: walk.mp4"),
        (["--kind=mixing"], "styles w, such as a StyleGAN. Received: biggan"),
        (["--truncation_cutoff=2"], "A cutoff needs a family that truncates styles"),
    ],
)
def test_a_mistake_is_one_clear_line(commands, workdir, flags, text):
    done = commands.run("biggan_tf.sample", f"--workdir={workdir}", *flags)
    assert done.status == 2
    assert text in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(("flags", "named"), [((), "sheet.png"), (("--output=images.GIF",), "images.GIF")])
def test_single_images_go_to_no_file_of_one_picture(commands, tmp_path, flags, named):
    done = commands.run("biggan_tf.sample", "--workdir=x", "--kind=images", *flags, cwd=tmp_path)
    assert done.status == 2
    assert f"--output of images must be a folder, or end in .zip or .npz. Received: {named};" in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "output"),
    [
        ("../../x", "a/b/folder"),
        ("../../x", "images.zip"),
        ("ABSOLUTE", "folder"),
        ("a\\b", "images.ZIP"),
        ("..", "folder"),
        ("", "folder"),
        ("a\0b", "images.zip"),
    ],
)
def test_no_class_of_a_preset_is_a_place_outside_of_the_output(commands, tmp_path, name, output):
    outside = tmp_path / "outside"
    saved_preset.save(tmp_path / "preset", names=("ant", "bee", str(outside) if name == "ABSOLUTE" else name))
    before = sorted(tmp_path.rglob("*"))
    flags = (f"--weights={tmp_path / 'preset'}", "--kind=images", "--num=1", "--standing=0")
    done = commands.run("biggan_tf.sample", *flags, f"--output={tmp_path / output}")
    assert done.status == 2
    assert "each class must have a name that a folder can have" in done.stderr
    assert "Traceback" not in done.stderr
    assert sorted(tmp_path.rglob("*")) == before, "nothing was drawn"


def test_names_of_classes_are_no_matter_to_an_archive_of_arrays(commands, tmp_path):
    saved_preset.save(tmp_path / "preset", names=("ant", "bee", "../x"))
    flags = (f"--weights={tmp_path / 'preset'}", "--kind=images", "--num=2", "--standing=0")
    done = commands.run("biggan_tf.sample", *flags, f"--output={tmp_path / 'images.NPZ'}")
    assert done.status == 0, done.stderr[-2000:]
    with np.load(tmp_path / "images.NPZ") as archive:
        assert archive["arr_0"].shape == (2, 8, 8, 3)


@pytest.mark.slow
@pytest.mark.parametrize("command", ["biggan_tf.sample", "biggan_tf.evaluate"])
@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"layers": 5}, '"layers"'),
        ({"channel_width": 10**9}, '"channel_width"'),
        ({"n_stats": None}, '"n_stats"'),
    ],
)
def test_a_hostile_config_of_published_weights_is_one_line(commands, tmp_path, command, changes, text):
    hub_port.write(tmp_path, hub_port.small_generator())
    (tmp_path / "config.json").write_text(json.dumps({**hub_port.SETTINGS, **changes}))
    done = commands.run(command, f"--weights={tmp_path}")
    assert done.status == 2
    assert "Traceback" not in done.stderr
    line = done.stderr.strip().splitlines()[-1]
    assert text in line
    assert f"{tmp_path / 'config.json'} must " in line


@pytest.mark.slow
def test_weights_that_are_no_file_are_one_line(commands, tmp_path):
    hub_port.write(tmp_path, hub_port.small_generator())
    (tmp_path / "pytorch_model.bin").unlink()
    os.mkfifo(tmp_path / "pytorch_model.bin")
    (tmp_path / "empty").mkdir()
    for weights, text in (
        (tmp_path, "it is no regular file"),
        (tmp_path / "empty", "Received: No such file or directory"),
        (tmp_path / "missing.pth", "must be a file or folder that is there"),
        (tmp_path / "pytorch_model.bin", "it is no regular file"),
    ):
        done = commands.run("biggan_tf.sample", f"--weights={weights}")
        assert (done.status, "Traceback" in done.stderr) == (2, False)
        assert text in done.stderr.strip().splitlines()[-1]
