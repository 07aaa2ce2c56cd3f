import hashlib
import os
import subprocess
import sys
import uuid

import numpy as np
import pytest
import tensorflow as tf

from biggan_tf import files


@pytest.fixture(params=["local", "ram"])
def folder(request, tmp_path):
    if request.param == "local":
        return str(tmp_path)
    folder = f"ram://files_test/{uuid.uuid4().hex}"
    files.make_folder(folder)
    return folder


def test_content_is_what_was_written(folder):
    path = files.join(folder, "new", "file")
    files.write_bytes(path, b"\x00\xff")
    assert files.read_bytes(path) == b"\x00\xff"
    assert files.size(path) == 2
    assert files.sha256(path) == hashlib.sha256(b"\x00\xff").hexdigest()
    files.write_text(path, "Größe\n")
    assert files.read_text(path) == "Größe\n"
    files.write_json(path, {"b": [1, "é"], "a": None}, sort_keys=True)
    assert files.read_text(path) == '{\n "a": null,\n "b": [\n  1,\n  "\\u00e9"\n ]\n}\n'
    assert files.read_json(path) == {"b": [1, "é"], "a": None}
    files.write_npz(path, {"x": np.arange(3)})
    with files.open_binary(path) as file, np.load(file) as archive:
        np.testing.assert_array_equal(archive["x"], [0, 1, 2])
    assert files.list_folder(files.join(folder, "new")) == ["file"]


def test_a_block_that_raises_leaves_the_old_file_and_nothing_else(folder):
    path = files.join(folder, "file")
    files.write_text(path, "old")

    def write_and_die():
        with files.replacing(path) as file:
            file.write(b"half of the n")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        write_and_die()
    assert files.read_text(path) == "old"
    assert files.list_folder(folder) == ["file"]


def test_a_rename_that_fails_leaves_the_old_file_and_nothing_else(folder, monkeypatch):
    path = files.join(folder, "file")
    files.write_text(path, "old")

    def fail(*unused, **more):
        raise OSError("the disk went away")

    with monkeypatch.context() as patch:
        patch.setattr("os.replace", fail)
        patch.setattr(tf.io.gfile, "rename", fail)
        with pytest.raises(OSError, match="went away"):
            files.write_text(path, "new")
    assert files.read_text(path) == "old"
    assert files.list_folder(folder) == ["file"]


def test_lines_are_appended(folder):
    path = files.join(folder, "lines")
    files.append_line(path, "one")
    files.append_line(path, "zwölf")
    assert files.read_text(path) == "one\nzwölf\n"


def test_a_remote_file_is_appended_to_without_an_append_mode(monkeypatch):
    path = f"ram://files_test/{uuid.uuid4().hex}/lines"
    original = tf.io.gfile.GFile

    def without_append(name, mode="r"):
        assert "a" not in mode
        return original(name, mode)

    monkeypatch.setattr(tf.io.gfile, "GFile", without_append)
    files.append_line(path, "one")
    files.append_line(path, "two")
    assert files.read_text(path) == "one\ntwo\n"


def test_files_and_folders_are_renamed_and_removed(folder):
    source, target = files.join(folder, "source"), files.join(folder, "target")
    files.write_text(files.join(source, "a"), "a")
    files.write_text(files.join(source, "below", "b"), "b")
    files.rename_folder(source, target, last="a")
    assert not files.exists(source)
    assert files.list_folder(target) == ["a", "below"]
    assert files.read_text(files.join(target, "below", "b")) == "b"
    files.write_text(files.join(target, "c"), "c")
    files.rename(files.join(target, "c"), files.join(target, "a"))
    assert files.read_text(files.join(target, "a")) == "c"
    files.remove(files.join(target, "a"))
    assert files.list_folder(target) == ["below"]
    files.remove_folder(target)
    assert not files.exists(target)
    assert files.list_folder(target) == []


def test_a_remote_folder_moves_its_deciding_file_last(monkeypatch):
    folder = f"ram://files_test/{uuid.uuid4().hex}"
    for name in ("a.index", "files.json", "z.data"):
        files.write_text(files.join(folder, "writing", name), name)
    moved = []
    original = files.rename
    monkeypatch.setattr(files, "rename", lambda source, target: (moved.append(source), original(source, target)))
    files.rename_folder(files.join(folder, "writing"), files.join(folder, "final"), last="files.json")
    assert [path.rpartition("/")[2] for path in moved] == ["a.index", "z.data", "files.json"]


def test_a_missing_file_is_the_same_error_everywhere(folder):
    path = files.join(folder, "none")
    assert not files.exists(path)
    for call in (files.read_bytes, files.sha256, files.size, files.remove):
        with pytest.raises(FileNotFoundError):
            call(path)


def test_importing_loads_no_tensorflow(tmp_path):
    code = (
        "import sys; from biggan_tf import files; files.write_json(sys.argv[1], 1);"
        "print(files.read_json(sys.argv[1]));"
        "print('tensorflow' in sys.modules)"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "file")]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout.split() == ["1", "False"]


NOT_TENSORFLOWS = ["s3://bucket/a", "hdfs://host/a", "foo://a", "https://host/a", "s3:/bucket/a", "gs:/bucket/a"]


@pytest.mark.parametrize("place", NOT_TENSORFLOWS)
def test_a_place_that_tensorflow_has_no_file_system_for_is_refused(place):
    with pytest.raises(files.NoFileSystemError) as caught:
        files.require_file_system("--workdir", place)
    message = str(caught.value)
    assert message.startswith("--workdir must be a local path or gs://BUCKET/FOLDER, since TensorFlow 2.")
    assert f"Received: {place}; " in message
    assert message.endswith("write two slashes." if place.startswith("gs:/") else " and name the local folder.")
    assert "\n" not in message


@pytest.mark.parametrize(
    ("place", "advice"), [("s3://a", "aws s3 sync"), ("hdfs://a", "hdfs dfs -get"), ("foo://a", "mount it or copy it")]
)
def test_the_message_says_how_to_bring_the_files_here(place, advice):
    with pytest.raises(files.NoFileSystemError, match=advice):
        files.require_file_system("--workdir", place)


@pytest.mark.parametrize("place", ["", "runs/a", "/a", "./s3:/a", "a b:c", "gs://bucket/a", "ram://a", "file:///a"])
def test_places_that_tensorflow_reaches_are_taken(place):
    files.require_file_system("--workdir", place)


@pytest.mark.parametrize("place", ["gs://bucket/a", "ram://a", *NOT_TENSORFLOWS])
def test_only_local_paths_count_as_local(place):
    with pytest.raises(files.NoFileSystemError, match=r"--output must be a local path\. Received: "):
        files.require_local("--output", place)
    for local in ("", "runs/a", "/a"):
        files.require_local("--output", local)


@pytest.mark.parametrize(
    "operation",
    [
        files.exists,
        files.is_folder,
        files.size,
        files.list_folder,
        files.make_folder,
        files.read_bytes,
        files.remove,
        files.remove_folder,
        lambda path: files.write_text(path, "text"),
        lambda path: files.append_line(path, "text"),
        lambda path: files.rename(path, path),
        lambda path: files.write_npz(path, {"a": np.zeros(1)}),
    ],
)
def test_no_operation_takes_such_a_place_for_an_empty_one(operation, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(files.NoFileSystemError, match=r"Received: s3://bucket(/a)?; mount the bucket"):
        operation("s3://bucket/a")
    assert os.listdir() == []
