"""The page on which a person tries the models: its files, what it must know of the models, and the REST API."""

from __future__ import annotations

import asyncio
import datetime
import functools
import importlib.resources
import json
import math
import os
from collections.abc import Sequence
from typing import Any

from biggan_tf.config.truncation import OF_LATENTS, OF_STYLES
from serving import signatures as s
from serving.server.core import ServerCore
from serving.server.export_assets import ERRORS, read_asset
from serving.server.http_app import HttpAnswer, HttpRequest
from serving.server.loaded_model import LoadedModel
from serving.server.rest import RestApi
from serving.server.status import ServingError
from serving.server.versions import State

MODELS_PATH = "/playground/models.json"
_KINDS = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
_WITHOUT_CLASSES = "picture"  # the one class, by which the page calls pictures of a model without classes
# Scripts and styles come from this server only, pictures also from answers (data:) and from drawing them (blob:).
_POLICY = "default-src 'self'; img-src 'self' data: blob:; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"


class Playground:
    """Answers as the REST port does, and with the page; being of one origin, it needs no CORS.

    Args:
        core: The models.
        rest: The REST API.

    Attributes:
        headers: Headers of every answer.
    """

    def __init__(self, core: ServerCore, rest: RestApi):
        self._core, self._rest = core, rest
        self.headers: Sequence[tuple[str, str]] = (
            *rest.headers,
            ("Content-Security-Policy", _POLICY),
            ("X-Content-Type-Options", "nosniff"),
            ("Referrer-Policy", "no-referrer"),
            ("Cache-Control", "no-cache"),
        )

    def is_open(self, request: HttpRequest) -> bool:
        """Whether a request needs no token: the page itself, because a browser has none before it shows the page."""
        return (request.method == "GET" and _file_name(request) in _files()) or self._rest.is_open(request)

    async def answer(self, request: HttpRequest) -> HttpAnswer:
        """Answers a request.

        Raises:
            ServingError: The request is wrong, or it failed.
        """
        name = _file_name(request)
        if request.method == "GET" and request.path == MODELS_PATH:
            models = await asyncio.to_thread(playable_models, self._core)
            return HttpAnswer(200, json.dumps(models).encode())
        if request.method == "GET" and name in _files():
            return HttpAnswer(200, _files()[name], _KINDS[os.path.splitext(name)[1]])
        return await self._rest.answer(request)


def playable_models(core: ServerCore) -> list[dict[str, Any]]:
    """What the page must know of every version that is served, the newest version of a model first.

    Returns:
        `name`, `version` and `problem`, which is "" for an export of ours; such a one also has `z_dim`, `resolution`,
        `classes` (names by label), `has_classes` (if not, there is one name in `classes`), `images_seen`, `exported`
        (when, in UTC as ISO 8601 writes it), the ends of `truncation`, where it begins (`truncation_default`),
        `num_styles` (0: it has no styles to mix), and `notes`: what is wrong with the files that say more of it, for
        which the page does without them. One that enlarges pictures has `exported` and `enlargement` instead, how many
        times as large they become. What no file of the export says is None.
    """
    models = []
    for name in core.model_names:
        for version in core.manager.statuses(name):
            if version.state is State.AVAILABLE:
                try:
                    with core.manager.handle(name, version.number) as (_, model):
                        models.append({"name": name, "version": version.number, **_described(model)})
                except ServingError:
                    continue  # It was unloaded between the two questions.
    return models


def _described(model: LoadedModel) -> dict[str, Any]:
    needed = {s.LATENTS, s.SYNTHESIZE_PNG, s.SYNTHESIZE}
    if s.UPSCALE in model.signatures:
        return {"problem": "", "enlargement": _enlargement(model.path), "exported": _origin(model.path, [])[1]}
    if not needed <= set(model.signatures):
        missing = ", ".join(sorted(needed - set(model.signatures)))
        return {"problem": f"It has no signature {missing}; only what serving.export wrote can be shown here."}
    inputs, outputs = model.signatures[s.SYNTHESIZE].inputs, model.signatures[s.SYNTHESIZE].outputs
    has_classes = s.CLASS_WEIGHTS in inputs
    try:
        z_dim, resolution = (int(tensor.tensor_shape.dim[1].size) for tensor in (inputs[s.LATENT], outputs[s.IMAGES]))
        num_classes = int(inputs[s.CLASS_WEIGHTS].tensor_shape.dim[1].size) if has_classes else 1
    except (KeyError, IndexError):
        num_classes = 0
    if num_classes <= 0:
        return {"problem": "Its signatures are not those that serving.export writes, so it cannot be shown here."}
    notes: list[str] = []
    images_seen, exported = _origin(model.path, notes)
    num_styles = _num_styles(model)
    return {
        "problem": "",
        "z_dim": z_dim,
        "resolution": resolution,
        "classes": _class_names(model.path, num_classes, notes) if has_classes else [_WITHOUT_CLASSES],
        "has_classes": has_classes,
        "images_seen": images_seen,
        "exported": exported,
        "truncation": _truncations(model),
        "truncation_default": (OF_STYLES if num_styles else OF_LATENTS).default,
        "num_styles": num_styles,
        "notes": notes,
    }


