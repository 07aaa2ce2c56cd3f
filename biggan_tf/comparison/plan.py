"""What a comparison is going to do: a run for each entry and seed, all with one budget and measured by one protocol.

Everything that can be wrong is found here, before anything is trained. The plan is written to comparison.json in the
folder of the comparison, so that a later call of the command goes on with the same runs and with no others.
"""

from __future__ import annotations

import copy
import dataclasses
import math
import os
import pprint
from collections.abc import Sequence
from typing import TypedDict

from biggan_tf import files
from biggan_tf.config import Config, ConfigError, EvaluationConfig, difference, from_dict, to_dict
from biggan_tf.config.comparison import ComparisonConfig, ComparisonEntry
from biggan_tf.config.parts import FamilyConfig
from biggan_tf.data import compatibility
from biggan_tf.data import manifest as manifest_lib
from biggan_tf.evaluation.enlargement_evaluator import EnlargementEvaluator
from biggan_tf.evaluation.extractors.features import FeatureExtractor, FeatureProtocol, load_extractor
from biggan_tf.evaluation.metrics import all_metrics, reference_statistics
from biggan_tf.evaluation.protocol import ImageProtocol, MetricProtocol, ProtocolMismatchError, SampleProtocol
from biggan_tf.evaluation.reports import results
from biggan_tf.training import cost

PLAN = "comparison.json"
REFERENCE = "reference.npz"
RECIPE = "recipe.py"
_UNLIMITED_STEPS = 1_000_000_000  # where the minutes decide
_RUNS = "runs"
_PLACES = ("evaluation.reference_path",)  # may have changed, as when the output was moved: its content is checked


class ComparisonError(ValueError):
    """A comparison that cannot be begun or gone on with; the message says what to change."""


class Parameters(TypedDict):
    """How many numbers are trained in each of the two networks."""

    generator: int
    discriminator: int


@dataclasses.dataclass(frozen=True)
class _StoredPlan:
    """The plan of an earlier call.

    Attributes:
        data_fingerprint: The fingerprint of the data.
        evaluation: The protocol.
        runs: The runs by their names.
    """

    data_fingerprint: str
    evaluation: EvaluationConfig
    runs: dict[str, PlannedRun]


@dataclasses.dataclass(frozen=True)
class PlannedRun:
    """One training of a comparison.

    Attributes:
        entry: The name of the entry.
        seed: The seed of the run.
        config: The configuration of the training.
        workdir: The folder of the run.
        parameters: How many parameters the networks have.
    """

    entry: str
    seed: int
    config: Config
    workdir: str
    parameters: Parameters

    @property
    def name(self) -> str:
        """What the run is called in messages, and its folder."""
        return f"{self.entry}-{self.seed}"


def build(comparison: ComparisonConfig, output: str) -> list[PlannedRun]:
    """The runs in the order in which they are made: every entry with its first seed, then with its second.

    So a comparison that is stopped has something to say about all entries as early as possible.

    Args:
        comparison: Its entries become runs.
        output: The folder of the comparison.

    Raises:
        ConfigError: With every problem of every entry, each with the entry's name in front.
        DataError: If the data is missing or does not fit an entry.
    """
    comparison.validate()
    problems = []
    for entry in comparison.entries:
        problems += [f"{entry.name}: {problem}" for problem in _problems(comparison, entry, output)]
    if problems:
        raise ConfigError(problems)
    manifest = manifest_lib.load(comparison.data.path)
    for entry in comparison.entries:
        compatibility.check(manifest, run_config(comparison, entry, 0, output), comparison.data.split)
    parameters = _parameters(comparison, output)
    most = max(len(comparison.seeds_of(entry)) for entry in comparison.entries)
    runs = []
    for turn in range(most):
        for entry in comparison.entries:
            for seed in comparison.seeds_of(entry)[turn : turn + 1]:
                config = run_config(comparison, entry, seed, output)
                workdir = files.join(_absolute(output), _RUNS, f"{entry.name}-{seed}")
                runs.append(PlannedRun(entry.name, seed, config, workdir, parameters[entry.name]))
    return runs


