"""A live bar that shows images per second and the time left, whichever processes do the work, on whichever hosts.

Where the staging folder is a file system, each worker appends a byte for each image to a file of its own, and the bar
shows the sum of the files' sizes, read once a second. An object store has no files to append to: there the bar counts
the images of the shards that are finished, and lists them every ten seconds. Neither needs anything of the runner.
"""

from __future__ import annotations

import contextlib
import os
import threading
from types import TracebackType

import tqdm

from pipeline.preprocessing import storage
from pipeline.preprocessing.plan import Plan
from pipeline.sources import beam_files

_POLL_S = 1.0
_REMOTE_POLL_S = 10.0


class ProgressBar:
    """A context manager that shows the progress of a run.

    Args:
        staging: The staging folder.
        plan: The run's plan, whose number of images is where the bar ends.
        enabled: Whether to show the bar.
    """

    def __init__(self, staging: str, plan: Plan, enabled: bool):
        self._staging, self._plan = staging, plan
        self._num_images = sum(plan.num_images.values())
        self._enabled = enabled
        self._done = threading.Event()

    def __enter__(self) -> ProgressBar:
        if self._enabled:
            self._bar = tqdm.tqdm(total=self._num_images, unit="img", desc="preprocess", dynamic_ncols=True)
            self._thread = threading.Thread(target=self._poll, daemon=True)
            self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._enabled:
            self._done.set()
            self._thread.join()
            self._show_if_known()
            self._bar.close()

    def _poll(self) -> None:
        while not self._done.wait(_REMOTE_POLL_S if beam_files.is_remote(self._staging) else _POLL_S):
            self._show_if_known()

    def _show_if_known(self) -> None:
        # An object store that does not answer now: the bar stands still, and the run goes on or ends as it would.
        with contextlib.suppress(OSError):
            self._show()

    def _show(self) -> None:
        if beam_files.is_remote(self._staging):
            count = finished(self._staging, self._plan)
        else:
            count = marked(os.path.join(self._staging, "progress"))
        self._bar.update(min(count, self._num_images) - self._bar.n)


def marked(folder: str) -> int:
    """Number of images that the workers have marked as done in a folder of such files."""
    if not os.path.isdir(folder):
        return 0
    return sum(entry.stat().st_size for entry in os.scandir(folder))


def finished(staging: str, plan: Plan) -> int:
    """Number of images of the shards whose results are in a staging folder, those of an earlier run among them."""
    names = set(storage.entries(beam_files.join(staging, "results")))
    return sum(shard.stop - shard.start for shard in plan.shards() if f"{shard.name}.json" in names)
