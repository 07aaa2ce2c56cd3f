"""A whole search in one call: draws candidates, measures them untrained, and trains fewer and fewer for longer."""

from __future__ import annotations

import dataclasses
import hashlib
import os
from collections.abc import Callable

from biggan_tf import files
from biggan_tf.architecture_search import proxies, ranking, space
from biggan_tf.architecture_search.record import RoundResult, SearchRecord, load
from biggan_tf.comparison import comparing
from biggan_tf.comparison.measurements import Measurements
from biggan_tf.comparison.plan import REFERENCE, recipe_text
from biggan_tf.config import to_dict
from biggan_tf.config.comparison import BudgetConfig, ComparisonConfig, ComparisonEntry, CurveConfig
from biggan_tf.config.search import SearchConfig
from biggan_tf.data import compatibility, input_pipeline, manifest
from biggan_tf.evaluation.extractors.features import load_extractor
from biggan_tf.progress import track
from biggan_tf.training.shutdown import Shutdown
from biggan_tf.types import Images, Labels

BEST = "best.py"


def search(
    config: SearchConfig, output: str, shutdown: Shutdown, write: Callable[[SearchRecord], None]
) -> SearchRecord | None:
    """Does what is left of a search.

    Args:
        config: What is searched.
        output: Its folder, whose lock the caller holds.
        shutdown: Knows of signals to this process.
        write: Is called whenever something more is known, with all that is.

    Returns:
        All that is known; None: a signal came, and what was done by then was saved.

    Raises:
        SearchError: If the space has too few candidates, or `output` holds another search.
        ValueError: If the weights of the network whose features are compared are missing.
        DataError: If the data is missing or does not fit the base recipe.
        ExecutionError: If a training failed for another reason than a collapse or a number that was not finite.
    """
    compatibility.check(manifest.load(config.data.path), config.base, config.data.split)
    settings = _settings(config)
    record = load(settings, output)
    if record is None or len(record.results) < len(config.rounds):
        # A file of weights that is missing is told before the proxies, which take long, and not after them.
        load_extractor(config.evaluation.features, config.evaluation.features_path)
    record = record or SearchRecord(space.draw(config), settings)
    record.write(output)
    if not _measure_proxies(config, record, output, shutdown):
        return None
    for number in range(len(config.rounds)):
        if len(record.chosen) <= number:
            record.chosen.append(_next(config, record))
            record.write(output)
            write(record)
        if len(record.results) <= number:
            known = _compared(config, record, number, output, shutdown)
            if known is None:
                return None
            record.results.append(_result(config.rounds[number].images, known))
            record.write(output)
            write(record)
    files.write_text(files.join(output, BEST), _best_recipe(record))
    return record


def _compared(
    config: SearchConfig, record: SearchRecord, number: int, output: str, shutdown: Shutdown
) -> Measurements | None:
    comparison = round_comparison(config, record, number)
    # All rounds are measured against the same real images, whose features are computed once.
    reference = config.evaluation.reference_path or os.path.abspath(files.join(output, REFERENCE))
    comparison.evaluation.reference_path = reference
    return comparing.compare(comparison, folder(output, number), shutdown)


def folder(output: str, number: int) -> str:
    """The folder of a round's comparison; the first round has the number 0."""
    return files.join(output, f"round_{number + 1}")


def round_comparison(config: SearchConfig, record: SearchRecord, number: int) -> ComparisonConfig:
    """The trainings of a round: its candidates and the base, from their initial weights on.

    A candidate begins anew in each round: a schedule of the recipe then ends where the round ends.
    """
    planned, candidates = config.rounds[number], record.candidates
    names = [space.BASE, *record.chosen[number]]
    return ComparisonConfig(
        name=f"{config.name or 'Search'}: round {number + 1} of {len(config.rounds)}",
        entries=tuple(ComparisonEntry(name, candidates[name].recipe) for name in names),
        seeds=planned.seeds,
        data=config.data,
        budget=BudgetConfig(images=planned.images),
        evaluation=dataclasses.replace(config.evaluation),
        curve=CurveConfig(points=0),
    )


def winner(record: SearchRecord) -> str:
    """The best entry of the last round that is complete, which may be the base."""
    return next(iter(record.results[-1]["metrics"]))


def _settings(config: SearchConfig) -> dict[str, str]:
    return {
        "base": _digest(to_dict(config.base)),
        "space": _digest(config.space),
        "limits": str(dataclasses.asdict(config.limits)),
        "candidates": str(config.candidates),
        "proxies": ", ".join(config.proxies),
        "proxy_images": str(config.proxy_images),
        "at_random": str(config.at_random),
        "rounds": "; ".join(f"{each.candidates} x {each.images}, seeds {each.seeds}" for each in config.rounds),
        "seed": str(config.seed),
        "data": manifest.load(config.data.path).fingerprint,
        "data.split": config.data.split,
        **{f"evaluation.{name}": str(value) for name, value in dataclasses.asdict(config.evaluation).items()},
    }


def _digest(value: object) -> str:
    """Stands for a value that is too long to be shown; equal values have equal ones."""
    return hashlib.sha256(repr(value).encode()).hexdigest()[:12]


def _measure_proxies(config: SearchConfig, record: SearchRecord, output: str, shutdown: Shutdown) -> bool:
    """Measures the candidates that have no numbers yet; returns False if a signal came."""
    left = [name for name in record.candidates if name not in record.proxies]
    if not left or not config.proxies:
        return True
    images, labels = _real_images(config)
    for name in track(left, len(left), "proxies", "candidate"):
        if shutdown.requested:
            return False
        recipe = record.candidates[name].recipe
        record.proxies[name] = proxies.measure(recipe, config.proxies, images, labels, config.seed)
        record.write(output)
    return True


def _real_images(config: SearchConfig) -> tuple[Images, Labels]:
    dataset = input_pipeline.one_pass(config.data.path, config.proxy_images, split=config.data.split)
    images, labels = next(iter(dataset))
    return images, labels


def _next(config: SearchConfig, record: SearchRecord) -> list[str]:
    """Who takes part in the next round."""
    number = len(record.chosen)
    count = config.rounds[number].candidates
    if number:
        order = [name for name, numbers in record.results[-1]["metrics"].items() if numbers and name != space.BASE]
        return order[:count]
    names = [candidate.name for candidate in record.draw.candidates]
    if not config.proxies:
        return names[:count]
    by_score = ranking.scores({name: record.proxies[name] for name in names})
    return ranking.first_round(by_score, count, config.at_random, config.seed)


def _result(images: int, known: Measurements) -> RoundResult:
    metrics = {entry.name: {name: spread.mean for name, spread in entry.metrics.items()} for entry in known.entries}
    return RoundResult(images=images, metrics=metrics)


def _best_recipe(record: SearchRecord) -> str:
    best = record.candidates[winner(record)]
    choices = "; ".join(f"{choice}: {option}" for choice, option in best.options.items()) or "the base recipe itself"
    text = (
        f"The best recipe of a search, {best.name}.\n\n{choices}\n\n"
        "    python -m biggan_tf.train --config=best.py --config.data.path=DATA --workdir=DIR\n"
    )
    return recipe_text(best.recipe, text)
