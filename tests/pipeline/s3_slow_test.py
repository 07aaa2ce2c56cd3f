"""The preprocessing from and to a server that speaks S3, through Beam's own file system for it."""

import pytest
from apache_beam.io.filesystems import FileSystems
from apache_beam.options.pipeline_options import PipelineOptions

from biggan_tf.data import manifest
from pipeline.preprocessing import storage
from pipeline.sources import beam_files
from tests.pipeline import running, s3_server

pytestmark = pytest.mark.engine

ROOT = f"s3://{s3_server.BUCKET}"


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    s3_server.require_parts()
    with s3_server.running(tmp_path_factory.mktemp("s3") / "log") as store:
        yield store


@pytest.mark.slow
def test_a_run_from_and_to_s3_writes_the_bytes_of_a_local_run(commands, tmp_path, store):
    running.write_images(tmp_path / "in", {"train/a": 4, "train/b": 4, "val/a": 1, "val/b": 1})
    running.preprocess(tmp_path / "local", request={"input": str(tmp_path / "in")})
    store.upload(tmp_path / "in", "in")
    command = [
        "pipeline.preprocess", "--source=folders", f"--input={ROOT}/in", f"--output={ROOT}/out", "--resolutions=16",
        "--noprogress", *store.arguments,
    ]  # fmt: skip
    first = commands.run(*command)
    assert first.status == 0, first.stdout + first.stderr
    written = store.contents("out")
    # Beam cannot upload an empty file: a line end takes its place, which counts as no line and as a mark.
    assert written == {name: content or b"\n" for name, content in running.contents(tmp_path / "local").items()}
    for name, content in written.items():
        copy = tmp_path / "copy" / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(content)
    assert manifest.load(str(tmp_path / "copy" / "16")) == manifest.load(str(tmp_path / "local" / "16"))
    second = commands.run(*command)
    assert second.status == 0, second.stdout + second.stderr
    assert "is up to date; nothing to do" in second.stdout


@pytest.mark.slow
@pytest.mark.parametrize("num_bytes", [0, 1, 5 << 20, (11 << 20) + 1])
def test_files_of_several_parts_come_back_as_they_were(monkeypatch, store, num_bytes):
    monkeypatch.setattr(FileSystems, "_pipeline_options", PipelineOptions(store.arguments))
    content = bytes(range(251)) * (num_bytes // 251) + bytes(num_bytes % 251)
    storage.write_atomically(f"{ROOT}/parts/{num_bytes}", content)
    assert store.contents("parts")[str(num_bytes)] == (content or b"\n")
    with beam_files.open_binary(f"{ROOT}/parts/{num_bytes}") as file:
        assert file.read() == (content or b"\n")
    assert storage.entries(f"{ROOT}/parts") == sorted(store.contents("parts"))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("more", "status", "message"),
    [
        ([f"--input={ROOT}/nothing"], 1, "There must be images; none was found."),
        (
            ["--input=s3://nowhere/in"],
            2,
            "--input must be in a bucket that can be listed. Received: s3://nowhere/in: An",
        ),
        (
            [f"--input={ROOT}/in", "--s3_endpoint_url=http://127.0.0.1:9"],
            2,
            f"--input must be in a bucket that can be listed. Received: {ROOT}/in: Could not connect to the endpoint",
        ),
    ],
    ids=["empty", "no bucket", "no server"],
)
def test_an_input_that_is_not_there_is_one_message(commands, store, more, status, message):
    words = ["pipeline.preprocess", "--source=folders", f"--output={ROOT}/new", "--noprogress", *store.arguments, *more]
    finished = commands.run(*words)
    assert finished.status == status
    assert finished.stderr.startswith(f"Error: {message}"), finished.stderr
    assert "Traceback" not in finished.stderr, finished.stderr
