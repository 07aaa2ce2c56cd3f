import shutil

import pytest

from pipeline.staged.hash_memory import HashMemory
from pipeline.staged.metadata import Artifact
from pipeline.staged.stages import pusher
from pipeline.staged.stages.artifacts import SERVING_FOLDER, UUID_FILE


def model(folder, identity):
    (folder / "assets.extra").mkdir(parents=True)
    (folder / UUID_FILE).write_text(identity)
    (folder / "saved_model.pb").write_text(f"graph of {identity}")
    return folder


@pytest.mark.parametrize(
    ("versions", "last", "now_s", "expected"),
    [([], 0, 1000, 1000), ([1000], 0, 1000, 1001), ([1000], 0, 900, 1001), ([1000], 1005, 1000, 1006), ([], 7, 3, 8)],
)
def test_version_is_the_time_and_never_falls(versions, last, now_s, expected):
    assert pusher.next_version(versions, last, now_s) == expected


def test_push_is_visible_whole_and_once(tmp_path):
    first, base = model(tmp_path / "first", "a"), tmp_path / "base"
    version = pusher.push(first, base)
    assert (base / str(version) / "saved_model.pb").read_text() == "graph of a"
    assert pusher.push(first, base) == version  # a killed attempt had pushed it
    second = pusher.push(model(tmp_path / "second", "b"), base)
    assert second > version
    third = pusher.push(first, base)  # back to the first: a new version, for the newest is served
    assert pusher.versions_in(base) == [version, second, third]


def test_killed_copy_is_invisible_and_removed(tmp_path, monkeypatch):
    base = tmp_path / "base"
    monkeypatch.setattr("os.rename", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        pusher.push(model(tmp_path / "model", "a"), base)
    assert pusher.versions_in(base) == []
    (left,) = base.glob(".staging-*")
    monkeypatch.undo()
    pusher.push(tmp_path / "model", base)
    assert not left.exists()
    assert len(pusher.versions_in(base)) == 1


def test_number_of_a_deleted_version_is_not_used_again(tmp_path):
    base = tmp_path / "base"
    version = pusher.push(model(tmp_path / "a", "a"), base)
    (base / str(version)).rename(tmp_path / "gone")
    assert pusher.push(model(tmp_path / "b", "b"), base) > version


def pushed(tmp_path):
    """A model and the artifact of its push, as the runner hands them to the stage."""
    folder = model(tmp_path / "model" / SERVING_FOLDER, "a")
    version = tmp_path / "base" / str(pusher.push(folder, tmp_path / "base"))
    inputs = {"model": Artifact(1, "Model", str(tmp_path / "model"), {})}
    outputs = {"pushed_model": Artifact(2, "PushedModel", str(tmp_path), {"pushed_destination": str(version)})}
    return folder, version, lambda: pusher.Pusher().lost(inputs, outputs, HashMemory(tmp_path / "hashes.json"))


def flip(path):
    path.write_text(path.read_text()[:-1] + "z")


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (shutil.rmtree, "is gone"),
        (lambda version: flip(version / "saved_model.pb"), "saved_model.pb of the pushed version"),
        (lambda version: (version / "saved_model.pb").unlink(), "saved_model.pb of the pushed version"),
        (lambda version: (version / "more").write_text(""), "more of the pushed version"),
    ],
)
def test_a_pushed_version_that_is_gone_or_changed_is_noticed_and_pushed_again(tmp_path, spoil, told):
    folder, version, lost = pushed(tmp_path)
    assert lost() == ""
    spoil(version)
    assert told in lost()
    again = pusher.push(folder, tmp_path / "base")
    assert again > int(version.name)
    assert (tmp_path / "base" / str(again) / "saved_model.pb").read_text() == "graph of a"
