"""The JSON files of a checkpoint with any content: that checkpoint counts as damaged, and the one before is used."""

import json
import pathlib
import shutil

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from biggan_tf.config import to_dict
from biggan_tf.training.checkpoints import files as checkpoint_files
from biggan_tf.training.checkpoints.saving import Checkpoints
from biggan_tf.training.gan import GAN
from tests.biggan_tf.training import tiny

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=8,
)
WRONG = (None, True, -1, 1 << 70, 1.5, "", "text", [], [1], [None], {}, {"a": None}, {"": []}, "../../etc/passwd")
NOT_JSON = [
    b"", b"{", b"\xff\xfe", b"[" * 100_000, b'{"a":' * 100_000, b"9" * 10_000,
    b'{"run.json": {"bytes": ' + b"9" * 9999 + b"}}", b"null", b"5", b'"text"', b"[]", b"{}", b"[{}]", b"NaN",
    b"\x00" * 100,
]  # fmt: skip


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A workdir with two checkpoints; its `restore` puts the newest one back as it was."""
    workdir = tmp_path_factory.mktemp("run")
    keeper = Checkpoints(str(workdir), tiny.config(), GAN(tiny.config()).state())
    for step in (1, 2):
        summary = checkpoint_files.CheckpointSummary(step, 10 * step, to_dict(tiny.config()))
        keeper.save(summary)
    shutil.copytree(workdir / "checkpoints", tmp_path_factory.mktemp("kept"), dirs_exist_ok=True)
    return workdir


def newest(workdir):
    return pathlib.Path(checkpoint_files.folder_of(str(workdir), 2))


def is_passed_over(workdir):
    return checkpoint_files.newest_whole(str(workdir)) == checkpoint_files.folder_of(str(workdir), 1)


def listed_as_it_is(folder):
    """Brings files.json up to date, so that the content of run.json itself is what is looked at."""
    names = [path.name for path in folder.iterdir() if path.name != checkpoint_files.LIST]
    described = {name: checkpoint_files._describe(str(folder / name)) for name in names}
    (folder / checkpoint_files.LIST).write_text(json.dumps(described))


def replaced(values):
    """The same values, with each one in turn replaced by each of what it cannot be, or left out."""
    for key in values:
        yield {name: value for name, value in values.items() if name != key}
        for wrong in WRONG:
            yield {**values, key: wrong}


@pytest.mark.attack
def test_a_list_of_files_of_any_content_makes_the_checkpoint_count_as_damaged(saved, attack):
    path = newest(saved) / checkpoint_files.LIST
    sound = path.read_bytes()
    values = json.loads(sound)
    contents = [*NOT_JSON]
    contents += [json.dumps({**values, name: wrong}).encode() for name in values for wrong in WRONG]
    for name in values:
        contents += [json.dumps({**values, name: entry}).encode() for entry in replaced(values[name])]
    contents += [json.dumps({"run.json": values["run.json"]}).encode(), json.dumps({**values, "../x": {}}).encode()]
    try:
        for content in contents:
            path.write_bytes(content)
            assert is_passed_over(saved), content[:200]
    finally:
        path.write_bytes(sound)
    assert not is_passed_over(saved)
    attack(
        "training", "files.json of a checkpoint, of any content", len(contents), len(contents), "the one before is used"
    )


@settings(derandomize=True, database=None, deadline=None, max_examples=300, suppress_health_check=list(HealthCheck))
@given(VALUES)
def test_any_value_as_list_of_files_is_passed_over(saved, value):
    path = newest(saved) / checkpoint_files.LIST
    sound = path.read_bytes()
    try:
        for content in (value, {"run.json": value}, {**json.loads(sound), "more": value}):
            path.write_text(json.dumps(content))
            assert is_passed_over(saved)
    finally:
        path.write_bytes(sound)


@pytest.mark.attack
def test_a_summary_of_any_content_makes_the_checkpoint_count_as_damaged(saved, attack):
    folder = newest(saved)
    path = folder / "run.json"
    sound = path.read_bytes()
    values = json.loads(sound)
    contents = [
        *NOT_JSON,
        *[json.dumps({**values, "config": {**values["config"], "model": w}}).encode() for w in WRONG[:5]],
    ]
    for field in ("step", "images_seen", "config", "num_workers"):
        contents += [
            json.dumps({**values, field: wrong}).encode() for wrong in (None, True, -1, 1.5, "text", [1], 1 << 70)
        ]
    contents += [json.dumps({**values, field: 5}).encode() for field in ("label_names", "metrics", "meters", "unknown")]
    contents += [json.dumps({**values, "meters": {"a": wrong}}).encode() for wrong in (None, [], [1, 2], [1, 2, "3"])]
    try:
        for content in contents:
            path.write_bytes(content)
            listed_as_it_is(folder)
            assert is_passed_over(saved), content[:200]
    finally:
        path.write_bytes(sound)
        listed_as_it_is(folder)
    assert not is_passed_over(saved)
    attack(
        "training", "run.json of a checkpoint, of any content", len(contents), len(contents), "the one before is used"
    )
