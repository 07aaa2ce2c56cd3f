"""Damaged archives: every image is listed with its label and content, or the run ends with an error that says where."""

import contextlib
import random

import pytest

from pipeline.errors import PipelineError, RejectedImageError
from pipeline.preprocessing.reading import ItemReader
from pipeline.preprocessing.settings import ExamplesConfig
from pipeline.sources import opening
from tests.pipeline import archives, pictures, running

SYNSETS = ("n00000001", "n00000002", "n00000003")
TRAIN, VALIDATION = "ILSVRC2012_img_train.tar", "ILSVRC2012_img_val.tar"


def content(seed):
    """Bytes that are no header, of 1 to 4 blocks."""
    draws = random.Random(seed)
    return bytes(draws.randrange(128, 256) for _ in range(draws.randint(1, 2000)))


@pytest.fixture
def folder(tmp_path):
    train = {
        synset: [(f"{synset}_{index}.JPEG", content(10 * number + index)) for index in range(6)]
        for number, synset in enumerate(SYNSETS)
    }
    validation = [(f"ILSVRC2012_val_{index:08d}.JPEG", content(100 + index)) for index in range(1, 7)]
    archives.write(tmp_path, train, validation, [1, 2, 3, 3, 2, 1], list(SYNSETS[::-1]))
    return tmp_path


def listed(folder):
    """{content: class} of all images; what is refused has its id for a content."""
    images = {}
    with contextlib.closing(ItemReader()) as reader:
        for item in opening.open_source(ExamplesConfig("imagenet_tars", str(folder))).items():
            try:
                # Zeros behind an image, which a larger size takes from the end of the archive, change no pixel.
                images[reader.read(item).rstrip(b"\0")] = item.class_name
            except RejectedImageError:
                images[item.example_id] = item.class_name
    return images


def outcome(folder, sound):
    """ "refused", or "complete": all images are there under their labels; or "lost"."""
    try:
        return "complete" if listed(folder) == sound else "lost"
    except PipelineError:
        return "refused"


def outcomes(folder, variants):
    """{outcome: how often} of variants, each (file name, bytes); the files are put back after each."""
    sound = listed(folder)
    counts = {"refused": 0, "complete": 0, "lost": 0}
    for name, damaged in variants:
        before = (folder / name).read_bytes()
        (folder / name).write_bytes(damaged)
        counts[outcome(folder, sound)] += 1
        (folder / name).write_bytes(before)
    return counts


def flipped(folder, count):
    draws = random.Random(0)
    borders = [(name, at) for name in (TRAIN, VALIDATION) for at in archives.headers((folder / name).read_bytes())]
    for _ in range(count):
        name, border = draws.choice(borders)
        damaged = bytearray((folder / name).read_bytes())
        damaged[border + draws.randrange(512)] ^= 1 << draws.randrange(8)
        yield name, bytes(damaged)


@pytest.mark.attack
def test_flipped_bits_of_headers_lose_no_image(folder, attack):
    counts = outcomes(folder, flipped(folder, 600))
    assert counts["lost"] == 0
    assert counts["refused"] > 550
    attack(
        "data",
        "one bit flipped in the headers of the training and validation archives",
        600,
        600 - counts["lost"],
        f"{counts['refused']} refused by name and place, {counts['complete']} without effect, 0 images lost",
    )


