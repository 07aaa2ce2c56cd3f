"""A live bar: images per second and time left, whichever processes do the work.

Workers add a byte for each image to a file of their own; the bar is the sum of the sizes. It needs no service and no
runner's support, and costs one stat a second.
"""

from __future__ import annotations

import os
import threading
from types import TracebackType

import tqdm

from pipeline.sources import files

_POLL_S = 1.0


class ProgressBar:
    """Shows the progress of a local run while its block runs.

    Args:
        staging: Folder of the run.
        num_images: In all.
        enabled: False shows nothing.
    """

    def __init__(self, staging: str, num_images: int, enabled: bool):
        self._folder = os.path.join(staging, "progress")
        self._num_images = num_images
        self._enabled = enabled and not files.is_remote(staging)
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
            self._show()
            self._bar.close()

    def _poll(self) -> None:
        while not self._done.wait(_POLL_S):
            self._show()

    def _show(self) -> None:
        self._bar.update(min(marked(self._folder), self._num_images) - self._bar.n)


def marked(folder: str) -> int:
    """Images that the workers have marked as done."""
    if not os.path.isdir(folder):
        return 0
    return sum(entry.stat().st_size for entry in os.scandir(folder))
