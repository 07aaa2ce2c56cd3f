"""The page and the table of a search: every candidate with its recipe, score and what became of it."""

from __future__ import annotations

import math
from collections.abc import Sequence

from matplotlib.figure import Figure

from biggan_tf import files
from biggan_tf.architecture_search import ranking
from biggan_tf.architecture_search.proxies import PROXIES
from biggan_tf.architecture_search.record import SearchRecord
from biggan_tf.architecture_search.space import BASE, CandidateCost
from biggan_tf.comparison.table import as_markdown
from biggan_tf.config.search import SearchConfig
from biggan_tf.evaluation.reports.html_report import HtmlReport
from biggan_tf.evaluation.reports.palette import COLOURS

PAGE = "search.html"
TABLE = "table.md"
_SCORE = "score"
_POINT, _BASE_POINT = COLOURS[:2]


def write(config: SearchConfig, record: SearchRecord, output: str) -> None:
    """Writes search.html and table.md into the folder of a search."""
    candidates, proxies = table(config, record), proxy_table(config, record)
    text = [as_markdown(*candidates, "---"), _cost_note(record), as_markdown(*proxies, "---")]
    ranked = _ranked(record)
    if ranked:
        text.append(_correlation_note(len(ranked)))
    files.write_text(files.join(output, TABLE), "\n\n".join(text) + "\n")

    report = HtmlReport(config.name or "Search for an architecture")
    if config.description:
        report.text(config.description)
    report.text(_summary(config, record))
    report.section("Candidates")
    report.table(*candidates)
    report.text(_cost_note(record))
    report.section("Numbers before training")
    report.table(*proxies)
    if ranked:
        report.text(_correlation_note(len(ranked)))
    if record.results and config.proxies:
        report.figure(_figure(record), "Each candidate's score before training against its result of the first round.")
    report.section("Refused combinations")
    report.table(["why", "combinations"], _refusal_rows(record))
    report.save(files.join(output, PAGE))


def table(config: SearchConfig, record: SearchRecord) -> tuple[list[str], list[list[str]]]:
    """The header and a row for each candidate: those that came farthest first."""
    metrics = [_first_metric(result["metrics"]) for result in record.results]
    header = ["recipe", "what became of it"]
    header += [f"round {number + 1}: {name.replace('_', ' ')}" for number, name in enumerate(metrics)]
    header += ["score", "operations", "parameters", "memory"]
    header += [choice.name.replace("_", " ") for choice in config.space]
    by_score = _scores(record)
    rows = []
    for name in _order(record, by_score):
        candidate = record.candidates[name]
        row = [name, reason(record, name)]
        for metric, result in zip(metrics, record.results, strict=True):
            numbers = result["metrics"].get(name, {})
            row.append(f"{numbers[metric]:.4g}" if metric in numbers else "")
        row.append(f"{by_score[name]:.3f}" if name in by_score else "")
        row += _cost_cells(candidate.cost, record.draw.base.cost)
        rows.append([*row, *(candidate.options.get(choice.name, "as it is") for choice in config.space)])
    return header, rows


def reason(record: SearchRecord, name: str) -> str:
    """What became of a candidate, as a clause."""
    if name == BASE:
        return "the recipe to be compared with"
    if not record.chosen:
        return "not decided yet"
    if name not in record.chosen[0]:
        return "not trained: others had better scores"
    for number, result in enumerate(record.results):
        entries = list(result["metrics"])
        if not result["metrics"][name]:
            return f"failed in round {number + 1}"
        last = number + 1 == len(record.chosen)
        if last or name not in record.chosen[number + 1]:
            place = entries.index(name) + 1
            return f"place {place} of {len(entries)} in round {number + 1}"
    return f"is being trained in round {len(record.chosen)}"


def proxy_table(config: SearchConfig, record: SearchRecord) -> tuple[list[str], list[list[str]]]:
    """The header and a row for the score and each proxy: how well it foretold the places of the first round."""
    found = _correlations(record)
    known = [(_SCORE, "its mean rank over the numbers below", True)]
    known += [(name, PROXIES[name].meaning, PROXIES[name].lower_is_better) for name in config.proxies]
    rows = [
        [f"{name.replace('_', ' ')}: {meaning}", "lower" if lower_is_better else "higher", found.get(name, "")]
        for name, meaning, lower_is_better in known
    ]
    return ["known before training", "better", "rank correlation"], rows


def _correlations(record: SearchRecord) -> dict[str, str]:
    """Spearman's correlation of the score, and of each proxy, with the places of the first round, once it is over."""
    names = _ranked(record)
    if not names:
        return {}
    by_score = _scores(record)
    columns = {_SCORE: [by_score[name] for name in names]}
    for proxy in record.proxies[names[0]]:
        columns[proxy] = ranking.costs([record.proxies[name][proxy] for name in names], proxy)
    places = _places(record, names)
    values = {label: ranking.correlation(column, places) for label, column in columns.items()}
    return {label: "not known" if value is None else f"{value:.2f}" for label, value in values.items()}


