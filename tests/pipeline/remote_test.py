"""The whole job on a file system that is not the local one: what gs:// and s3:// would see, without a network."""

import pathlib
import shutil

import pytest
import tensorflow as tf
from apache_beam.io.filesystem import FileMetadata, MatchResult
from apache_beam.io.localfilesystem import LocalFileSystem

from biggan_tf.data import manifest
from pipeline.errors import PipelineError
from pipeline.preprocessing import storage
from pipeline.sources import tfds_source
from tests.pipeline import running

PREFIX = "shelf://"


class Shelf(LocalFileSystem):
    """Paths shelf:///a/b lie in a folder; like an object store it has no folders of its own."""

    root = ""

    @classmethod
    def scheme(cls):
        return "shelf"

    def _local(self, path):
        return self.root + path.removeprefix(PREFIX)

    def join(self, base, *parts):
        return "/".join([base.rstrip("/"), *parts])

    def split(self, path):
        head, _, tail = path.rpartition("/")
        return head, tail

    def _list(self, dir_or_prefix):
        for entry in super()._list(self._local(dir_or_prefix)):
            yield FileMetadata(PREFIX + entry.path.removeprefix(self.root), entry.size_in_bytes)

    def match(self, patterns, limits=None):
        (pattern,) = patterns
        prefix = pattern.removesuffix("**")
        found = sorted(path for path in pathlib.Path(self._local(prefix)).rglob("*") if path.is_file())
        entries = [FileMetadata(PREFIX + str(path).removeprefix(self.root), path.stat().st_size) for path in found]
        return [MatchResult(pattern, entries)]

    def create(self, path, *arguments, **options):
        return super().create(self._local(path), *arguments, **options)

    def open(self, path, *arguments, **options):
        return super().open(self._local(path), *arguments, **options)

    def exists(self, path):
        return super().exists(self._local(path))

    def rename(self, sources, targets):
        for source, target in zip(sources, targets, strict=True):
            pathlib.Path(self._local(target)).parent.mkdir(parents=True, exist_ok=True)
            shutil.move(self._local(source), self._local(target))

    def delete(self, paths):
        for path in paths:
            pathlib.Path(self._local(path)).unlink()


@pytest.fixture
def shelf(tmp_path, monkeypatch):
    monkeypatch.setattr(Shelf, "root", str(tmp_path / "shelf"))
    return tmp_path / "shelf"


def test_remote_input_and_output_give_the_same_files_as_local_ones(shelf, tmp_path):
    running.write_images(shelf / "in", {"train/a": 8, "train/b": 8, "val/a": 2, "val/b": 2})
    running.preprocess(tmp_path / "local", request={"input": str(shelf / "in")})
    assert running.preprocess(PREFIX + "/out", request={"input": PREFIX + "/in"}) == 0
    assert running.contents(shelf / "out") == running.contents(tmp_path / "local")
    assert running.preprocess(PREFIX + "/out", request={"input": PREFIX + "/in"}) == 0  # up to date


def test_manifest_moves_last(shelf, monkeypatch):
    moved = []
    rename = storage.rename
    monkeypatch.setattr(storage, "rename", lambda source, target: (moved.append(target), rename(source, target)))
    running.write_images(shelf / "in", {"a": 4, "b": 4})
    running.preprocess(PREFIX + "/out", request={"input": PREFIX + "/in"})
    assert moved[-1].endswith(f"/out/16/{manifest.FILE_NAME}")


def test_remote_records_are_compared_with_their_checksums_as_local_ones_are(shelf):
    shelf.mkdir()
    path, records = shelf / "a.tfrecord", [b"first", b"", b"third" * 100]
    with tf.io.TFRecordWriter(str(path)) as writer:
        for record in records:
            writer.write(record)
    remote, data = f"{PREFIX}/a.tfrecord", path.read_bytes()
    assert list(tfds_source._records(remote)) == list(tfds_source._records(str(path)))
    assert [content for _, content in tfds_source._records(remote)] == records
    places = [*range(40), len(data) - 1]  # every field of the first two records, and the last checksum
    for damaged in [data[:-1], data[:-300], *(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :] for at in places)]:
        path.write_bytes(damaged)
        for name in (remote, str(path)):
            with pytest.raises(PipelineError, match=f"{name} must be a sound file of records"):
                list(tfds_source._records(name))


def test_a_remote_file_of_records_that_is_gone_is_named(shelf):
    with pytest.raises(PipelineError, match="shelf:///none must be a file that can be read"):
        list(tfds_source._records(f"{PREFIX}/none"))
