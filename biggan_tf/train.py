"""Trains a GAN by a recipe, for example a BigGAN.

python -m biggan_tf.train --config=configs/biggan_128.py --config.data.path=DATA --workdir=DIR

The same command goes on from the newest checkpoint in DIR. One process at a time may write DIR, which is locked unless
it is remote. With `--dry_run` it looks whether the data fits, prints what the configuration costs as one JSON object,
and ends.

Exit status: 0 the training is done; 2 the configuration, the data or a checkpoint is wrong, an evaluation cannot be
computed, or another process writes DIR, and the message says what to change; 3 a value was not finite; 4 the networks
collapsed; 74 the disk was full, read-only or had an error, and the checkpoints from before are whole; 75 SIGTERM or
SIGINT stopped the training, at whatever moment: a step that was done is saved; or another worker could not be reached,
and the checkpoints from before are whole.
"""

# ruff: noqa: E402 - the environment is prepared above the imports that bring TensorFlow in
from __future__ import annotations

from biggan_tf import stop_signals

stop_signals.take_over(__name__, "biggan-train")

import json
import logging
from collections.abc import Sequence
from typing import Any

from biggan_tf import environment

environment.prepare()

from absl import flags

from biggan_tf import files, storage_failure
from biggan_tf.config import Config, ConfigError, fine_tuning, metric_names, to_dict
from biggan_tf.config import flags as config_flags
from biggan_tf.folder_lock import FolderInUseError

_CONFIG = config_flags.define_config()
_WORKDIR = flags.DEFINE_string(
    "workdir",
    None,
    "Folder of the run, where checkpoints, metrics.jsonl, samples and TensorBoard's files go; it is created if it is "
    "not there. If it holds checkpoints, the run goes on from the newest one. Local or a URL, e.g. runs/cifar10 or "
    "gs://bucket/run.",
)
_INIT_FROM = flags.DEFINE_string(
    "init_from",
    None,
    "Weights to begin a new run with: a preset, the folder of a run, or published weights; as "
    "--config.initial.weights. Classes of the same name keep their embeddings, new ones get new ones.",
)
_AUGMENT = flags.DEFINE_enum(
    "augment",
    None,
    list(fine_tuning.AUGMENTATIONS),
    "What the discriminator sees is changed at random, against learning few images by heart: ada, as often as needed; "
    "diffaugment, always; none. Default: as the recipe says.",
)
_TRACKER = flags.DEFINE_list(
    "tracker",
    [],
    "Where the numbers and sheets go besides TensorBoard's files: wandb, mlflow or both. Without WANDB_MODE=online or "
    "MLFLOW_TRACKING_URI nothing leaves this machine.",
)
_PROFILE = flags.DEFINE_bool(
    "profile",
    False,
    "Write a TensorFlow trace of three steps, the sixth to the eighth, to WORKDIR/profile, for TensorBoard.",
)
_DRY_RUN = flags.DEFINE_bool(
    "dry_run",
    False,
    "Print the numbers of parameters, operations and bytes of memory that the configuration needs as JSON, and end.",
)


def main(argv: Sequence[str]) -> int:
    """Trains, or prints the cost; returns the exit status, or ends the process with it where workers train together."""
    del argv
    config = config_flags.resolve(_CONFIG, Config)
    fine_tuning.apply(config, _INIT_FROM.value, _AUGMENT.value)
    config.validate()
    workdir = _WORKDIR.value or ""
    if not workdir and not _DRY_RUN.value:
        config_flags.fail("--workdir must name the folder of the run. Received: none; it is made if it is not there.")
    try:
        _check_places(config, workdir)
    except files.NoFileSystemError as error:
        config_flags.fail(str(error))
    logging.getLogger("biggan_tf").setLevel(logging.INFO)
    if _DRY_RUN.value or config.distribution.strategy != "multi_worker":
        return _train(config, workdir)
    from biggan_tf.training import coordination

    try:
        status = _train(config, workdir)
    except SystemExit as ended:  # its message has been printed
        status = ended.code if isinstance(ended.code, int) else 1
    return coordination.end_process(status)


