"""A killed run leaves nothing that anyone takes for complete, and the next run goes on from it."""

import os
import shutil
import signal
import subprocess
import sys
import time

import pytest

from biggan_tf.data import manifest
from biggan_tf.folder_lock import FolderLock
from pipeline.errors import PipelineError
from pipeline.preprocessing import plan, preflight, target
from pipeline.preprocessing.settings import Allowances, Settings
from pipeline.sources.shapes import Shapes
from tests.pipeline import running


def make_plan(seed=0):
    with plan.Index(Shapes(40, seed), seed) as index:
        return plan.make_plan(index, preflight.check(index.census, frozenset(), None, Allowances(), ""), Settings())


def test_half_a_run_is_invisible_and_the_next_reuses_its_shards(tmp_path, monkeypatch):
    running.shapes(tmp_path / "whole")
    with monkeypatch.context() as patch:
        patch.setattr("pipeline.preprocessing.finish.publish", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            running.shapes(tmp_path / "out")
    with pytest.raises(manifest.DataError, match=r"has not finished|does not exist"):
        running.load(tmp_path / "out")
    (staging,) = (tmp_path / "out").iterdir()
    shards = sorted((staging / "shards" / "16").glob("*.tfrecord"))
    (shards[0].parent / "statistics.123.tmp").write_bytes(b"half")  # nor is any other half of a file kept
    shards[0].write_bytes(b"half")  # a shard that does not match its result is made again
    kept = shards[1].stat().st_mtime_ns
    assert running.shapes(tmp_path / "out") == 0
    assert (tmp_path / "out" / "16" / shards[1].name).stat().st_mtime_ns == kept
    assert running.contents(tmp_path / "out") == running.contents(tmp_path / "whole")


def test_what_a_run_leaves_that_ends_while_it_removes_its_staging_folder_goes_with_the_next(tmp_path, monkeypatch):
    running.shapes(tmp_path / "whole")
    with monkeypatch.context() as patch:
        patch.setattr(target.Staging, "remove", lambda self: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            running.shapes(tmp_path / "out")
    (staging,) = (tmp_path / "out").glob(".staging-*")
    with FolderLock(staging, name="lock"):
        assert running.shapes(tmp_path / "out") == 0
        assert staging.exists()  # another run works in it
    unfinished = staging / "shards" / "32" / "train-00000-of-00001.tfrecord"
    unfinished.parent.mkdir(parents=True)
    unfinished.write_bytes(b"of a run at 32 pixels, which goes on from it")
    assert running.shapes(tmp_path / "out") == 0
    assert unfinished.exists()
    shutil.rmtree(unfinished.parent)
    assert running.shapes(tmp_path / "out") == 0
    assert running.contents(tmp_path / "out") == running.contents(tmp_path / "whole")


def test_two_runs_at_once_are_refused(tmp_path):
    made = make_plan()
    with (
        target.Staging(str(tmp_path), made),
        pytest.raises(PipelineError, match="Another run is writing"),
        target.Staging(str(tmp_path), made),
    ):
        pass


def test_staging_of_another_plan_is_removed(tmp_path):
    with target.Staging(str(tmp_path), make_plan()) as first:
        pass
    with target.Staging(str(tmp_path), make_plan(seed=1)) as second:
        assert first.path != second.path
        assert [path.name for path in tmp_path.iterdir()] == [os.path.basename(second.path)]


def test_finished_folder_that_was_damaged_since_is_named(tmp_path):
    running.shapes(tmp_path / "out")
    next((tmp_path / "out" / "16").glob("*.tfrecord")).unlink()
    with pytest.raises(PipelineError, match="was finished and has been damaged since"):
        running.shapes(tmp_path / "out")


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """What a run of 3,000 shapes writes that nobody kills."""
    folder = tmp_path_factory.mktemp("whole")
    running.shapes(folder, num_shapes=3000)
    return running.contents(folder)


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2])
def test_kill_9_in_the_middle(tmp_path, whole, workers):
    command = [
        sys.executable, "-m", "pipeline.preprocess", "--source=shapes", "--num_shapes=3000", "--resolutions=16",
        f"--output={tmp_path / 'out'}", "--noprogress", f"--direct_num_workers={workers}",
    ]  # fmt: skip
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    deadline = time.monotonic() + 500
    while not list(tmp_path.glob("out/.staging-*/shards/16/train-*.tfrecord")):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert [path.name[:9] for path in (tmp_path / "out").iterdir()] == [".staging-"]
    with pytest.raises(manifest.DataError):
        running.load(tmp_path / "out")
    assert running.shapes(tmp_path / "out", num_shapes=3000) == 0
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["16"]
    assert running.contents(tmp_path / "out") == whole


@pytest.mark.slow
def test_two_thousand_damaged_images_go_through_the_job(tmp_path):
    from tests.pipeline import pictures

    for seed in range(2000):
        kind, data = pictures.damaged(seed)
        path = tmp_path / "in" / f"class_{seed % 3}" / f"{seed}_{kind}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    request = {"input": str(tmp_path / "in"), "schema": ""}
    arguments = ["--direct_num_workers=2"]
    code = running.preprocess(
        tmp_path / "out", request=request, arguments=arguments, max_rejected_fraction=0.99, max_pixels=1_000_000
    )
    assert code in (0, 3)
    made = running.load(tmp_path / "out")
    rejected = sum(count for name, count in made.counters.items() if name.startswith("rejected_"))
    assert made.counters["images"] + rejected == 2000
    assert len((tmp_path / "out/16/rejected.jsonl").read_text().splitlines()) == rejected > 800