def _places(record: SearchRecord, names: Sequence[str]) -> list[int]:
    """The place of each of these candidates in the first round, from 0 for the best.

    Those that failed, or have a result that is not finite, share the last place: they stand in the order of their
    scores, which says nothing of how they trained.
    """
    metrics = record.results[0]["metrics"]
    deciding = _first_metric(metrics)
    return [
        place if math.isfinite(metrics[name].get(deciding, math.nan)) else len(names)
        for place, name in enumerate(names)
    ]


def _ranked(record: SearchRecord) -> list[str]:
    """The candidates that the first round trained and that have a score, the best first; none before it is over."""
    by_score = _scores(record)
    return [name for name in record.results[0]["metrics"] if name in by_score] if record.results else []


def _correlation_note(num_candidates: int) -> str:
    """What a rank correlation over so many candidates says."""
    return (
        "The rank correlation (Spearman) is that with the places of the first round, over "
        f"{num_candidates} candidates; 1: it foretold them, 0: it said nothing, below 0: it misled."
    )


def _scores(record: SearchRecord) -> dict[str, float]:
    """The scores of the candidates, without the base, which is trained whatever its score."""
    measured = {name: numbers for name, numbers in record.proxies.items() if name != BASE}
    return ranking.scores(measured)


def _order(record: SearchRecord, by_score: dict[str, float]) -> list[str]:
    """The best of the last round first, then who left in the rounds before, then by score."""
    order: list[str] = []
    for result in reversed(record.results):
        order += [name for name in result["metrics"] if name not in order]
    rest = [name for name in record.candidates if name not in order]
    return order + sorted(rest, key=lambda name: by_score.get(name, math.inf))


def _summary(config: SearchConfig, record: SearchRecord) -> str:
    rounds = "; ".join(
        f"{each.candidates} for {each.images:,} images with {len(each.seeds)} seed{'s' * (len(each.seeds) > 1)}"
        for each in config.rounds
    )
    text = (
        f"{len(record.draw.candidates)} recipes within the limits were drawn from the space and measured before any "
        f"training. Rounds of trainings, each with the base recipe besides: {rounds}."
    )
    if len(record.results) == len(config.rounds):
        best = next(iter(record.results[-1]["metrics"]))
        text += f" Best of the last round: {best}, which is in best.py."
    return text


def _cost_note(record: SearchRecord) -> str:
    cost = record.draw.base.cost
    return (
        f"Operations, parameters and memory are shares of the base recipe's: {cost.operations / 1e6:,.1f} million "
        f"multiply-adds of a training step for each image, {cost.parameters / 1e6:.2f} million parameters, and "
        f"{cost.memory / 2**20:,.0f} MiB of a training on one device. The score is the mean rank over the numbers "
        "before training, from 0 for the best."
    )


def _cost_cells(cost: CandidateCost, base: CandidateCost) -> list[str]:
    return [f"{getattr(cost, name) / getattr(base, name):.2f}" for name in ("operations", "parameters", "memory")]


def _refusal_rows(record: SearchRecord) -> list[list[str]]:
    kinds: dict[str, int] = {}
    for refusal in record.draw.refusals:
        kind = refusal.reason if refusal.reason.startswith("model") else refusal.reason.split("the base's ")[-1]
        kinds[kind] = kinds.get(kind, 0) + 1
    return [[kind, str(count)] for kind, count in sorted(kinds.items(), key=lambda pair: -pair[1])] or [["none", "0"]]


def _first_metric(metrics: dict[str, dict[str, float]]) -> str:
    """The deciding metric; "" where every training failed."""
    return next((next(iter(numbers)) for numbers in metrics.values() if numbers), "")


def _figure(record: SearchRecord) -> Figure:
    result, by_score = record.results[0]["metrics"], _scores(record)
    metric = _first_metric(result)
    figure = Figure(figsize=(6.0, 4.0), layout="constrained")
    axes = figure.subplots()
    names: Sequence[str] = [name for name in result if name in by_score and metric in result[name]]
    axes.scatter([by_score[name] for name in names], [result[name][metric] for name in names], color=_POINT)
    for name in names:
        axes.annotate(
            name, (by_score[name], result[name][metric]), fontsize=7, xytext=(4, 2), textcoords="offset points"
        )
    if metric in result.get(BASE, {}):
        axes.axhline(result[BASE][metric], color=_BASE_POINT, linestyle="--", label="the base recipe")
        axes.legend(fontsize=8)
    axes.set(
        xlabel="score before training, 0 is best",
        ylabel=f"{metric.replace('_', ' ')} after the first round",
        title="What was known before training, and what came out",
    )
    axes.grid(alpha=0.3)
    return figure
