"""Draws candidates: recipes in which an option of each choice was taken, within the limits of cost."""

from __future__ import annotations

import copy
import dataclasses
import itertools
import operator
from collections.abc import Iterator

import numpy as np

from biggan_tf import progress
from biggan_tf.config import Config
from biggan_tf.config.search import LimitsConfig, SearchChoice, SearchConfig
from biggan_tf.training import cost

BASE = "base"
_DRAWS_PER_CANDIDATE = 50  # more would be thrown away than is kept


class SearchError(ValueError):
    """A search that cannot be begun or gone on with; the message says what to change."""


@dataclasses.dataclass(frozen=True)
class CandidateCost:
    """What a training of a candidate costs.

    Attributes:
        generator_parameters: Numbers that are trained in G.
        discriminator_parameters: Numbers that are trained in D.
        operations: Multiply-adds of a training step for each image.
        memory: Bytes of a training on one device.
    """

    generator_parameters: int
    discriminator_parameters: int
    operations: int
    memory: int

    @property
    def parameters(self) -> int:
        """Numbers that are trained in both networks."""
        return self.generator_parameters + self.discriminator_parameters


@dataclasses.dataclass(frozen=True)
class Candidate:
    """A recipe of the space.

    Attributes:
        name: What tables call it, and its folders.
        options: The name of the option of each choice; empty for the base recipe.
        recipe: The recipe.
        cost: What it costs.
    """

    name: str
    options: dict[str, str]
    recipe: Config
    cost: CandidateCost


@dataclasses.dataclass(frozen=True)
class Refusal:
    """A drawn combination that is no candidate.

    Attributes:
        options: The name of the option of each choice.
        reason: Why not, as a sentence.
    """

    options: dict[str, str]
    reason: str


@dataclasses.dataclass(frozen=True)
class Draw:
    """All that was drawn.

    Attributes:
        base: The recipe that the space changes.
        candidates: The combinations that can be built within the limits, in the order in which they were drawn.
        refusals: All others.
    """

    base: Candidate
    candidates: tuple[Candidate, ...]
    refusals: tuple[Refusal, ...]


def draw(config: SearchConfig) -> Draw:
    """Draws combinations until there are as many candidates as are wanted, each once.

    Raises:
        SearchError: If the space has fewer candidates within the limits than the first round takes.
    """
    base = Candidate(BASE, {}, config.base, cost_of(config.base))
    refusals: list[Refusal] = []
    drawn = itertools.islice(_accepted(config, base.cost, refusals), config.candidates)
    candidates = list(progress.track(drawn, config.candidates, "draw", "candidate"))
    if len(candidates) < max(each.candidates for each in config.rounds):
        reasons = "; ".join(dict.fromkeys(refusal.reason for refusal in refusals[:5]))
        raise SearchError(
            f"The space must have {config.rounds[0].candidates} candidates within the limits, as many as the first "
            f"round takes. Received: {len(candidates)} of {len(candidates) + len(refusals)} combinations. The first "
            f"were refused because: {reasons or 'there were no others'}. Widen limits, or add options."
        )
    return Draw(base, tuple(candidates), tuple(refusals))


def _accepted(config: SearchConfig, base: CandidateCost, refusals: list[Refusal]) -> Iterator[Candidate]:
    """The combinations that can be built within the limits; the others join `refusals`."""
    count = 0
    for options in _combinations(config):
        recipe = changed(config, options)
        problems = list(recipe.problems())
        if problems:
            refusals.append(Refusal(options, problems[0]))
            continue
        price = cost_of(recipe)
        reason = beyond(price, base, config.limits)
        if reason:
            refusals.append(Refusal(options, reason))
            continue
        count += 1
        yield Candidate(f"c{count:02d}", options, recipe, price)


def changed(config: SearchConfig, options: dict[str, str]) -> Config:
    """The base recipe with an option of each choice.

    Args:
        config: Has the base and the space.
        options: The name of the option of each choice.
    """
    recipe = copy.deepcopy(config.base)
    for choice in config.space:
        option = next(option for option in choice.options if option.name == options[choice.name])
        for path, value in option.changes.items():
            section, _, field = path.rpartition(".")
            setattr(operator.attrgetter(section)(recipe) if section else recipe, field, copy.deepcopy(value))
    return recipe


def cost_of(recipe: Config) -> CandidateCost:
    """Counts what a recipe costs, without creating a weight."""
    report = cost.report(recipe)
    return CandidateCost(
        report["parameters"]["generator"],
        report["parameters"]["discriminator"],
        report["operations_per_image"]["training_step"] // 2,
        report["memory_bytes_per_replica"]["total"],
    )


def beyond(price: CandidateCost, base: CandidateCost, limits: LimitsConfig) -> str:
    """Why a candidate costs too much or too little, as a clause; "": it does not."""
    for name in ("parameters", "operations", "memory"):
        most = getattr(limits, name)
        share = getattr(price, name) / getattr(base, name)
        if most and share > most:
            return f"it has {share:.2f} times the base's {name}, above {most:g}"
    share = price.operations / base.operations
    if share < limits.least_operations:
        return f"it has {share:.2f} times the base's operations, below {limits.least_operations:g}"
    return ""


def _combinations(config: SearchConfig) -> Iterator[dict[str, str]]:
    """Combinations of options in a random order, each once; fewer than all where the space is large."""
    random = np.random.default_rng(config.seed)
    size = int(np.prod([len(choice.options) for choice in config.space], dtype=object))
    most = min(size, _DRAWS_PER_CANDIDATE * config.candidates)
    seen: set[int] = set()
    while len(seen) < most:
        number = int(random.integers(size))
        if number not in seen:
            seen.add(number)
            yield _combination(config.space, number)


def _combination(space: tuple[SearchChoice, ...], number: int) -> dict[str, str]:
    """The combination with this number, which is written in the mixed base of the counts of options."""
    options = {}
    for choice in space:
        number, index = divmod(number, len(choice.options))
        options[choice.name] = choice.options[index].name
    return options
