"""The manifest of data, its records and the files of its records.

The first byte chooses: M is a manifest, F a file of records, and P, R, J or W a record with an image in the format png,
raw, jpeg or webp.
"""

import hashlib
import os
import pathlib
import tempfile

import tensorflow as tf

from biggan_tf.data import manifest, records, verification

_FOLDER = tempfile.TemporaryDirectory(prefix="fuzz_record_parsing")
_SHARD = pathlib.Path(_FOLDER.name) / "a.tfrecord"
_FORMATS = {b"P": "png", b"R": "raw", b"J": "jpeg", b"W": "webp"}


def fuzz_one(data: bytes) -> None:
    """Reads the data; what is accepted has the shape that it must have, and what is refused is refused in words."""
    kind, rest = data[:1], data[1:]
    if kind == b"M":
        _manifest(rest)
    elif kind == b"F":
        _file(rest)
    elif kind in _FORMATS:
        _record(rest, _FORMATS[kind])


def _manifest(data: bytes) -> None:
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return
    try:
        read = manifest.from_json(text)
    except manifest.DataError as error:
        message = str(error)
        assert "manifest" in message
        assert len(message) < 1000
        return
    assert manifest.from_json(read.to_json().encode().decode()).to_json() == read.to_json()
    for split in read.splits.values():
        verification.missing_or_resized(_FOLDER.name, split)


def _file(data: bytes) -> None:
    _SHARD.write_bytes(data)
    shard = manifest.Shard(_SHARD.name, 2, len(data), hashlib.sha256(data).hexdigest())
    assert verification.find_damage(_FOLDER.name, manifest.Split(2, (shard,))) == []
    unknown = manifest.Split(2, (manifest.Shard(_SHARD.name, 2, len(data), ""),))
    for damage in verification.find_damage(_FOLDER.name, unknown):
        assert damage.path == os.fspath(_SHARD)
        assert damage.offset is not None
        assert 0 <= damage.offset <= len(data)


def _record(data: bytes, image_format: str) -> None:
    try:
        image, label = records.parse(tf.constant(data), image_format, 4)
    except (tf.errors.InvalidArgumentError, UnicodeDecodeError):  # TensorFlow's message may quote what is not UTF-8
        return
    assert image.shape == (4, 4, 3)
    assert label.shape == ()
