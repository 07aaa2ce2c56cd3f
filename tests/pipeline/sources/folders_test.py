"""Hostile folders: nothing is opened that is no file, listed twice, or missing without a word."""

import contextlib
import json
import os
import shutil
import socket
import tempfile
import time

import pytest
import tensorflow as tf

from pipeline.errors import PipelineError, RejectedImageError
from pipeline.preprocessing.reading import ItemReader
from pipeline.preprocessing.settings import ExamplesConfig
from pipeline.sources import names, opening
from pipeline.sources.item import FILE, REFUSED, Item
from tests.pipeline import running


def listed(source, path, **flags):
    """{id: reason of the refusal, or "" for a file} and what was left out."""
    opened = opening.open_source(ExamplesConfig(source, os.fspath(path), **flags))
    items = list(opened.items())
    assert len({item.example_id for item in items}) == len(items)
    return {item.example_id: item.detail for item in items}, {k: v for k, v in opened.left_out.items() if v}


def reading(item, **options):
    with contextlib.closing(ItemReader(**options)) as reader:
        return reader.read(item)


def touch(root, *paths):
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(b"image")


def add_socket(path):
    before = os.getcwd()
    os.chdir(path.parent)  # addresses of sockets are short
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(path.name)
    os.chdir(before)


def write_special(folder):
    """Puts everything into a folder that is no file and no folder."""
    os.mkfifo(folder / "pipe.png")
    (folder / "zero.png").symlink_to("/dev/zero")
    (folder / "to_pipe.png").symlink_to(folder / "pipe.png")
    add_socket(folder / "socket.png")
    special = ["pipe.png", "zero.png", "to_pipe.png", "socket.png"]
    with contextlib.suppress(PermissionError):
        os.mknod(folder / "null.png", 0o600 | 0o020000, os.makedev(1, 3))
        special.append("null.png")
    return special


def long_folder(root, levels):
    """Makes folders inside of each other whose path is longer than the system takes, with an image in the last."""
    descriptor = os.open(root, os.O_RDONLY)
    for _ in range(levels):
        os.mkdir("x" * 250, dir_fd=descriptor)
        below = os.open("x" * 250, os.O_RDONLY, dir_fd=descriptor)
        os.close(descriptor)
        descriptor = below
    with os.fdopen(os.open("a.png", os.O_WRONLY | os.O_CREAT, dir_fd=descriptor), "wb") as file:
        file.write(b"image")
    os.close(descriptor)


@pytest.mark.timeout(60)
def test_pipes_sockets_and_devices_are_listed_as_rejected_and_never_opened(tmp_path):
    touch(tmp_path, "a/1.png", "b/2.png")
    special = write_special(tmp_path / "b")
    items, _ = listed("folders", tmp_path)
    assert items == {"a/1.png": "", "b/2.png": "", **{f"b/{name}": "special_file" for name in special}}


