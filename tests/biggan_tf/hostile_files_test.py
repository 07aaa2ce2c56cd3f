"""Hostile text in the small files that commands read: one clear error, or the file does not count."""

import pytest

from biggan_tf.config import ConfigError
from biggan_tf.evaluation.metrics import reference_statistics
from biggan_tf.evaluation.reports import results, run_report
from biggan_tf.training import distribution
from biggan_tf.training.checkpoints import files as checkpoint_files
from serving.client.errors import ClientError
from serving.client.plan import LabelMap

TEXTS = (
    b"", b"[" * 100_000, b'{"a":' * 100_000, b"1" * 5_000, b'{"step": ' + b"9" * 5_000 + b"}", b"\xff\xfe", b"null",
    b"[1]", b'"text"', b"[[]]", b'{"name": 1}', b'[{"name": 1}]', b'{"cluster": 1, "task": 2}',
    b'{"cluster": {"worker": 3}, "task": {"index": 0}}', b'{"cluster": {"worker": ["a"]}, "task": [0]}',
    b'{"cluster": {"worker": ["a"]}, "task": {"index": 1e999}}', b"NaN", b"\x00",
)  # fmt: skip


def _labels(path):
    LabelMap(path)


def _summary(path):
    checkpoint_files.read_summary(path.removesuffix("/run.json"))


READERS = {
    "a result of an evaluation": (results.load, ValueError),
    "statistics of real images": (reference_statistics.load, ValueError),
    "labels of an export": (_labels, ClientError),
    "the summary of a checkpoint": (_summary, checkpoint_files.CheckpointError),
}


@pytest.mark.attack
@pytest.mark.parametrize("reader", READERS)
def test_hostile_text_in_the_place_of_a_file_is_one_clear_error(tmp_path, reader, attack):
    read, expected = READERS[reader]
    path = tmp_path / "run.json"
    for text in TEXTS:
        path.write_bytes(text)
        with pytest.raises(expected, match=r"run\.json") as caught:
            read(str(path))
        assert len(str(caught.value)) < 2_000
    attack("weights", f"hostile text in the place of {reader}", len(TEXTS), len(TEXTS), "one clear error each")


def test_hostile_lines_of_a_log_are_left_out(tmp_path):
    path = tmp_path / "metrics.jsonl"
    path.write_bytes(b"\n".join([*TEXTS, b'{"step": 7}', b"half"]))
    assert run_report.read_log(str(path))[-1] == {"step": 7}


@pytest.mark.parametrize("text", [text.decode() for text in TEXTS if b"\xff" not in text])
def test_a_hostile_place_in_a_cluster_is_one_clear_error(text):
    with pytest.raises(ConfigError, match="TF_CONFIG") as caught:
        distribution._place_in_cluster(text)
    assert len(str(caught.value)) < 2_000
