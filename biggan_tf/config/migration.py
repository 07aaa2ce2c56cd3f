"""Reads the configurations that version 0.1 wrote into its checkpoints."""

from __future__ import annotations

import copy
from typing import Any

# Fields of version 0.1, and where they stand now.
MOVED = {
    "latents.distribution": "model.prior",
    "latents.labels": "training.labels",
    "training.discriminator_steps": "game.discriminator_steps",
    "training.orthogonal_strength": "game.orthogonal_strength",
}


def upgraded(values: dict[str, Any]) -> dict[str, Any]:
    """A configuration in the layout of today; one that is in it already is returned as it is.

    In 0.1 there was one family. The prior stood in `latents.distribution`; the loss, its number of discriminator steps
    and the orthogonal regularisation stood in `training`.
    """
    if not _is_of_0_1(values):
        return values
    values = copy.deepcopy(values)
    latents = values.pop("latents", {})
    training = values.setdefault("training", {})
    model = values.setdefault("model", {})
    if "distribution" in latents:
        model["prior"] = latents["distribution"]
    if "labels" in latents:
        training["labels"] = latents["labels"]
    game = {name: training.pop(name) for name in ("discriminator_steps", "orthogonal_strength") if name in training}
    values["game"] = {"kind": training.pop("loss", "hinge"), **game}
    values["model"] = {"kind": "biggan", **model}
    return values


def _is_of_0_1(values: Any) -> bool:
    # What is no configuration of any version is left to `from_dict`, which says what is wrong with it.
    if not isinstance(values, dict):
        return False
    sections = [values.get(name, {}) for name in ("latents", "training", "model")]
    if not all(isinstance(section, dict) for section in sections):
        return False
    return "game" not in values and ("latents" in values or "loss" in values.get("training", {}))