@pytest.mark.timeout(60)
def test_file_that_became_a_pipe_after_it_was_listed_is_rejected(tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    for path in (tmp_path / "pipe.png", "/dev/zero", tmp_path):
        with pytest.raises(RejectedImageError, match="it is a pipe, a socket, a device or a folder") as caught:
            reading(Item("a", "train", "a", FILE, str(path)))
        assert caught.value.reason == "special_file"


def test_links_to_nowhere_and_to_themselves_are_rejected_when_they_are_read(tmp_path):
    (tmp_path / "nowhere.png").symlink_to(tmp_path / "missing")
    (tmp_path / "itself.png").symlink_to(tmp_path / "itself.png")
    for name in ("nowhere.png", "itself.png"):
        with pytest.raises(RejectedImageError) as caught:
            reading(Item("a", "train", "a", FILE, str(tmp_path / name)))
        assert caught.value.reason == "unreadable"


@pytest.mark.timeout(60)
def test_each_real_folder_is_listed_once_whatever_links_lead_to_it(tmp_path):
    touch(tmp_path, "in/a/1.png", "in/b/deep/2.png", "store/s1/3.png", "store/s2/4.png")
    for name, target in (
        ("a/self", "in/a"), ("b/self", "in/b"), ("b/up", "in"), ("b/above", "."), ("b/deep/over", "in/b/deep"),
        ("a/other", "in/b/deep"), ("a/store", "store/s1"), ("b/store", "store"), ("b/z", "store/s2"), ("b/root", "/"),
    ):  # fmt: skip
        (tmp_path / "in" / name).symlink_to(tmp_path / target if target != "/" else "/")
    items, _ = listed("folders", tmp_path / "in")
    loops = ("a/self", "b/self", "b/up", "b/above", "b/deep/over", "b/root")
    assert items == {
        "a/1.png": "", "a/store/3.png": "", "b/deep/2.png": "", "b/store/s2/4.png": "", "a/other": "folder_repeated",
        "b/store/s1": "folder_repeated", "b/z": "folder_repeated", **dict.fromkeys(loops, "folder_loop"),
    }  # fmt: skip


@pytest.mark.timeout(60)
def test_many_links_that_lead_back_take_no_time(tmp_path):
    touch(tmp_path, "a/1.png", "b/2.png")
    for index in range(40):
        (tmp_path / "a" / f"link{index}").symlink_to("." if index % 2 else "../b")
        (tmp_path / "b" / f"link{index}").symlink_to("../a" if index % 3 else ".")
    start = time.monotonic()
    items, _ = listed("folders", tmp_path)
    assert time.monotonic() - start < 5
    assert len(items) == 82


def test_loop_in_the_place_of_a_class_is_an_error(tmp_path):
    touch(tmp_path, "a/1.png", "b/2.png")
    (tmp_path / "c").symlink_to(tmp_path)
    with pytest.raises(PipelineError, match="INPUT must hold class folders; it holds c: the link leads to a folder"):
        listed("folders", tmp_path)


def test_image_below_a_path_that_is_too_long_for_the_system_is_listed(tmp_path):
    touch(tmp_path, "a/1.png", "b/2.png")
    long_folder(tmp_path / "b", 25)
    items, _ = listed("folders", tmp_path)
    (path,) = (path for path in items if len(path) > 5000)
    assert path.endswith("/a.png")
    with pytest.raises(RejectedImageError, match="File name too long"):
        reading(Item(path, "train", "b", FILE, str(tmp_path / path)))


def test_endless_paths_are_an_error(tmp_path):
    touch(tmp_path, "a/1.png", "b/2.png")
    long_folder(tmp_path / "b", 70)
    with pytest.raises(PipelineError, match="Paths must be shorter than 16,384 characters"):
        listed("folders", tmp_path)


@pytest.fixture
def someone_elses():
    """A folder that can be listed by all, and the test runs as someone who may not do everything."""
    folder = tempfile.mkdtemp()
    os.chmod(folder, 0o755)
    if is_root := os.geteuid() == 0:
        os.seteuid(65534)
    yield folder
    if is_root:
        os.seteuid(0)
    shutil.rmtree(folder)


@pytest.mark.parametrize("place", ["", "a", "a/deep"])
def test_folder_that_cannot_be_listed_is_an_error(someone_elses, tmp_path_factory, place):
    root = os.path.join(someone_elses, "in")
    euid = os.geteuid()
    if os.getuid() == 0:
        os.seteuid(0)
    for name in ("a/deep", "b"):
        os.makedirs(os.path.join(root, name))
        with open(os.path.join(root, name, "1.png"), "wb") as file:
            file.write(b"image")
    os.chmod(os.path.join(root, place), 0o000)
    os.seteuid(euid)
    with pytest.raises(PipelineError, match=r"cannot be listed: Permission denied\. Its images would be missing"):
        listed("folders", root)
    if os.getuid() == 0:
        os.seteuid(0)
    os.chmod(os.path.join(root, place), 0o755)


def test_what_is_left_out_is_counted_in_the_result(tmp_path):
    running.write_images(tmp_path / "in", {"train/a": 8, "train/b": 8})
    touch(tmp_path / "in", "train/a/notes.txt", "train/b/list.csv", "train/a/.hidden.png", "train/.trash/x.png")
    touch(tmp_path / "in", "other/x.png", "README", ".git/x")
    assert running.preprocess(tmp_path / "out", input=str(tmp_path / "in")) == 0
    counters = running.load(tmp_path / "out").counters
    assert {name: count for name, count in counters.items() if name.startswith("left_out")} == {
        "left_out_hidden_files": 1,
        "left_out_hidden_folders": 1,
        "left_out_not_images": 2,
        "left_out_outside_splits": 2,
    }


@pytest.mark.timeout(120)
def test_names_that_are_not_utf_8_are_escaped_in_every_output(tmp_path):
    root = os.fsencode(tmp_path / "in")
    running.write_images(tmp_path / "in", {"a": 4, "b": 4})
    os.rename(root + b"/a", root + b"/caf\xe9")
    odd = {b"b/\xff\xfe.png", b"b/two\nlines.png", b"b/a\\xff.png"}
    odd |= {name.encode() for name in ("b/line\u2028.png", "b/\u0085ü.png")}
    for index, name in enumerate(sorted(odd)):
        running.write_images(tmp_path / "more", {f"{index}": index + 5})
        os.rename(os.fsencode(tmp_path / "more" / f"{index}" / f"{index}_{index + 4}.png"), os.path.join(root, name))
    with open(root + b"/b/\xc0bad.png", "wb") as file:
        file.write(b"no image")
    assert running.preprocess(tmp_path / "out", input=str(tmp_path / "in"), max_rejected_fraction=0.1) == 0
    made = running.load(tmp_path / "out")
    assert made.label_names == ("b", "caf\\xe9")
    assert (tmp_path / "out/16/labels.txt").read_text() == "b\ncaf\\xe9\n"
    rejected = [json.loads(line) for line in (tmp_path / "out/16/rejected.jsonl").read_bytes().splitlines()]
    assert [names.to_bytes(line["id"]) for line in rejected] == [b"b/\xc0bad.png"]
    records = tf.data.TFRecordDataset([str(path) for path in (tmp_path / "out/16").glob("*.tfrecord")])
    stored = [tf.train.Example.FromString(record.numpy()).features.feature for record in records]
    ids = [example["image/filename"].bytes_list.value[0].decode() for example in stored]
    assert {names.to_bytes(example_id) for example_id in ids} > odd
    assert all(example_id.isprintable() for example_id in ids)
    assert len(ids) == 13


def test_file_larger_than_the_limit_is_rejected_without_being_read(tmp_path):
    running.write_images(tmp_path / "in", {"a": 4, "b": 4})
    with open(tmp_path / "in/b/huge.png", "wb") as file:
        file.truncate(1 << 40)
    options = {"input": str(tmp_path / "in"), "max_rejected_fraction": 0.2}
    assert running.preprocess(tmp_path / "out", **options) == 0
    assert running.load(tmp_path / "out").counters["rejected_too_many_bytes"] == 1


@pytest.mark.parametrize("listed_size", [0, 1001])
def test_file_that_grows_is_read_up_to_the_limit(tmp_path, listed_size):
    path = tmp_path / "a.png"
    path.write_bytes(bytes(1001))
    with pytest.raises(RejectedImageError, match="more than --max_image_bytes=1000 bytes"):
        reading(Item("a", "train", "a", FILE, str(path), 0, listed_size), max_bytes=1000)
    assert reading(Item("a", "train", "a", FILE, str(path), 0, listed_size), max_bytes=1001) == bytes(1001)


@pytest.mark.timeout(60)
def test_table_accounts_for_what_is_no_file(tmp_path):
    touch(tmp_path, "1.png")
    special = write_special(tmp_path)
    paths = ["1.png", *special, ".", "none.png", "zero\0.png", "a" * 5000]
    (tmp_path / "t.jsonl").write_text("".join(json.dumps({"path": path, "label": "a"}) + "\n" for path in paths))
    items, _ = listed("table", tmp_path / "t.jsonl")
    missing = dict.fromkeys(["none.png", "zero\\x00.png", "a" * 5000], "missing_file")
    assert items == {"1.png": "", ".": "special_file", **dict.fromkeys(special, "special_file"), **missing}


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("t.jsonl", '{"path": "a", "label": "\\ud800"}\n', "line 1: path and label must be Unicode text"),
        ("t.jsonl", '{"path": "\\ud800", "label": "a"}\n', "line 1: path and label must be Unicode text"),
        ("t.jsonl", '{"path": "a", "label": "b", "split": "../../x"}\n', "line 1: the split must be a name of letters"),
        ("t.jsonl", '{"path": "a", "label": ' + "[" * 100_000 + "\n", "line 1 is not JSON"),
        ("t.jsonl", '{"path": "a", "label": ' + "9" * 5000 + "}\n", "line 1 is not JSON"),
        ("t.csv", 'path,label\na,"' + "b" * 200_000 + '"\n', "line 1, is no CSV"),
    ],
)
def test_hostile_tables_are_refused_by_line(tmp_path, name, text, message):
    (tmp_path / name).write_text(text)
    with pytest.raises(PipelineError, match=message):
        listed("table", tmp_path / name)


