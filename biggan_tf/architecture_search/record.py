"""What a search knows so far, in one JSON file: the same command goes on from it."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any, TypedDict

from biggan_tf import __version__, files
from biggan_tf.architecture_search.space import BASE, Candidate, CandidateCost, Draw, Refusal, SearchError
from biggan_tf.config import Config, from_dict, to_dict

FILE = "search.json"
_NOT_ALWAYS_WRITTEN = ("data.split", "evaluation.")  # what settings begin with that earlier versions did not write


class RoundResult(TypedDict):
    """What a round of trainings said.

    Attributes:
        images: How many real images D saw in each training.
        metrics: Each entry's metrics, as means over the seeds; the best entry first. Those that failed have none.
    """

    images: int
    metrics: dict[str, dict[str, float]]


@dataclasses.dataclass
class SearchRecord:
    """All that is known.

    Attributes:
        draw: The candidates, and the combinations that were refused.
        settings: What else decides proxies and rounds, by name. Another call of the command must have the same.
        proxies: The numbers of each candidate that was measured, and of the base, by name.
        chosen: Who takes part in each round that has begun, without the base.
        results: The result of each round that is complete.
    """

    draw: Draw
    settings: dict[str, str]
    proxies: dict[str, dict[str, float]] = dataclasses.field(default_factory=dict)
    chosen: list[list[str]] = dataclasses.field(default_factory=list)
    results: list[RoundResult] = dataclasses.field(default_factory=list)

    @property
    def candidates(self) -> dict[str, Candidate]:
        """All candidates by name, the base first."""
        return {candidate.name: candidate for candidate in (self.draw.base, *self.draw.candidates)}

    def write(self, output: str) -> None:
        """Writes the file, which appears complete or not at all."""
        values = {
            "version": __version__,
            "settings": self.settings,
            "candidates": {
                name: {
                    "options": candidate.options,
                    "cost": dataclasses.asdict(candidate.cost),
                    "config": to_dict(candidate.recipe),
                }
                for name, candidate in self.candidates.items()
            },
            "refusals": [dataclasses.asdict(refusal) for refusal in self.draw.refusals],
            "proxies": {
                name: {key: number if math.isfinite(number) else None for key, number in numbers.items()}
                for name, numbers in self.proxies.items()
            },
            "chosen": self.chosen,
            "results": self.results,
        }
        files.write_json(files.join(output, FILE), values)


def load(settings: dict[str, str], output: str) -> SearchRecord | None:
    """The record of an earlier call; None: there is none.

    Args:
        settings: What decides proxies and rounds apart from the candidates, by name; the earlier call must have had the
            same. Those that the version which began the search did not write are taken to have been the same.
        output: The folder of the search.

    Raises:
        SearchError: If the folder has another search, or the file is damaged.
    """
    path = files.join(output, FILE)
    if not files.exists(path):
        return None
    try:
        values = files.read_json(path)
        known = {name: value for name, value in settings.items() if name.startswith(_NOT_ALWAYS_WRITTEN)}
        values["settings"] = known | values["settings"]
        changes = [
            f"{name}: {values['settings'].get(name)} and {settings.get(name)}"
            for name in sorted({*values["settings"], *settings})
            if values["settings"].get(name) != settings.get(name)
        ]
        record = None if changes else _restored(values)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise SearchError(
            f"{path} must be the record of a search ({type(error).__name__}: {error}). Name another --output, or "
            "remove that file: trainings that are complete are not done again."
        ) from error
    if changes:
        raise SearchError(
            f"{output} holds a search that was configured otherwise. Received:\n  - " + "\n  - ".join(changes) + "\n"
            "Name another --output, or set these fields back."
        )
    return record


def _restored(values: Mapping[str, Any]) -> SearchRecord:
    candidates = {
        name: Candidate(name, dict(each["options"]), from_dict(Config, each["config"]), CandidateCost(**each["cost"]))
        for name, each in values["candidates"].items()
    }
    base = candidates.pop(BASE)
    refusals = tuple(Refusal(dict(each["options"]), str(each["reason"])) for each in values["refusals"])
    return SearchRecord(
        Draw(base, tuple(candidates.values()), refusals),
        dict(values["settings"]),
        {
            name: {key: math.nan if number is None else float(number) for key, number in numbers.items()}
            for name, numbers in values["proxies"].items()
        },
        [[str(name) for name in names] for names in values["chosen"]],
        [RoundResult(images=int(each["images"]), metrics=dict(each["metrics"])) for each in values["results"]],
    )
