"""Runs a study and writes what came out: NAME.png, NAME.svg, NAME.json and NAME.txt."""

from __future__ import annotations

import importlib.metadata
import io
import math
from collections.abc import Mapping, Sequence

import keras
import matplotlib
import numpy as np
from matplotlib.figure import Figure

import biggan_tf
from biggan_tf import files
from biggan_tf.studies.contract import Study, StudyContext, StudyError, StudyResult, StudyValue

_LIBRARIES = ("tensorflow", "keras", "numpy")
_DIGITS = 7  # of a number in the JSON file; float32 has no more
_DOTS_PER_INCH = 110
_DRAWINGS = 3  # after which a layout no longer changes


def perform(study: Study, context: StudyContext) -> StudyResult:
    """Runs a study, the same way each time.

    Raises:
        StudyError: If the study cannot use the context's model, or if a number is not finite.
    """
    if context.model is not None and not study.uses_run:
        raise StudyError(
            f"{study.name} is about networks of its own and can study no trained ones. Received: "
            f"{context.model.source}; leave --workdir and --weights out."
        )
    if context.model is not None and context.model.generator.config.enlargement > 1:
        raise StudyError(
            f"{study.name} studies generators that draw images from latents. Received: {context.model.source}, which "
            "enlarges images; biggan_tf.evaluate measures such a network."
        )
    # Keras's layers take their initial weights from the global seed.
    keras.utils.set_random_seed(context.seed)
    result = study.run(context)
    _settle(result.figure)
    return result


def _settle(figure: Figure) -> None:
    """Fixes the places of a figure's panels.

    A constrained layout may move them a little each time the figure is drawn, since the marks of an axis depend on its
    size. The bytes of a file would then depend on how often the figure was drawn before.
    """
    for _ in range(_DRAWINGS):
        figure.draw_without_rendering()
    figure.set_layout_engine("none")


def write(study: Study, context: StudyContext, result: StudyResult, folder: str) -> list[str]:
    """Writes the four files of a study. Each appears complete or not at all, and equal results give equal bytes.

    Args:
        study: What was run.
        context: What it was run with; it becomes the protocol in the JSON file.
        result: What came out.
        folder: Where the files are written; it is created if it is not there.

    Returns:
        The paths of the files.

    Raises:
        StudyError: If a number is not finite. No file is written then.
    """
    paths = {suffix: files.join(folder, f"{study.name}.{suffix}") for suffix in ("png", "svg", "json", "txt")}
    told = described(study, context, result)  # before any file is written: a number that is not finite raises here
    files.write_bytes(paths["png"], image_bytes(result.figure, "png"))
    files.write_bytes(paths["svg"], image_bytes(result.figure, "svg"))
    files.write_text(paths["txt"], f"{result.paragraph}\n")
    files.write_json(paths["json"], told, ensure_ascii=False)
    return list(paths.values())


def described(study: Study, context: StudyContext, result: StudyResult) -> dict[str, object]:
    """What the JSON file holds: the claim, whether it held, the numbers, and the protocol that decided them."""
    model = context.model
    protocol: dict[str, object] = {
        "seed": context.seed,
        "budget": context.budget,
        "model": "" if model is None else model.source,
        "data": context.data,
        "settings": plain(result.settings, "settings"),
        "versions": {"biggan_tf": biggan_tf.__version__, **{n: importlib.metadata.version(n) for n in _LIBRARIES}},
    }
    if model is not None:
        loaded = model.loaded
        protocol["trained"] = {
            "family": loaded.generator.config.kind,
            "images_seen": loaded.images_seen,
            "step": loaded.step,
        }
    return {
        "study": study.name,
        "claim": study.claim,
        "holds": bool(result.holds),
        "paragraph": result.paragraph,
        "numbers": plain(result.numbers, "numbers"),
        "protocol": protocol,
    }


def plain(value: StudyValue, place: str) -> object:
    """A value as what `json` writes, numbers with as many digits as float32 has.

    Args:
        value: Numbers, texts, arrays, and sequences and mappings of such.
        place: Where it stands, for the error.

    Raises:
        StudyError: If a number is not finite, which JSON cannot say.
    """
    if isinstance(value, Mapping):
        return {str(name): plain(part, f"{place}.{name}") for name, part in value.items()}
    if isinstance(value, np.ndarray | np.generic):
        return plain(value.tolist(), place)
    if isinstance(value, str | bool | int):
        return value
    if isinstance(value, Sequence):
        return [plain(part, f"{place}[{i}]") for i, part in enumerate(value)]
    if not math.isfinite(value):
        raise StudyError(f"The numbers of a study must be finite. Received: {value} for {place}")
    return float(f"{value:.{_DIGITS}g}")


def image_bytes(figure: Figure, kind: str) -> bytes:
    """A figure as the bytes of a file, the same bytes for the same figure.

    Args:
        figure: What to draw.
        kind: "png" or "svg".
    """
    # Without these, each file would hold the time, the version of the library and random names.
    metadata = {"Software": None} if kind == "png" else {"Date": None, "Creator": None}
    content = io.BytesIO()
    with matplotlib.rc_context({"svg.hashsalt": "biggan_tf"}):
        figure.savefig(content, format=kind, dpi=_DOTS_PER_INCH, metadata=metadata)
    return content.getvalue()