@pytest.mark.attack
def test_archive_cut_at_or_inside_any_header_is_refused(folder, attack):
    variants = []
    for name in (TRAIN, VALIDATION):
        data = (folder / name).read_bytes()
        for border in (*archives.headers(data), len(data.rstrip(b"\0")) // 512 * 512 + 512):
            variants.extend((name, data[: border + more]) for more in (-512, -1, 0, 1, 257, 512) if border + more >= 0)
    counts = outcomes(folder, variants)
    assert counts == {"refused": len(variants), "complete": 0, "lost": 0}
    attack("data", "archives cut at and inside of every header", len(variants), counts["refused"], "all refused")


def resized(folder):
    """Every header with every other number of blocks that the archive could hold, and its checksum put right."""
    for name in (TRAIN, VALIDATION):
        data = (folder / name).read_bytes()
        for border in archives.headers(data):
            size = int(data[border + 124 : border + 135], 8)
            for blocks in (*range(-4, 40), 1 << 24):
                wrong = size + 512 * blocks
                if blocks and wrong >= 0:
                    header = bytearray(data[border : border + 512])
                    header[124:136] = f"{wrong:011o}\0".encode()
                    yield name, data[:border] + archives.signed(header) + data[border + 512 :]


@pytest.mark.attack
def test_wrong_sizes_with_sound_checksums_lose_no_image(folder, attack):
    variants = list(resized(folder))
    counts = outcomes(folder, variants)
    assert counts["lost"] == 0
    assert counts["refused"] > 900
    attack(
        "data",
        "sizes in tar headers changed together with the checksum, so that members may hide others",
        len(variants),
        len(variants) - counts["lost"],
        f"{counts['refused']} refused, {counts['complete']} take zeros from the end of the archive, 0 images lost",
    )


def with_header(data, border, position, content):
    header = bytearray(data[border : border + 512])
    header[position : position + len(content)] = content
    return data[:border] + archives.signed(header) + data[border + 512 :]


def refusal(folder, name, damaged):
    (folder / name).write_bytes(damaged)
    with pytest.raises(PipelineError) as caught:
        listed(folder)
    return str(caught.value)


@pytest.mark.parametrize(
    ("renamed", "message"),
    [
        (b"n00000001.tar", "it holds n00000001.tar twice"),
        (b"x/n00000001.tar", "it holds two for n00000001"),
        (b"n00000009.tar", "must hold images of n00000009; it holds n00000002_0.JPEG"),
        (b"n00000002.rar", r"must hold one tar for each synset; it holds n00000002.rar"),
        (b"\0", "a member has a name of 0 bytes"),
    ],
)
def test_renamed_class_archive_is_refused(folder, renamed, message):
    data = (folder / TRAIN).read_bytes()
    border = data.index(b"n00000002.tar")
    assert message in refusal(folder, TRAIN, with_header(data, border, 0, renamed + bytes(20)))


def test_class_archive_that_became_a_link_or_a_folder_is_refused(folder):
    data = (folder / TRAIN).read_bytes()
    border = data.index(b"n00000002.tar")
    for kind in b"1235":
        assert "it holds n00000002.tar" in refusal(folder, TRAIN, with_header(data, border, 156, bytes([kind])))


def test_image_whose_name_comes_twice_is_refused(folder):
    data = (folder / TRAIN).read_bytes()
    border = data.index(b"n00000002_3.JPEG")
    message = refusal(folder, TRAIN, with_header(data, border, 0, b"n00000002_1.JPEG"))
    assert f"{TRAIN}:n00000002.tar must be a complete" in message
    assert "it holds n00000002_1.JPEG twice" in message


def test_blocks_of_zeros_count_as_the_end_only_in_pairs_and_at_the_end(folder):
    data = (folder / VALIDATION).read_bytes()
    end = len(data.rstrip(b"\0")) // 512 * 512 + 512
    assert "cut off" in refusal(folder, VALIDATION, data[:end])
    assert "cut off" in refusal(folder, VALIDATION, data[: end + 512])
    border = data.index(b"ILSVRC2012_val_00000004")
    assert "one block of zeros" in refusal(folder, VALIDATION, data[:border] + bytes(512) + data[border + 512 :])
    assert "more follows behind" in refusal(folder, VALIDATION, data[:border] + bytes(1024) + data[border:])
    assert "more follows behind" in refusal(folder, VALIDATION, data + b"x" + bytes(511))
    assert "no whole number of blocks" in refusal(folder, VALIDATION, data + b"x")
    assert "no whole number of blocks" in refusal(folder, VALIDATION, data + b"\0")
    assert "more zeros follow" in refusal(folder, VALIDATION, data + bytes(10_240))


def test_class_archive_without_images_is_an_error_and_shifts_no_label(folder, tmp_path):
    train = {synset: [(f"{synset}_1.JPEG", picture(number))] for number, synset in enumerate(SYNSETS)}
    archives.write(tmp_path / "in", {**train, SYNSETS[1]: []})
    with pytest.raises(PipelineError, match=r"Every class must have images; without any is 'n00000002'"):
        running.preprocess(tmp_path / "out", "imagenet_tars", input=str(tmp_path / "in"))


def picture(seed):
    return pictures.encoded(pictures.photograph(20, 24, seed), "JPEG")


@pytest.mark.parametrize("workers", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_member_that_hides_another_ends_the_run_by_name(tmp_path, workers):
    train = {
        synset: [(f"{synset}_{index}.JPEG", picture(8 * number + index)) for index in range(3)]
        for number, synset in enumerate(SYNSETS)
    }
    archives.write(tmp_path / "in", train)
    path = tmp_path / "in" / TRAIN
    data = path.read_bytes()
    border, behind = data.index(b"n00000002_0.JPEG"), data.index(b"n00000002_2.JPEG")
    path.write_bytes(with_header(data, border, 124, f"{behind - border - 512:011o}\0".encode()))
    arguments = [f"--direct_num_workers={workers}"] if workers > 1 else []
    with pytest.raises(PipelineError, match=r"n00000002_0\.JPEG holds the tar header of n00000002_1\.JPEG") as caught:
        running.preprocess(tmp_path / "out", "imagenet_tars", arguments, input=str(tmp_path / "in"))
    assert str(caught.value).startswith(f"{path} must hold images; ")
    assert str(caught.value).endswith("Download or copy the archive again.")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda data: data[: len(data) // 2], "must be the ILSVRC2012 development kit"),
        (lambda data: data + b"more", "must be the ILSVRC2012 development kit"),
        (lambda data: b"not gzip", "must be the ILSVRC2012 development kit"),
        (lambda data: archives.devkit(["n01"], ["1", "one"]), "must be a number a line. Received: b'one'"),
    ],
)
def test_damaged_devkit_is_refused(folder, damage, message):
    path = folder / "ILSVRC2012_devkit_t12.tar.gz"
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(PipelineError) as caught:
        listed(folder)
    assert message in str(caught.value)


@pytest.mark.attack
def test_devkit_with_flipped_bits_gives_the_same_labels_or_none(folder, attack):
    name = "ILSVRC2012_devkit_t12.tar.gz"
    data, draws = (folder / name).read_bytes(), random.Random(0)
    variants = []
    for _ in range(300):
        damaged = bytearray(data)
        damaged[draws.randrange(len(data))] ^= 1 << draws.randrange(8)
        variants.append((name, bytes(damaged)))
    counts = outcomes(folder, variants)
    assert counts["lost"] == 0
    attack(
        "data",
        "one bit flipped in the development kit, which holds the validation labels",
        300,
        300 - counts["lost"],
        f"{counts['refused']} refused, {counts['complete']} without effect, 0 labels changed",
    )
