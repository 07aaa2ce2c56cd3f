import json

import pytest
import tensorflow as tf

from serving import signatures as s
from serving.server.export_assets import ERRORS, read_asset, read_text
from serving.server.provenance import report_rows
from serving.server.row_checks import read_limits


@pytest.fixture
def write(tmp_path):
    (tmp_path / "assets").mkdir()
    return lambda name, content: (tmp_path / "assets" / name).write_bytes(content)


def test_a_file_that_is_missing_is_none(tmp_path):
    assert read_text(str(tmp_path), s.LABELS_ASSET) is None
    assert read_asset(str(tmp_path), s.LABELS_ASSET) is None


@pytest.mark.parametrize("content", [b"\xff", b" " * (4 * 2**20 + 1), b"[" * 100_000, b"nothing"])
def test_what_is_no_json_is_one_of_the_errors(tmp_path, write, content):
    write(s.LABELS_ASSET, content)
    with pytest.raises(ERRORS):
        read_asset(str(tmp_path), s.LABELS_ASSET)


def test_a_folder_in_the_place_of_a_file_is_one_of_the_errors(tmp_path):
    (tmp_path / "assets" / s.LABELS_ASSET).mkdir(parents=True)
    with pytest.raises((ValueError, tf.errors.OpError)):
        read_text(str(tmp_path), s.LABELS_ASSET)


def test_every_reader_takes_the_same_files(tmp_path, write, caplog):
    """A provenance of two MiB, that begins with the mark by which some editors begin a file."""
    notes = {s.ROWS: "fast", "sizes": {"num_classes": 3}, "config": " " * 2**21}
    write(s.PROVENANCE_ASSET, b"\xef\xbb\xbf" + json.dumps(notes).encode())
    with caplog.at_level("INFO", "serving"):
        report_rows("biggan", 3, str(tmp_path))
    assert "--rows=fast" in caplog.text
    assert read_limits(str(tmp_path))[s.LABEL].high == 2
    assert read_asset(str(tmp_path), s.PROVENANCE_ASSET) == notes
