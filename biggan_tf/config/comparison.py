"""The configuration of a comparison: several recipes, trained with one budget and measured by one protocol.

A file such as `configs/compare_cifar10.py` returns a `ComparisonConfig`; `--config.section.field=value` overrides a
field of it.
"""

import dataclasses
from collections.abc import Iterator

from biggan_tf.config import checks, metric_names
from biggan_tf.config.run import Config, ConfigError, EvaluationConfig
from biggan_tf.config.section import Section


@dataclasses.dataclass
class ComparisonEntry(Section):
    """One of the recipes that are compared.

    Attributes:
        name: What tables and curves call it, and its folders, see `checks.NAME_RULE`.
        recipe: What the `get_config` of a recipe returned, with the fields changed that the comparison wants otherwise.
            The comparison sets its seed, its length, where its data lies and how it is measured.
        seeds: A run for each; (): those of the comparison.
    """

    name: str
    recipe: Config
    seeds: tuple[int, ...] = ()


@dataclasses.dataclass
class BudgetConfig(Section):
    """How long each run trains; one of the two numbers is given.

    Attributes:
        images: Real images that D sees, repetitions counted; 0: the minutes decide.
        minutes: Minutes that the steps take, over all resumes and without evaluations, checkpoints and the compiling of
            graphs; 0: the images decide.
        clock: Which minutes: "wall", or "processor" on a machine that has other work, see `training_clock.reading`.
    """

    images: int = 0
    minutes: float = 0.0
    clock: str = "wall"


@dataclasses.dataclass
class CurveConfig(Section):
    """The evaluations in the course of each run.

    Attributes:
        points: How many there are at most, evenly spread over the budget: the last is at its end or, where the steps
            cannot be divided by this number, before it. 0: no curves.
        num_samples: Images that are generated for each; fewer than for the table, whose distances are therefore other
            ones. 0: as many as for the table.
    """

    points: int = 8
    num_samples: int = 0


@dataclasses.dataclass
class ComparedDataConfig(Section):
    """The real images, which are the same for all runs.

    Attributes:
        path: Their folder, the output of `pipeline.preprocess` at one resolution.
        split: The part of them that is trained on and compared with.
    """

    path: str = ""
    split: str = "train"


@dataclasses.dataclass
class ComparisonConfig(Section):
    """Everything that decides a comparison.

    Attributes:
        name: The title of its page.
        description: What its reader should know, as one paragraph on the page, such as what so small a budget can show.
        entries: What is compared.
        seeds: Each entry is trained once with each of these, unless it has seeds of its own.
        data: The real images.
        budget: How long each run trains.
        evaluation: The one protocol of the table. Its `every_steps` and `every_minutes` must be 0: `curve` says when
            runs are evaluated in their course. Where the entries enlarge images, the first `num_samples` of the data
            are reduced and enlarged again.
        curve: The evaluations in the course of each run.
        samples_per_class: Images of each class on the sheets, which have up to ten classes. Sheets of enlarged images
            show the first eight of the data.
    """

    name: str = ""
    description: str = ""
    entries: tuple[ComparisonEntry, ...] = ()
    seeds: tuple[int, ...] = (0,)
    data: ComparedDataConfig = dataclasses.field(default_factory=ComparedDataConfig)
    budget: BudgetConfig = dataclasses.field(default_factory=BudgetConfig)
    evaluation: EvaluationConfig = dataclasses.field(default_factory=EvaluationConfig)
    curve: CurveConfig = dataclasses.field(default_factory=CurveConfig)
    samples_per_class: int = 6

    def seeds_of(self, entry: ComparisonEntry) -> tuple[int, ...]:
        """The seeds that an entry is trained with."""
        return entry.seeds or self.seeds

    @property
    def enlarges(self) -> bool:
        """Whether the entries enlarge images, and are measured by how near these come to the real ones."""
        return bool(self.entries) and self.entries[0].recipe.model.enlargement > 1

    def problems(self) -> Iterator[str]:
        """What is wrong with this comparison, a sentence each; the recipes are checked when the plan is built."""
        yield from _entry_problems(self)
        given = [name for name in ("images", "minutes") if getattr(self.budget, name)]
        if len(given) != 1 or min(self.budget.images, self.budget.minutes) < 0:
            yield (
                "One of budget.images and budget.minutes must be above 0, and the other 0. Received: "
                f"{self.budget.images} and {self.budget.minutes}."
            )
        yield from checks.choice("budget.clock", self.budget.clock, checks.CHOICES["training.clock"])
        yield from checks.at_least(self, "", 1, ("samples_per_class",))
        yield from checks.at_least(self, "", 0, ("curve.points", "curve.num_samples"))
        advice = "curve.points says how many evaluations each run has in its course"
        yield from protocol_problems(self.evaluation, "a comparison", advice)

    def validate(self) -> None:
        """Raises ConfigError with every problem at once."""
        problems = list(self.problems())
        if problems:
            raise ConfigError(problems)