def checked(comparison: ComparisonConfig, output: str) -> list[PlannedRun]:
    """The runs of `build`, once all else that can be wrong has been looked at: the protocol, and an earlier plan.

    Raises:
        ValueError: If the entries cannot be compared, or `output` holds another comparison, or the weights of the
            network whose features are compared are missing.
    """
    comparison.validate()
    if comparison.enlarges:
        require_one_enlargement(comparison)
    else:
        evaluation = comparison.evaluation
        require_one_protocol(comparison, load_extractor(evaluation.features, evaluation.features_path))
    runs = build(comparison, output)
    _refuse_another_plan(runs, comparison, output)
    return runs


def run_config(comparison: ComparisonConfig, entry: ComparisonEntry, seed: int, output: str) -> Config:
    """The configuration of one run: the entry's recipe with the seed, data, budget and protocol of the comparison."""
    config = copy.deepcopy(entry.recipe)
    config.name = f"{entry.name}-{seed}"
    config.data.path, config.data.split = _absolute(comparison.data.path), comparison.data.split
    training, points = config.training, comparison.curve.points
    training.seed = seed
    training.num_steps, training.max_minutes = _UNLIMITED_STEPS, comparison.budget.minutes
    training.clock = comparison.budget.clock
    config.evaluation = dataclasses.replace(
        comparison.evaluation,
        metrics=comparison.evaluation.metrics[:1],
        num_samples=comparison.curve.num_samples or comparison.evaluation.num_samples,
        reference_path=_absolute(comparison.evaluation.reference_path or files.join(output, REFERENCE)),
    )
    if comparison.budget.images:
        training.num_steps = math.ceil(comparison.budget.images / config.images_per_step)
        if points:
            config.evaluation.every_steps = math.ceil(training.num_steps / points)
            config.checkpoints.every_steps = min(config.checkpoints.every_steps, config.evaluation.every_steps)
    elif points:
        config.evaluation.every_minutes = comparison.budget.minutes / points
    return config


def _absolute(path: str) -> str:
    """A local path from the root on: a run that goes on from another folder must not take its data for other data."""
    return os.path.abspath(path) if path and not files.is_remote(path) else path


def _problems(comparison: ComparisonConfig, entry: ComparisonEntry, output: str) -> list[str]:
    config = run_config(comparison, entry, 0, output)
    problems = config.problems()
    if comparison.budget.images and config.training.growth.enabled:
        problems.append(
            "budget.minutes must be given for networks that grow, whose batches change, so that a number of images is "
            f"no number of steps. Received: budget.images={comparison.budget.images}."
        )
    return problems


def _parameters(comparison: ComparisonConfig, output: str) -> dict[str, Parameters]:
    """How many parameters the networks of each entry have; those of equal ones, or of an earlier call, count once."""
    stored = _stored_plan(output)
    known = [(run.config.model, run.parameters) for run in stored.runs.values()] if stored else []
    parameters = {}
    for entry in comparison.entries:
        model = entry.recipe.model
        counted = next((numbers for other, numbers in known if difference(other, model) == {}), None)
        if counted is None:
            generator, discriminator = cost.network_costs(model)
            counted = Parameters(generator=generator.parameters, discriminator=discriminator.parameters)
            known.append((model, counted))
        parameters[entry.name] = counted
    return parameters


def require_one_protocol(comparison: ComparisonConfig, extractor: FeatureExtractor) -> None:
    """Refuses entries whose numbers could not be compared, before any work.

    A recipe that says in its sections `data` and `evaluation` the same as the comparison, or nothing, is measured as
    the comparison says. One that says otherwise asks for another protocol, as does one with another prior. Metrics of
    classes cannot be had of networks without any.

    Args:
        comparison: Has the protocol.
        extractor: The network that `comparison.evaluation` names.

    Raises:
        ProtocolMismatchError: Names the two entries and each field in which they differ.
        ValueError: If a metric compares classes, and an entry has none.
    """
    expected = _protocol(comparison, comparison.entries[0], extractor, of_comparison=True)
    for entry in comparison.entries:
        model = entry.recipe.model
        try:
            all_metrics.require_classes(comparison.evaluation.metrics, model.num_classes)
        except ValueError as error:
            raise ValueError(f"{entry.name}: {error}") from error
        protocol = _protocol(comparison, entry, extractor)
        _require_expected(comparison, entry, protocol, expected, fields_without_meaning(model), "prior")


