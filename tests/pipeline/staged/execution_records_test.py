"""A pipeline whose metadata.sqlite, records or artifacts were damaged goes on, or says in one message why it cannot."""

import json
import os
import pathlib
import random
import shutil
import sqlite3

import pytest

from pipeline.staged import execution_records, metadata
from pipeline.staged.execution_records import STORE
from pipeline.staged.metadata import ExecutionState, MetadataStore
from pipeline.staged.stage import StageError
from tests.pipeline.staged import fake_stages

STAGES = ["Load", "Square", "Sum"]


def ran(reports):
    return [report.stage for report in reports if report.was_run]


def total(reports):
    return int((pathlib.Path(reports[-1].outputs["total"].uri) / "total.txt").read_text())


def garbage(path):
    path.write_bytes(random.Random(0).randbytes(path.stat().st_size))


def cut(path):
    path.write_bytes(path.read_bytes()[:5000])


def another_database(path):
    path.unlink()
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE Artifact (a, b)")
    other.close()


def without_most_rows(path):
    with sqlite3.connect(path) as store:
        store.executescript("DELETE FROM Event; DELETE FROM Execution WHERE id > 1")
    store.close()


def test_an_older_copy_of_the_store_is_completed_from_the_records(tmp_path):
    fake_stages.run(tmp_path, until="Load")
    older = (tmp_path / STORE).read_bytes()
    first = fake_stages.run(tmp_path)
    (tmp_path / STORE).write_bytes(older)
    again = fake_stages.run(tmp_path)
    assert [(r.stage, r.outputs) for r in again] == [(r.stage, r.outputs) for r in first]
    assert ran(again) == []


LOSSES = {
    "garbage": garbage,
    "cut": cut,
    "one page": lambda path: path.write_bytes(path.read_bytes()[:4096]),
    "text": lambda path: path.write_text("hello\n"),
    "empty": lambda path: path.write_bytes(b""),
    "removed": pathlib.Path.unlink,
    "another database": another_database,
    "most rows removed": without_most_rows,
}


@pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)
def test_lost_store_is_made_again_from_the_records(tmp_path, loss):
    first = fake_stages.run(tmp_path)
    loss(tmp_path / STORE)
    again = fake_stages.run(tmp_path)
    assert ran(again) == []
    assert [(r.stage, r.outputs) for r in again] == [(r.stage, r.outputs) for r in first]
    changed = fake_stages.run(tmp_path, power=3)
    assert ran(changed) == ["Square", "Sum"]
    assert total(changed) == 36


@pytest.mark.parametrize("loss", [garbage, pathlib.Path.unlink])
def test_without_store_and_records_all_is_run_again_under_new_numbers(tmp_path, loss):
    first = fake_stages.run(tmp_path)
    before = {artifact.uri for report in first for artifact in report.outputs.values()}
    loss(tmp_path / STORE)
    for folder in tmp_path.glob("*/.executions"):
        shutil.rmtree(folder)
    again = fake_stages.run(tmp_path)
    assert ran(again) == STAGES
    assert total(again) == 14
    assert not before & {artifact.uri for report in again for artifact in report.outputs.values()}
    assert ran(fake_stages.run(tmp_path)) == []


def test_a_damaged_store_is_kept_and_named(tmp_path, caplog):
    fake_stages.run(tmp_path)
    garbage(tmp_path / STORE)
    content = (tmp_path / STORE).read_bytes()
    fake_stages.run(tmp_path)
    (aside,) = tmp_path.glob(f"{STORE}.damaged-*")
    assert aside.read_bytes() == content
    assert aside.name in caplog.text
    assert "made again from the records" in caplog.text


def test_an_execution_that_had_begun_goes_on_after_the_store_was_lost(tmp_path, monkeypatch):
    def fail(name):
        if name == "Square":
            raise StageError("stopped")

    with monkeypatch.context() as patch:
        patch.setattr(fake_stages.Load, "before_end", staticmethod(fail))
        with pytest.raises(StageError, match="stopped"):
            fake_stages.run(tmp_path)
    (tmp_path / STORE).unlink()
    reports = fake_stages.run(tmp_path)
    assert ran(reports) == ["Square", "Sum"]
    # What it had done before was not done again.
    assert (pathlib.Path(reports[1].outputs["squares"].uri) / "order.txt").read_text() == "0\n1\n2\n"