def _train(config: Config, workdir: str) -> int:
    """Trains, or prints the cost; returns the exit status, or ends the process with a message and one."""
    from biggan_tf.data.manifest import DataError
    from biggan_tf.evaluation.scheduled_evaluation import ScheduledEvaluation
    from biggan_tf.interop.weights_file_error import WeightsFileError
    from biggan_tf.presets.hub import HubError
    from biggan_tf.training import distribution, loop
    from biggan_tf.training.checkpoints.files import CheckpointError
    from biggan_tf.training.initial_weights import InitialWeightsError
    from biggan_tf.training.trackers import opening

    trackers = [opening.named(name) for name in _TRACKER.value]
    try:
        if _DRY_RUN.value:
            print(json.dumps(_expectations(config, workdir), indent=2))  # noqa: T201 - the output
            return 0
        evaluate = None
        if config.evaluation.every_steps or config.evaluation.every_minutes:
            if distribution.worker_number(config.distribution) == 0:  # no other evaluates
                _check_features(config)
            evaluate = ScheduledEvaluation(workdir, progress=True)
        return loop.train(config, workdir, profile=_PROFILE.value, evaluate=evaluate, trackers=trackers)
    except (HubError, InitialWeightsError, WeightsFileError) as error:
        config_flags.fail(f"The run cannot begin with {config.initial.weights}: {error}")
    except (ConfigError, DataError, CheckpointError, FolderInUseError, loop.EvaluationError) as error:
        config_flags.fail(str(error))
    except (NotADirectoryError, FileExistsError) as error:
        config_flags.fail(f"--workdir must name a folder, or a place where one can be made. Received: {error}.")
    except OSError as error:
        config_flags.fail(storage_failure.describe(error, workdir), storage_failure.STATUS)


def _check_places(config: Config, workdir: str) -> None:
    """Raises NoFileSystemError if what the run reads or writes lies where TensorFlow cannot reach it."""
    files.require_file_system("--workdir", workdir)
    files.require_file_system("--config.data.path", config.data.path)
    files.require_file_system("--config.monitoring.pixel_workdir", config.monitoring.pixel_workdir)
    if not config.initial.weights.startswith("hf://"):
        flag = "--init_from" if _INIT_FROM.value else "--config.initial.weights"
        files.require_file_system(flag, config.initial.weights)


def _check_features(config: Config) -> None:
    """Raises ConfigError if the evaluations of a training need a file of weights that is not there.

    `Config.problems` does not ask for it, since the configuration of a preset names no place of a machine.
    """
    features, path = config.evaluation.features, config.evaluation.features_path
    if metric_names.reads_weights(features, config.evaluation.metrics, config.model) and not files.is_file(path):
        raise ConfigError(
            [
                f"evaluation.features_path must name the file of weights that evaluation.features={features} needs. "
                f"Received: {path!r}, which is no file; give one by --config.evaluation.features_path=FILE."
            ]
        )


def _expectations(config: Config, workdir: str) -> dict[str, Any]:
    """What `--dry_run` prints.

    Args:
        config: The configuration.
        workdir: The folder of the run; if it is local and holds checkpoints, the precision is theirs. "": none.
    """
    from biggan_tf.training import cost, run_precision
    from biggan_tf.training.checkpoints import files as checkpoint_files

    summary = None
    # Remote storage is left alone: a dry run works where it cannot be reached.
    if workdir and "://" not in workdir and (folder := checkpoint_files.newest_whole(workdir)):
        summary = checkpoint_files.read_summary(folder)
    distribution = config.distribution
    num_replicas = max(1, distribution.num_replicas) if distribution.strategy == "mirrored" else 1
    config.validate(num_replicas)
    data, advice = _data_found(config)
    decided = run_precision.decide(config, summary)
    policy = {"asked": decided.asked, "resolved": decided.policy, "reason": decided.reason}
    config = decided.applied(config)
    costs = cost.report(config, num_replicas)
    return {"policy": policy, "data": data, "advice": advice, **costs, "config": to_dict(config)}


def _data_found(config: Config) -> tuple[str, str]:
    """What is known of the data, a sentence, and what to change because of it; "": nothing.

    Raises:
        DataError: The data is there and does not fit the configuration.
    """
    from biggan_tf.data import compatibility
    from biggan_tf.data import manifest as manifest_lib
    from biggan_tf.training import small_data

    path = config.data.path
    if not path or "://" in path:
        return f"not looked at: {'data.path names no folder' if not path else f'{path} is remote'}", ""
    if not files.exists(files.join(path, manifest_lib.FILE_NAME)):
        return f"not looked at: {path} holds no data yet", ""
    manifest = manifest_lib.load(path)
    compatibility.check(manifest, config, config.data.split)
    count, classes = manifest.splits[config.data.split].num_records, manifest.num_classes
    return f"{path} fits: {count} images of {manifest.resolution} pixels in {classes} classes", small_data.advice(
        count, config
    )


def run() -> None:
    """The console script."""
    config_flags.run(main)


if __name__ == "__main__":
    run()
