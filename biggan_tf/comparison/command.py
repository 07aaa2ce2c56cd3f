"""What the commands that train several recipes have in common: a plan or the work, and how mistakes and faults end."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable

from biggan_tf import files, storage_failure
from biggan_tf.config import flags as config_flags
from biggan_tf.folder_lock import FolderInUseError, FolderLock


def run(name: str, what: str, output: str, plan: Callable[[], object] | None, work: Callable[[], int]) -> int:
    """Prints a plan as JSON, or works in a folder that no other process writes.

    Args:
        name: The module of the command, such as "biggan_tf.compare".
        what: What the folder is of, such as "comparison".
        output: The folder; "": there is none, which a plan does without.
        plan: Returns what is printed; None: the work is done.
        work: Does it, with the lock of the folder, and returns the exit status.

    Returns:
        The exit status. A mistake of the user, a training that failed, and a disk that is full or has an error end the
        process with one message.
    """
    try:
        files.require_local("--output", output)
    except files.NoFileSystemError as error:
        config_flags.fail(str(error))
    if not (output or plan):
        config_flags.fail(f"--output must name a local folder for the {what}. Received: {output or 'none'}.")
    logging.getLogger("biggan_tf").setLevel(logging.INFO)
    from biggan_tf.comparison.execution import ExecutionError
    from biggan_tf.data.manifest import DataError
    from biggan_tf.training.checkpoints.files import CheckpointError

    try:
        if plan is not None:
            print(json.dumps(plan(), indent=2))  # noqa: T201 - the output
            return 0
        with FolderLock(output):
            return work()
    except ExecutionError as error:
        config_flags.fail(str(error), error.status)
    except (DataError, CheckpointError, FolderInUseError, NotADirectoryError, FileExistsError) as error:
        config_flags.fail(str(error))
    except ValueError as error:  # a protocol, a plan or a file of weights that does not fit
        config_flags.fail(f"{name}: {error}")
    except OSError as error:
        config_flags.fail(storage_failure.describe(error, output), storage_failure.STATUS)