@pytest.mark.timeout(60)
def test_pipe_in_the_place_of_a_table_or_an_archive_is_an_error(tmp_path):
    for name in ("t.csv", "ILSVRC2012_img_train.tar"):
        os.mkfifo(tmp_path / name)
    with pytest.raises(PipelineError, match="It must be a file; it is a pipe"):
        listed("table", tmp_path / "t.csv")
    with pytest.raises(PipelineError, match="It must be a file; it is a pipe"):
        listed("imagenet_tars", tmp_path)


def test_line_separators_in_a_table_stay_in_their_line(tmp_path):
    (tmp_path / "t.jsonl").write_text('{"path": "a\u2028b", "label": "c\u0085d"}\n')
    (item,) = opening.open_source(ExamplesConfig("table", str(tmp_path / "t.jsonl"))).items()
    assert (item.example_id, item.class_name, item.kind) == ("a\\xe2\\x80\\xa8b", "c\\xc2\\x85d", REFUSED)


def test_kaggle_accounts_for_images_that_the_copy_lacks(tmp_path):
    base = "ILSVRC/Data/CLS-LOC"
    touch(tmp_path, f"{base}/train/n01/a.JPEG", f"{base}/val/v1.JPEG", f"{base}/val/notes.txt")
    solution = tmp_path / "LOC_val_solution.csv"
    solution.write_text("ImageId,PredictionString\nv1,n01 1 2 3 4\nv2,n01 1 2 3 4\n")
    items, left_out = listed("kaggle", tmp_path)
    assert items == {"train/n01/a.JPEG": "", "val/v1.JPEG": "", "val/v2": "missing_file"}
    assert left_out == {"left_out_not_images": 1}
    solution.write_text("ImageId,PredictionString\nv1\n")
    with pytest.raises(PipelineError, match="must name the class of every image; 'v1' has none"):
        listed("kaggle", tmp_path)