def _enlargement(path: str) -> int | None:
    """How many times as large a model makes pictures, by its provenance; None: that does not say."""
    try:
        provenance = read_asset(path, s.PROVENANCE_ASSET)
    except ERRORS:
        return None
    sizes = provenance.get("sizes") if isinstance(provenance, dict) else None
    found = sizes.get("enlargement") if isinstance(sizes, dict) else None
    return found if type(found) is int and found > 0 else None


def _truncations(model: LoadedModel) -> list[float]:
    """The smallest and the largest truncation that a model takes, without what its bounds leave for rounding."""
    limit = model.limits.get(s.TRUNCATION)
    if limit is None or limit.low is None or limit.high is None:
        return [s.MIN_TRUNCATION, s.MAX_TRUNCATION]
    return [round(limit.low, 4), round(limit.high, 4)]


def _num_styles(model: LoadedModel) -> int:
    """How many layers of a model have a style of their own; 0 for a model without styles."""
    if not set(s.STYLE_SIGNATURES) <= set(model.signatures):
        return 0
    axes = model.signatures[s.MAP].outputs[s.STYLES].tensor_shape.dim
    return max(0, int(axes[1].size)) if len(axes) > 1 else 0


def _class_names(path: str, num_classes: int, notes: list[str]) -> list[str]:
    """The names by label; numbers, and a note of the reason, where the file with the names is of no use."""
    numbers = [str(label) for label in range(num_classes)]
    try:
        labels = read_asset(path, s.LABELS_ASSET)
        if labels is None:
            return numbers
        if not isinstance(labels, list) or len(labels) != num_classes:
            raise ValueError(f"It must be a list of {num_classes} classes.")
        for label, entry in enumerate(labels):
            if not isinstance(entry, dict) or not isinstance(entry.get("name"), str):
                raise ValueError(f"Class {label} must be an object with a text `name`.")
        return [entry["name"].encode("utf-8", "replace").decode() for entry in labels]
    except ERRORS as error:
        notes.append(f"{s.LABELS_ASSET} cannot be used, so the classes have numbers: {_reason(error)}")
        return numbers


def _origin(path: str, notes: list[str]) -> tuple[int | None, str | None]:
    """How many images the weights were trained on, and when they were exported; None: the export does not say."""
    try:
        provenance = read_asset(path, s.PROVENANCE_ASSET)
        if provenance is None:
            return None, None
        if not isinstance(provenance, dict):
            raise ValueError("It must be an object.")
        return _images_seen(provenance), _exported(provenance)
    except ERRORS as error:
        notes.append(f"{s.PROVENANCE_ASSET} cannot be used: {_reason(error)}")
        return None, None


def _images_seen(provenance: dict[str, Any]) -> int | None:
    seen = provenance.get("images_seen")
    if seen is None:
        return None
    if isinstance(seen, bool) or not isinstance(seen, int | float) or not (0 <= seen < math.inf):
        raise ValueError("Its `images_seen` must be a number of images.")
    return int(seen)


def _exported(provenance: dict[str, Any]) -> str | None:
    written = provenance.get(s.EXPORTED)
    if written is None:
        return None
    try:
        moment = datetime.datetime.fromisoformat(written)
        if moment.tzinfo is None:
            raise ValueError("no zone")
        return moment.astimezone(datetime.UTC).isoformat(timespec="seconds")
    except (TypeError, ValueError, OverflowError) as error:
        raise ValueError(
            f"Its `{s.EXPORTED}` must be a date and time with a zone, such as 2026-03-04T05:06:07+00:00."
        ) from error


def _reason(error: Exception) -> str:
    return str(error)[:200].encode("utf-8", "replace").decode()


def _file_name(request: HttpRequest) -> str:
    return "index.html" if request.path == "/" else request.path.removeprefix("/")


@functools.cache
def _files() -> dict[str, bytes]:
    folder = importlib.resources.files("serving") / "playground"
    return {file.name: file.read_bytes() for file in folder.iterdir() if os.path.splitext(file.name)[1] in _KINDS}