def test_a_locked_store_is_one_message(tmp_path, monkeypatch):
    fake_stages.run(tmp_path)
    monkeypatch.setattr(metadata, "_LOCK_TIMEOUT_S", 0.1)
    holder = sqlite3.connect(tmp_path / STORE, isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    try:
        with pytest.raises(StageError, match=r"no other program may lock it\. Received: database is locked"):
            fake_stages.run(tmp_path)
    finally:
        holder.close()
    assert ran(fake_stages.run(tmp_path)) == []


def test_a_pipeline_from_before_there_were_records_goes_on_and_gets_them(tmp_path):
    fake_stages.run(tmp_path)
    for folder in tmp_path.glob("*/.executions"):
        shutil.rmtree(folder)
    shutil.rmtree(tmp_path / ".system")
    with sqlite3.connect(tmp_path / STORE) as store:
        store.execute("DELETE FROM ArtifactProperty WHERE name = 'content'")
    store.close()
    assert ran(fake_stages.run(tmp_path)) == []
    (tmp_path / STORE).unlink()
    assert ran(fake_stages.run(tmp_path)) == []
    path = tmp_path / "Square" / "squares" / "2" / "1.txt"
    path.write_text("5")
    assert ran(fake_stages.run(tmp_path)) == ["Square"]


@pytest.mark.slow
@pytest.mark.attack
def test_a_byte_flipped_anywhere_in_the_store_is_harmless_or_repaired(tmp_path, attack):
    fake_stages.run(tmp_path / "root")
    draws = random.Random(0)
    whole = (tmp_path / "root" / STORE).read_bytes()
    again, put_aside, tries = 0, 0, 300
    for _ in range(tries):
        content = bytearray(whole)
        content[draws.randrange(len(content))] ^= 1 << draws.randrange(8)
        (tmp_path / "root" / STORE).write_bytes(content)
        reports = fake_stages.run(tmp_path / "root")
        assert total(reports) == 14
        again += bool(ran(reports))
        aside = list((tmp_path / "root").glob(f"{STORE}.damaged-*"))
        put_aside += bool(aside)
        for path in aside:
            path.unlink()
    outcome = f"{put_aside} noticed and made again, {again} with a stage that ran again, the result right in all"
    attack("pipeline", "a bit flipped in metadata.sqlite", tries, tries, outcome)


HOSTILE = [
    b"", b"{", b"[]", b"null", b"5", b'"text"', b"{}", b"\xff\xfe", b"[" * 100_000, b'{"execution": {}}',
    b'{"execution": 5, "inputs": {}, "outputs": {}, "files": {}}', b'{"execution": null}', b"9" * 5000,
]  # fmt: skip


def hostile_records(sound):
    """Records with a field replaced by what it cannot be."""
    values = json.loads(sound)
    for section in ("execution", "inputs", "outputs", "files"):
        for wrong in (None, 5, [], [1], "text", {"a": 1}, {"a": None}):
            yield json.dumps({**values, section: wrong}).encode()
    for field in ("id", "type", "state", "properties", "created_ms", "updated_ms"):
        for wrong in (None, -1, 1 << 70, 1.5, [], {}, "\ud800", {"a": None}, "../../x"):
            yield json.dumps({**values, "execution": {**values["execution"], field: wrong}}).encode()


@pytest.mark.slow
@pytest.mark.attack
def test_a_record_of_any_content_does_not_count_and_stops_nothing(tmp_path, attack):
    root = tmp_path / "root"
    fake_stages.run(root)
    path = root / "Square" / ".executions" / "2.json"
    sound = path.read_bytes()
    contents = [*HOSTILE, *hostile_records(sound)]
    for content in contents:
        path.write_bytes(content)
        (root / STORE).unlink()
        assert total(fake_stages.run(root)) == 14
        for left in root.glob("S*/.executions/*.json"):
            if left != path and int(left.stem) > 3:
                left.unlink()
    attack(
        "pipeline", "hostile records of an execution, metadata.sqlite gone", len(contents), len(contents),
        "passed over; the result right in all",
    )  # fmt: skip


@pytest.mark.attack
def test_a_byte_flipped_in_any_artifact_is_named_and_the_stage_runs_again(tmp_path, caplog, attack):
    reports = fake_stages.run(tmp_path)
    tries = 0
    for number in range(len(STAGES)):
        for key in reports[number].outputs:
            folder = pathlib.Path(reports[number].outputs[key].uri)
            for name in sorted(os.listdir(folder)):
                path = folder / name
                content = bytearray(path.read_bytes())
                if not content:
                    continue
                content[-1] ^= 1
                times = path.stat()
                path.write_bytes(content)
                os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))  # as a fault of the disk would
                caplog.clear()
                reports = fake_stages.run(tmp_path)
                assert ran(reports) == [STAGES[number]]
                assert f"has changed or gone since it was made: {name}" in caplog.text
                assert total(reports) == 14
                folder = pathlib.Path(reports[number].outputs[key].uri)
                tries += 1
    assert tries >= 6
    attack(
        "pipeline", "a bit flipped in each file of each artifact", tries, tries, "named, the stage run again, repaired"
    )


def test_a_file_that_nobody_touched_is_not_read_again(tmp_path, monkeypatch):
    fake_stages.run(tmp_path)
    from pipeline.staged import hash_memory

    read = []
    monkeypatch.setattr(hash_memory.files, "sha256", lambda path: read.append(path) or "0" * 64)
    assert ran(fake_stages.run(tmp_path)) == []
    assert read == []


@pytest.mark.parametrize("content", HOSTILE)
def test_a_damaged_memory_of_hashes_is_forgotten(tmp_path, content):
    fake_stages.run(tmp_path)
    (tmp_path / ".system" / "hashes.json").write_bytes(content)
    assert ran(fake_stages.run(tmp_path)) == []


def test_a_record_is_there_while_the_execution_runs(tmp_path, monkeypatch):
    seen = []

    def look(name):
        number = STAGES.index(name) + 1
        seen.append(execution_records.read(tmp_path, name, number))

    monkeypatch.setattr(fake_stages.Load, "before_end", staticmethod(look))
    fake_stages.run(tmp_path)
    assert [record.execution.state for record in seen] == [ExecutionState.RUNNING] * 3
    assert execution_records.read(tmp_path, "Sum", 3).execution.state == ExecutionState.COMPLETE
    with MetadataStore(tmp_path / STORE) as store:
        assert execution_records.read(tmp_path, "Sum", 3).outputs == store.outputs(3)