@pytest.mark.timeout(60)
def test_flat_validation_images_keep_their_labels_behind_a_pipe(tmp_path):
    touch(tmp_path, "train/n01/a.JPEG", "train/n02/b.JPEG", "validation/1.JPEG", "validation/3.JPEG")
    os.mkfifo(tmp_path / "validation" / "2.JPEG")
    (tmp_path / "synset_labels.txt").write_text("n01\nn02\nn01\n")
    source = opening.open_source(ExamplesConfig("imagenet_to_gcs", str(tmp_path)))
    found = [(item.kind, item.class_name) for item in source.items() if item.split == "validation"]
    assert found == [(FILE, "n01"), (REFUSED, "n02"), (FILE, "n01")]


@pytest.mark.attack
@pytest.mark.timeout(300)
def test_hostile_folders_are_accounted_for_to_the_last_file(tmp_path, attack):
    root = tmp_path / "in"
    running.write_images(root, {f"class{index}": 20 for index in range(5)})
    files = {os.fsencode(path.relative_to(root)) for path in root.rglob("*.png")}
    hostile = 0
    for index in range(5):
        folder = root / f"class{index}"
        hostile += len(write_special(folder))
        long_folder(folder, 20)
        for name, target in (("self", "."), ("again", "."), ("next", f"../class{(index + 1) % 5}"), ("up", "..")):
            (folder / name).symlink_to(target)
        for name in (b"\xff\xfe.png", b"caf\xe9.png", b"line\nbreak.png", b"\\xff.png"):
            shutil.copy(folder / f"class{index}_0.png", os.path.join(os.fsencode(folder), name))
            files.add(os.path.join(f"class{index}".encode(), name))
        (folder / "nowhere.png").symlink_to("missing")
        (folder / "loop.png").symlink_to("loop.png")
        (folder / "hidden.txt").write_bytes(b"image")
        (folder / ".hidden.png").write_bytes(b"image")
        hostile += 1 + 4 + 4 + 2 + 2
    start = time.monotonic()
    assert running.preprocess(tmp_path / "out", input=str(root), max_rejected_fraction=0.9) == 0
    assert time.monotonic() - start < 120
    counters = running.load(tmp_path / "out").counters
    rejected = [json.loads(line)["id"] for line in (tmp_path / "out/16/rejected.jsonl").read_bytes().splitlines()]
    records = tf.data.TFRecordDataset([str(path) for path in (tmp_path / "out/16").glob("*.tfrecord")])
    stored = [tf.train.Example.FromString(r.numpy()).features.feature["image/filename"] for r in records]
    ids = [value.bytes_list.value[0].decode() for value in stored]
    assert {names.to_bytes(example_id) for example_id in ids} == files
    assert len(ids) == counters["images"] == len(files)
    assert len(ids) + len(set(rejected)) == len(files) + hostile - 4 * 5 - 2 * 5
    assert counters["left_out_not_images"] == counters["left_out_hidden_files"] == 5
    attack(
        "data",
        "pipes, sockets, devices, loops of links, endless paths and names that are not UTF-8 among the images",
        hostile,
        hostile,
        f"{len(set(rejected))} lines in rejected.jsonl, 20 stored under an escaped name, 10 counted as left out",
    )
