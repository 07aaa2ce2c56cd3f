"""The configuration of a search for an architecture: a recipe, what may change in it, and how candidates are chosen.

A file such as `configs/search_shapes.py` returns a `SearchConfig`; `--config.section.field=value` overrides a field of
it.
"""

import dataclasses
import itertools
from collections.abc import Iterator, Mapping
from typing import Any

from biggan_tf.config import checks, metric_names
from biggan_tf.config.comparison import ComparedDataConfig, protocol_problems
from biggan_tf.config.run import Config, ConfigError, EvaluationConfig
from biggan_tf.config.section import Section

PROXIES = (
    "generator_isometry",
    "discriminator_slope",
    "gradient_spread",
    "gradient_balance",
    "interaction",
    "linearised_r",
    "latent_diversity",
    "feature_rank",
)
# Candidates of equal learning rates have the same ranks by s_max and by r, which must not count twice.
DEFAULT_PROXIES = tuple(name for name in PROXIES if name != "interaction")


@dataclasses.dataclass
class SearchOption(Section):
    """One of the ways in which a choice can be made.

    Attributes:
        name: What tables call it.
        changes: The fields of the recipe that it sets, such as "model.generator_channels", with their values.
    """

    name: str
    changes: Mapping[str, object] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass
class SearchChoice(Section):
    """One dimension of the space, such as the depth of the generator; a candidate takes one option of each.

    Attributes:
        name: What tables call it.
        options: The ways in which it can be made, all equally likely.
    """

    name: str
    options: tuple[SearchOption, ...]


@dataclasses.dataclass
class LimitsConfig(Section):
    """What a candidate may cost, as a share of what the base recipe costs; 0: any amount.

    Attributes:
        parameters: Numbers that are trained, of both networks together.
        operations: Multiply-adds of a training step for each image.
        memory: Bytes that a training takes.
        least_operations: The smallest share of the base's operations, so that candidates are not compared by their
            size alone.
    """

    parameters: float = 0.0
    operations: float = 1.0
    memory: float = 0.0
    least_operations: float = 0.5


@dataclasses.dataclass
class SearchRoundConfig(Section):
    """One round of short trainings.

    Attributes:
        candidates: How many take part, and the base recipe besides.
        images: Real images that D sees in each training, repetitions counted.
        seeds: A training for each.
    """

    candidates: int
    images: int
    seeds: tuple[int, ...] = (0,)


@dataclasses.dataclass
class SearchConfig(Section):
    """Everything that decides a search.

    Attributes:
        name: The title of its page.
        description: What its reader should know, as one paragraph on the page.
        base: The recipe whose fields are changed. It takes part in every round, to be compared with.
        space: What may change.
        limits: What a candidate may cost.
        candidates: How many are drawn and measured at their initial weights.
        proxies: By what they are ranked before any of them is trained, some of `PROXIES`; every one counts as much.
        proxy_images: How many images each proxy is measured on.
        at_random: The share of the first round that is drawn at random among the candidates that their score does not
            choose. Without these nobody could tell whether the scores mean anything.
        rounds: Each takes the best candidates of the one before, for longer trainings.
        data: The real images.
        evaluation: The protocol; the first metric decides.
        seed: Decides which candidates are drawn, and their initial weights.
    """

    base: Config = dataclasses.field(default_factory=Config)
    space: tuple[SearchChoice, ...] = ()
    name: str = ""
    description: str = ""
    limits: LimitsConfig = dataclasses.field(default_factory=LimitsConfig)
    candidates: int = 24
    proxies: tuple[str, ...] = DEFAULT_PROXIES
    proxy_images: int = 16
    at_random: float = 0.5
    rounds: tuple[SearchRoundConfig, ...] = ()
    data: ComparedDataConfig = dataclasses.field(default_factory=ComparedDataConfig)
    evaluation: EvaluationConfig = dataclasses.field(default_factory=EvaluationConfig)
    seed: int = 0

    def problems(self) -> Iterator[str]:
        """What is wrong with this search, a sentence each; candidates are checked when they are drawn."""
        yield from _space_problems(self)
        if self.base.model.enlargement > 1:
            yield (
                "base must be a recipe whose generator draws images from latents, of which the numbers before training "
                f"are taken. Received: model {self.base.model.kind}, which enlarges images; compare recipes of it with "
                "biggan_tf.compare."
            )
        else:
            yield from metric_names.problems("evaluation.metrics", self.evaluation.metrics, self.base.model)
        advice = "set both to 0, since each training is measured at its end"
        yield from protocol_problems(self.evaluation, "a search", advice)
        yield from checks.seed("seed", self.seed)
        yield from checks.at_least(self, "", 1, ("candidates",))
        yield from checks.at_least(self, "", 2, ("proxy_images",))
        yield from checks.between("at_random", self.at_random, 0.0, 1.0, low_allowed=True)
        limits = self.limits
        yield from checks.at_least(limits, "limits", 0.0, [field.name for field in dataclasses.fields(limits)])
        if limits.operations and limits.least_operations >= limits.operations:
            yield (
                "limits.least_operations must be below limits.operations. Received: "
                f"{limits.least_operations:g} and {limits.operations:g}."
            )
        for name in self.proxies:
            yield from checks.choice("proxies", name, PROXIES)
        yield from _round_problems(self)

    def validate(self) -> None:
        """Raises ConfigError with every problem at once."""
        problems = list(self.problems())
        if problems:
            raise ConfigError(problems)


def _space_problems(config: SearchConfig) -> Iterator[str]:
    if not config.space:
        yield "space must hold at least one SearchChoice. Received: none."
    known = set(_paths(config.base))
    for names, whose in (
        ([choice.name for choice in config.space], "Each choice"),
        *(([option.name for option in choice.options], f"Each option of {choice.name}") for choice in config.space),
    ):
        if not names or len(set(names)) < len(names) or not all(map(checks.is_name, names)):
            yield f"{whose} must have a name of its own, of {checks.NAME_RULE}. Received: {names}."
    for choice in config.space:
        for path in sorted({path for option in choice.options for path in option.changes}):
            if path not in known:
                yield f"{choice.name}: {checks.unknown_field(path, sorted(known))}"


def _paths(section: Any, prefix: str = "") -> Iterator[str]:
    """Dotted names of all fields, and of the sections and parts, which an option may set as a whole."""
    for field in dataclasses.fields(section):
        yield prefix + field.name
        value = getattr(section, field.name)
        if dataclasses.is_dataclass(value):
            yield from _paths(value, f"{prefix}{field.name}.")


def _round_problems(config: SearchConfig) -> Iterator[str]:
    if not config.rounds:
        yield "rounds must hold at least one SearchRoundConfig. Received: none."
    sizes = [config.candidates, *(each.candidates for each in config.rounds)]
    if any(after > before for before, after in itertools.pairwise(sizes)) or min(sizes) < 1:
        yield (
            "No round may have more candidates than the one before it, and each has at least 1. Received: "
            f"{sizes[0]} that are drawn, then {sizes[1:]}."
        )
    for number, each in enumerate(config.rounds, 1):
        seeds_fit = not any(any(checks.seed("", seed)) for seed in each.seeds)
        if each.images < 1 or not each.seeds or len(set(each.seeds)) < len(each.seeds) or not seeds_fit:
            yield (
                f"Round {number} must have at least 1 image and different seeds from 0 to {checks.MAX_SEED}. Received: "
                f"{each.images} and {each.seeds}."
            )
