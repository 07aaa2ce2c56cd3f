import json
import logging

import pytest

from serving import signatures as s
from serving.server.provenance import report_rows
from serving.server.row_checks import read_limits


@pytest.mark.parametrize(
    "text", ["[" * 100_000, "{", "1" * 5000, "\ud800", "", "\x00", '{"a":' * 50_000, '"' + "a" * 5_000_000 + '"']
)
def test_hostile_notes_of_a_version_say_nothing_and_stop_no_load(tmp_path, caplog, text):
    (tmp_path / "assets").mkdir()
    (tmp_path / "assets" / s.PROVENANCE_ASSET).write_bytes(text.encode("utf-8", "surrogatepass"))
    report_rows("biggan", 3, str(tmp_path))
    assert read_limits(str(tmp_path)) == {}
    assert "version 0.1" not in caplog.text


@pytest.mark.parametrize(
    ("notes", "said"), [({s.ROWS: s.EXACT}, ""), ({s.ROWS: s.FAST}, "--rows=fast"), ([], "version 0.1"), (None, "")]
)
def test_a_version_says_how_its_rows_are_computed(tmp_path, caplog, notes, said):
    if notes is not None:
        (tmp_path / "assets").mkdir()
        (tmp_path / "assets" / s.PROVENANCE_ASSET).write_text(json.dumps(notes))
    with caplog.at_level(logging.INFO, "serving"):
        report_rows("biggan", 3, str(tmp_path))
    assert said in caplog.text
    assert bool(caplog.text) == bool(said)
