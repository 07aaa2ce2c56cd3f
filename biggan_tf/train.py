"""Trains a BigGAN.

python -m biggan_tf.train --config=configs/biggan_128.py --config.data.path=DATA --workdir=DIR

The same command resumes. `--dry_run` prints what the configuration costs as one JSON object and ends.

Exit status: 0 done; 2 a mistake to put right; 3 a value that is not finite; 4 collapse; 75 stopped by SIGTERM or
SIGINT after saving.
"""

# ruff: noqa: E402 - the environment is prepared above the imports that bring TensorFlow in
from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from typing import Any

from biggan_tf import environment

environment.prepare()

from absl import flags

from biggan_tf import config_flags
from biggan_tf.config import Config, to_dict

_CONFIG = config_flags.define_config()
_WORKDIR = flags.DEFINE_string("workdir", None, "Folder of the run: checkpoints, metrics.jsonl, samples, TensorBoard.")
_PROFILE = flags.DEFINE_bool("profile", False, "Write a TensorFlow trace of a few steps to workdir/profile.")
_DRY_RUN = flags.DEFINE_bool("dry_run", False, "Print parameters, operations and memory as JSON, and end.")


def main(argv: Sequence[str]) -> int:
    """Trains, or prints the cost."""
    del argv
    config = config_flags.resolve(_CONFIG)
    config.validate()
    workdir = _WORKDIR.value or ""
    if not workdir and not _DRY_RUN.value:
        config_flags.fail("--workdir must name the folder of the run. Received: none; it is made if it is not there.")
        return 2
    logging.getLogger("biggan_tf").setLevel(logging.INFO)
    from biggan_tf.data.manifest import DataError
    from biggan_tf.evaluation.scheduled_evaluation import ScheduledEvaluation
    from biggan_tf.training import loop
    from biggan_tf.training.checkpoint_files import CheckpointError

    try:
        if _DRY_RUN.value:
            print(json.dumps(_expectations(config, workdir), indent=2))  # noqa: T201 - the output
            return 0
        evaluate = ScheduledEvaluation(workdir) if config.evaluation.every_steps else None
        return loop.train(config, workdir, profile=_PROFILE.value, evaluate=evaluate)
    except (DataError, CheckpointError, PermissionError, NotADirectoryError, FileExistsError) as error:
        config_flags.fail(str(error))
    return 2


def _expectations(config: Config, workdir: str) -> dict[str, Any]:
    """What `--dry_run` prints; the precision is that of the run in a local `workdir` if one has begun there."""
    from biggan_tf.networks import cost
    from biggan_tf.training import checkpoint_files, run_precision

    record = None
    # Remote storage is left alone: a dry run works where it cannot be reached.
    if workdir and "://" not in workdir and (steps := checkpoint_files.list_steps(workdir)):
        record = checkpoint_files.read_record(checkpoint_files.folder_of(workdir, steps[-1]))
    decided = run_precision.decide(config, record)
    policy = {"asked": decided.asked, "resolved": decided.policy, "reason": decided.reason}
    config = decided.applied(config)
    return {"policy": policy, **cost.report(config), "config": to_dict(config)}


def run() -> None:
    """The console script."""
    config_flags.run(main)


if __name__ == "__main__":
    run()
