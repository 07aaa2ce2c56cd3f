"""The whole job on real photographs: every runner, any number of workers, the same bytes; and TFDS reads them.

The data is not part of the project: BIGGAN_TF_SHARED (default ../shared) names the folder it is in.
"""

import collections
import io
import os
import pathlib
import subprocess
import sys
import tarfile

import numpy as np
import pytest
from PIL import Image

from tests.pipeline import archives, running

SHARED = pathlib.Path(os.environ.get("BIGGAN_TF_SHARED", "../shared")) / "data"
PHOTOGRAPHS = SHARED / "imagenet_samples_500.tar"
CIFAR = SHARED / "cifar10_train_jpeg.tar.gz"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not PHOTOGRAPHS.exists() or not CIFAR.exists(), reason=f"no {PHOTOGRAPHS} or {CIFAR}"),
    pytest.mark.filterwarnings("ignore:label.. is deprecated:DeprecationWarning"),  # TFDS's own
]


def run(output, *arguments):
    """In a process of its own, as a user would."""
    command = [sys.executable, "-m", "pipeline.preprocess", f"--output={output}", "--noprogress", *arguments]
    finished = subprocess.run(command, capture_output=True, text=True, timeout=500, check=False)
    assert finished.returncode == 0, finished.stdout + finished.stderr


@pytest.fixture(scope="module")
def photographs(tmp_path_factory):
    root = tmp_path_factory.mktemp("photographs")
    with tarfile.open(PHOTOGRAPHS) as archive:
        archive.extractall(root, filter="data")
    return root / "imagenet_samples"


def tfds_examples(folder, split):
    import tensorflow_datasets as tfds

    return list(tfds.builder_from_directory(str(folder)).as_dataset(split=split))


def test_class_folders_of_photographs_within_one_level_of_pillow(photographs, tmp_path):
    for name, arguments in (("one", ()), ("two", ("--direct_num_workers=2",)), ("direct", ("--runner=DirectRunner",))):
        run(tmp_path / name, "--source=folders", f"--input={photographs}", "--resolutions=64,128", *arguments)
        assert running.contents(tmp_path / name) == running.contents(tmp_path / "one")
    examples = tfds_examples(tmp_path / "one" / "128", "train")
    assert len(examples) == 500
    for example in examples:
        image = Image.open(photographs / example["image/filename"].numpy().decode()).convert("RGB")
        side = min(image.size)
        left, upper = round((image.width - side) / 2), round((image.height - side) / 2)
        square = image.crop((left, upper, left + side, upper + side))
        expected = np.asarray(square.resize((128, 128), Image.Resampling.BILINEAR)).astype(int)
        assert np.abs(example["image/encoded"].numpy() - expected).max() <= 1


def test_ilsvrc_shaped_tars_on_the_portable_runner(photographs, tmp_path):
    files = sorted(photographs.rglob("*.JPEG"))[:60]
    train = {file.parent.name: [(file.name, file.read_bytes())] for file in files}
    synsets = sorted(train)
    by_id = synsets[::-1]  # ILSVRC2012_ID is not the order of the synsets
    # Validation images must differ from those in train: the same photographs, mirrored.
    validation = []
    for number, file in enumerate(files, 1):
        buffer = io.BytesIO()
        Image.open(file).convert("RGB").transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(buffer, "JPEG")
        validation.append((f"ILSVRC2012_val_{number:08d}.JPEG", buffer.getvalue()))
    numbers = [by_id.index(synset) + 1 for synset in synsets]
    archives.write(tmp_path / "in", train, validation, numbers, by_id)
    arguments = ("--source=imagenet_tars", f"--input={tmp_path / 'in'}", "--resolutions=64")
    run(tmp_path / "local", *arguments)
    run(tmp_path / "portable", *arguments, *running.RUNNERS["PortableRunner"], "--sdk_worker_parallelism=2")
    assert running.contents(tmp_path / "local") == running.contents(tmp_path / "portable")
    made = running.load(tmp_path / "local", 64)
    assert made.label_names == tuple(synsets)
    for split in ("train", "validation"):
        examples = tfds_examples(tmp_path / "local" / "64", split)
        assert sorted(int(example["image/class/label"]) for example in examples) == list(range(60))
    for example in examples:  # the validation image of a class shows what its train image shows, mirrored
        number = int(example["image/filename"].numpy().decode()[-13:-5])
        assert example["image/class/synset"].numpy().decode() == synsets[number - 1]


def test_cifar_10_on_two_workers_and_twice(tmp_path):
    per_class = 500
    with tarfile.open(CIFAR) as archive:
        taken = collections.Counter()
        for member in archive:
            folder = os.path.dirname(member.name)
            taken[folder] += member.isfile()
            if taken[folder] <= per_class:
                archive.extract(member, tmp_path, filter="data")
    arguments = ("--source=folders", f"--input={tmp_path / 'cifar10'}", "--resolutions=32")
    run(tmp_path / "first", *arguments, "--direct_num_workers=2")
    run(tmp_path / "second", *arguments, *running.RUNNERS["PortableRunner"])
    assert running.contents(tmp_path / "first") == running.contents(tmp_path / "second")
    made = running.load(tmp_path / "first", 32)
    assert made.splits["train"].images_per_class == (per_class,) * 10
    import tensorflow_datasets as tfds

    builder = tfds.builder_from_directory(str(tmp_path / "first" / "32"))
    assert builder.info.splits["train"].num_examples == 10 * per_class
    assert builder.info.features["image/class/label"].names == list(made.label_names)
    image, label = next(iter(builder.as_dataset(split="train", as_supervised=True)))
    assert image.shape == (32, 32, 3)
    assert 0 <= int(label) < 10
