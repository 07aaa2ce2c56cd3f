"""The page that lets a person try the models: its files, what it must know of them, and the REST API beside it."""

from __future__ import annotations

import functools
import importlib.resources
import json
import os
from typing import Any
from urllib.parse import urlsplit

import tensorflow as tf

from serving import signatures as s
from serving.server.core import ServerCore
from serving.server.rest import RestHandler
from serving.server.status import ServingError
from serving.server.versions import State

MODELS_PATH = "/playground/models.json"
_KINDS = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
# Scripts and styles come from this server only, pictures also from answers (data:) and from drawing them (blob:).
_POLICY = "default-src 'self'; img-src 'self' data: blob:; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"


class PlaygroundHandler(RestHandler):
    """Answers as the REST port does, and with the page; being of one origin, it needs no CORS."""

    def do_GET(self) -> None:  # noqa: N802 - the name that http.server calls
        path = urlsplit(self.path).path
        name = "index.html" if path == "/" else path.removeprefix("/")
        if path == MODELS_PATH:
            self._send(200, json.dumps(playable_models(self.core)).encode(), "application/json")
        elif name in _files():
            self._send(200, _files()[name], _KINDS[os.path.splitext(name)[1]])
        else:
            super().do_GET()

    def end_headers(self) -> None:
        self.send_header("Content-Security-Policy", _POLICY)
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Referrer-Policy", "no-referrer")
        self.send_header("Cache-Control", "no-cache")
        super().end_headers()


def playable_models(core: ServerCore) -> list[dict[str, Any]]:
    """What the page must know of every version that is served, the newest version of a model first.

    Returns:
        `name`, `version` and `problem`, which is "" for an export of ours; such a one also has `z_dim`, `resolution`,
        `classes` (names by label), `images_seen` and the ends of `truncation`.
    """
    found = []
    for name in core.model_names:
        for version in core.manager.statuses(name):
            if version.state is State.AVAILABLE:
                try:
                    with core.manager.handle(name, version.number) as (_, model):
                        found.append({"name": name, "version": version.number, **_described(model)})
                except ServingError:
                    continue  # It was unloaded between the two questions.
    return found


def _described(model: Any) -> dict[str, Any]:
    needed = {s.LATENTS, s.SYNTHESIZE_PNG, s.SYNTHESIZE}
    if not needed <= set(model.signatures):
        missing = ", ".join(sorted(needed - set(model.signatures)))
        return {"problem": f"It has no signature {missing}; only what serving.export wrote can be shown here."}
    inputs = model.signatures[s.SYNTHESIZE].inputs
    if s.CLASS_WEIGHTS not in inputs:
        return {"problem": "It was trained without classes, and this page asks for pictures by class; use the client."}
    num_classes = inputs[s.CLASS_WEIGHTS].tensor_shape.dim[1].size
    labels = _asset(model.path, s.LABELS_ASSET) or [{"name": str(label)} for label in range(num_classes)]
    provenance = _asset(model.path, s.PROVENANCE_ASSET) or {}
    return {
        "problem": "",
        "z_dim": inputs[s.LATENT].tensor_shape.dim[1].size,
        "resolution": model.signatures[s.SYNTHESIZE].outputs[s.IMAGES].tensor_shape.dim[1].size,
        "classes": [label["name"] for label in labels],
        "images_seen": provenance.get("images_seen"),
        "truncation": [s.MIN_TRUNCATION, s.MAX_TRUNCATION],
    }


def _asset(path: str, name: str) -> Any:
    try:
        with tf.io.gfile.GFile(os.path.join(path, "assets", name)) as file:
            return json.loads(file.read())
    except tf.errors.NotFoundError:
        return None


@functools.cache
def _files() -> dict[str, bytes]:
    folder = importlib.resources.files("serving") / "playground"
    return {file.name: file.read_bytes() for file in folder.iterdir() if os.path.splitext(file.name)[1] in _KINDS}