def fields_without_meaning(*models: FamilyConfig) -> tuple[str, ...]:
    """The fields of a protocol in which numbers of these networks may differ and still be compared.

    How often each class was drawn is nothing to a network without classes.
    """
    return () if all(model.num_classes for model in models) else ("samples.labels",)


def require_one_enlargement(comparison: ComparisonConfig) -> None:
    """The same as `require_one_protocol` for entries that enlarge images.

    What a recipe says of metrics and of numbers of images is ignored: it is for evaluations in the course of its own
    training. A recipe with another filter of the reduction, or with other features, asks for another protocol.

    Raises:
        ProtocolMismatchError: Names the two entries and each field in which they differ.
        ValueError: If the weights of a network whose features are compared are missing, or it takes no patches.
    """
    asked = comparison.evaluation
    evaluator = EnlargementEvaluator.from_config(asked, comparison.data.path, comparison.data.split)
    expected = evaluator.protocol(comparison.entries[0].recipe.model, "ema")
    for entry in comparison.entries:
        own = _asked(entry.recipe.evaluation, asked)
        images = _images(comparison, entry, asked.num_samples)
        protocol = dataclasses.replace(evaluator.protocol(entry.recipe.model, "ema"), reference=images)
        uses_features = evaluator.extractor is not None or evaluator.maps is not None
        if uses_features and (own.features, own.features_path) != (asked.features, asked.features_path):
            protocol = dataclasses.replace(protocol, features=FeatureProtocol(own.features, "another file", ""))
        _require_expected(comparison, entry, protocol, expected, (), "reduction")


def _require_expected(
    comparison: ComparisonConfig,
    entry: ComparisonEntry,
    protocol: MetricProtocol,
    expected: MetricProtocol,
    ignoring: tuple[str, ...],
    of_first: str,
) -> None:
    """Refuses an entry with another protocol; `of_first` says what the first entry decides for all."""
    try:
        results.require_comparable(protocol, expected, ignoring)
    except ProtocolMismatchError as error:
        raise ProtocolMismatchError(
            f"All entries must be measured by the protocol of the comparison, with the {of_first} of its first entry, "
            f"{comparison.entries[0].name}. Received: {entry.name}, and {error}\nLeave these fields of its recipe as "
            "they are by default, or compare it in a comparison of its own."
        ) from error


def _protocol(
    comparison: ComparisonConfig, entry: ComparisonEntry, extractor: FeatureExtractor, of_comparison: bool = False
) -> MetricProtocol:
    """The protocol that an entry asks for.

    Args:
        comparison: Decides what the recipe leaves at the default.
        entry: Has the recipe.
        extractor: The comparison's.
        of_comparison: Whether to leave out what the recipe says of data and evaluation.
    """
    asked = comparison.evaluation if of_comparison else _asked(entry.recipe.evaluation, comparison.evaluation)
    images = _images(comparison, None if of_comparison else entry, asked.num_real)
    features = extractor.protocol
    if (asked.features, asked.features_path) != (comparison.evaluation.features, comparison.evaluation.features_path):
        features = FeatureProtocol(asked.features, "another file", "")
    samples = SampleProtocol(prior=entry.recipe.model.prior, num_images=asked.num_samples, labels=asked.labels)
    return MetricProtocol(features, images, samples, all_metrics.computation(asked.metrics, extractor))


def _images(comparison: ComparisonConfig, entry: ComparisonEntry | None, num_images: int) -> ImageProtocol:
    """The real images that a recipe asks for: the comparison's where it names none; None: there is no recipe."""
    path, split = comparison.data.path, comparison.data.split
    if entry is not None:
        data = entry.recipe.data
        path, split = data.path or path, split if data.split == "train" else data.split
    return reference_statistics.image_protocol(manifest_lib.load(path), split, num_images)


