"""Several studies at a time, each in a process of its own.

Most of a study's time is the tracing of small graphs, which keeps one core busy, however many there are.
"""

from __future__ import annotations

import concurrent.futures
import multiprocessing
import os
import threading
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import tensorflow as tf

from biggan_tf.studies import registry
from biggan_tf.studies.contract import StudyContext, StudyResult
from biggan_tf.studies.execution import perform, write
from biggan_tf.training.compute_report import num_cores

_MOST = 4  # processes unless a number is given; each takes 2 to 3 GB


class StudyOutcome(NamedTuple):
    """What became of a study.

    Attributes:
        name: The study.
        result: What it found; None: it could not be done.
        refusal: Why not; "": it was done.
    """

    name: str
    result: StudyResult | None
    refusal: str


def number_of_processes() -> int:
    """A process for each core, four at most; one where there is a GPU, whose memory the first process takes."""
    if tf.config.list_physical_devices("GPU"):
        return 1
    return min(num_cores(), _MOST)


def outcomes(names: Sequence[str], context: StudyContext, output: str, processes: int) -> Iterator[StudyOutcome]:
    """Runs studies and writes their files; yields what became of each, in the order in which they end.

    Args:
        names: The studies.
        context: What they are run with. A study that looks at no trained networks is run without the model.
        output: The folder of the files.
        processes: How many studies are run at a time; 1: one after the other, in this process.
    """
    if processes == 1:
        for name in names:
            yield outcome(name, context, output)
        return
    # A process that was forked from one in which TensorFlow runs would hang.
    pool = concurrent.futures.ProcessPoolExecutor(
        processes, multiprocessing.get_context("spawn"), initializer=_end_with_parent
    )
    with pool:
        # The last one, search_proxies, takes longest: it must not begin when all others are done.
        futures = [pool.submit(outcome, name, context, output) for name in reversed(names)]
        try:
            for future in concurrent.futures.as_completed(futures):
                yield future.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def outcome(name: str, context: StudyContext, output: str) -> StudyOutcome:
    """Runs one study and writes its files.

    Args:
        name: The study.
        context: What the study is run with. A study that looks at no trained networks is run without the model.
        output: The folder of the files.
    """
    study = registry.load(name)
    own = context if study.uses_run else StudyContext(context.seed, context.budget, data=context.data)
    try:
        result = perform(study, own)
        write(study, own, result, output)
    # Each refusal of the package is a ValueError: images of another size, an extractor that is not installed,
    # data that were moved away. One of them must not take the page of the other studies with it.
    except ValueError as error:
        return StudyOutcome(name, None, str(error))
    return StudyOutcome(name, result, "")


def _end_with_parent() -> None:
    """Lets this process end with the one that started it, even if that was killed."""
    parent = multiprocessing.parent_process()
    if parent is None:
        raise RuntimeError("A process of a pool has one that started it.")

    def watch() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=watch, name="parent", daemon=True).start()