def protocol_problems(evaluation: EvaluationConfig, of_what: str, advice: str) -> Iterator[str]:
    """What is wrong with the one protocol of several trainings, apart from its metrics, a sentence each.

    Args:
        evaluation: The protocol.
        of_what: What it is of, for the message, such as "a comparison".
        advice: What to do where `every_steps` or `every_minutes` says when a run is evaluated in its course.
    """
    yield from checks.at_least(evaluation, "evaluation", 1, ("num_samples",))
    yield from checks.at_least(evaluation, "evaluation", 0, ("num_real",))
    for name in ("features", "labels"):
        path = f"evaluation.{name}"
        yield from checks.choice(path, getattr(evaluation, name), checks.CHOICES[path])
    if evaluation.every_steps or evaluation.every_minutes:
        yield (
            f"evaluation.every_steps and evaluation.every_minutes must be 0 in {of_what}. Received: "
            f"{evaluation.every_steps} and {evaluation.every_minutes}; {advice}."
        )


def _entry_problems(config: ComparisonConfig) -> Iterator[str]:
    names = [entry.name for entry in config.entries]
    if not names:
        yield "entries must hold at least one ComparisonEntry. Received: none."
    for name in names:
        if not checks.is_name(name):
            yield f"An entry's name must be {checks.NAME_RULE}, since folders get it. Received: {name!r}."
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield f"Each entry must have a name of its own. Received: {name!r} {names.count(name)} times."
    for entry in config.entries:
        seeds = config.seeds_of(entry)
        if not seeds or len(set(seeds)) < len(seeds) or any(any(checks.seed("", seed)) for seed in seeds):
            yield (
                f"The seeds of {entry.name} must be different integers from 0 to {checks.MAX_SEED}. Received: {seeds}."
            )
        if not isinstance(entry.recipe, Config):
            received = type(entry.recipe).__name__
            yield f"The recipe of {entry.name} must be a Config, such as smoke.get_config(). Received: a {received}."
    yield from _task_problems(config)


def _task_problems(config: ComparisonConfig) -> Iterator[str]:
    """All entries must do the same: draw images, or enlarge them equally; and the metrics must be of that."""
    entries = [entry for entry in config.entries if isinstance(entry.recipe, Config)]
    if not entries:
        return
    first = entries[0]
    for entry in entries[1:]:
        if entry.recipe.model.enlargement != first.recipe.model.enlargement:
            yield (
                "All entries must draw images from latents, or enlarge them by the same factor, to have numbers in "
                f"common. Received: {first.name} {_task(first)}, and {entry.name} {_task(entry)}; compare them in "
                "comparisons of their own."
            )
            return
    yield from metric_names.problems("evaluation.metrics", config.evaluation.metrics, first.recipe.model)


def _task(entry: ComparisonEntry) -> str:
    factor = entry.recipe.model.enlargement
    return f"enlarges {factor} times" if factor > 1 else "draws images"