def _asked(of_recipe: EvaluationConfig, of_comparison: EvaluationConfig) -> EvaluationConfig:
    """What a recipe asks for: its own fields where they are not the defaults, else the comparison's."""
    default = EvaluationConfig()
    own = {
        field.name: getattr(of_recipe, field.name)
        for field in dataclasses.fields(EvaluationConfig)
        if getattr(of_recipe, field.name) != getattr(default, field.name)
    }
    return dataclasses.replace(of_comparison, **own)


def write(runs: Sequence[PlannedRun], comparison: ComparisonConfig, output: str) -> None:
    """Writes the plan and the recipe of each run, or refuses to go on with runs that were another plan's.

    Entries and seeds may be added to a comparison, and left out again; what a run computes may not change.

    Raises:
        ComparisonError: Names each field that differs.
    """
    _refuse_another_plan(runs, comparison, output)
    stored = _stored_plan(output)
    known = (stored.runs if stored else {}) | {run.name: run for run in runs}
    plan = {
        "data_fingerprint": manifest_lib.load(comparison.data.path).fingerprint,
        "evaluation": dataclasses.asdict(comparison.evaluation),
        "runs": {name: {"config": to_dict(run.config), "parameters": run.parameters} for name, run in known.items()},
    }
    files.write_json(files.join(output, PLAN), plan)
    for run in runs:
        path = files.join(run.workdir, RECIPE)
        command = f"    python -m biggan_tf.train --config={path} --workdir={run.workdir}"
        files.write_text(path, recipe_text(run.config, f"The run {run.name} of a comparison.\n\n{command}\n"))


def _refuse_another_plan(runs: Sequence[PlannedRun], comparison: ComparisonConfig, output: str) -> None:
    stored = _stored_plan(output)
    if stored is None:
        return
    changes: dict[str, tuple[object, object]] = {}
    fingerprint = manifest_lib.load(comparison.data.path).fingerprint
    if stored.data_fingerprint != fingerprint:
        changes["the fingerprint of the data"] = (stored.data_fingerprint, fingerprint)
    changes |= difference(stored.evaluation, comparison.evaluation, "evaluation.")
    for run in runs:
        if run.name in stored.runs:
            differing = difference(stored.runs[run.name].config, run.config)
            changes |= {f"{run.name}: {field}": values for field, values in differing.items() if field not in _PLACES}
    if changes:
        listed = "\n  - ".join(f"{name}: {before!r} and {after!r}" for name, (before, after) in changes.items())
        raise ComparisonError(
            f"{output} holds runs of a comparison that was configured otherwise. Only entries and seeds may be added. "
            f"Received:\n  - {listed}\nName another --output, or set these fields back."
        )


def _stored_plan(output: str) -> _StoredPlan | None:
    """The plan of an earlier call; None: there was none."""
    path = files.join(output, PLAN)
    if not output or not files.exists(path):
        return None
    try:
        plan, runs = files.read_json(path), {}
        for name, values in plan["runs"].items():
            entry, _, seed = name.rpartition("-")
            counts = values["parameters"]
            parameters = Parameters(generator=counts["generator"], discriminator=counts["discriminator"])
            config = from_dict(Config, values["config"])
            runs[name] = PlannedRun(entry, int(seed), config, files.join(output, _RUNS, name), parameters)
        return _StoredPlan(str(plan["data_fingerprint"]), from_dict(EvaluationConfig, plan["evaluation"]), runs)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ComparisonError(
            f"{path} must be the plan of a comparison ({error}). Name another --output, or remove that file."
        ) from error


def recipe_text(config: Config, description: str) -> str:
    """A recipe file with every field of a configuration.

    Args:
        config: What its `get_config` returns.
        description: Its docstring.
    """
    values = pprint.pformat(to_dict(config), width=110, sort_dicts=False)
    return (
        f'"""{description}"""\n\nfrom biggan_tf.config import Config, from_dict\n\n'
        f"VALUES = {values}\n\n\ndef get_config() -> Config:\n    return from_dict(Config, VALUES)\n"
    )
