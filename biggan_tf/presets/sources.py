"""Finds the folder of a preset by what people write: a folder, a name, or an address on a hub."""

from __future__ import annotations

import os
import re
from pathlib import Path

from biggan_tf.config import checks
from biggan_tf.presets import hub
from biggan_tf.presets.preset_folder import is_preset

# The presets that come with a checkout. They are no part of a wheel, which would grow by the weights of them all.
_CHECKOUT = Path(__file__).resolve().parents[2] / "examples" / "models"
_NAME = re.compile(r"[A-Za-z0-9][\w.-]*")


class PresetNotFoundError(ValueError):
    """There is no preset where one was named; the message says which there are and what else can be given."""


def names() -> list[str]:
    """The names of the presets that came with this checkout; none where the package was installed from a wheel."""
    return sorted(path.name for path in _CHECKOUT.glob("*") if is_preset(path))


def find(source: str | os.PathLike[str]) -> str:
    """The folder of a preset. Only an address on a hub is downloaded.

    Args:
        source: A folder, the name of a preset of `names`, or an address such as "hf://owner/name".

    Raises:
        PresetNotFoundError: If there is none.
        HubError: If it cannot be had from the hub.
    """
    source = os.fspath(source)
    if hub.is_address(source):
        return hub.download(source)
    if os.path.isdir(source):
        if not is_preset(source):
            raise PresetNotFoundError(
                f"A preset must have preset.json. Received: {source}, without it; `python -m biggan_tf.save_preset` "
                "makes a preset of a run."
            )
        return source
    if _NAME.fullmatch(source) and is_preset(_CHECKOUT / source):
        return str(_CHECKOUT / source)
    raise PresetNotFoundError(
        f"A preset must be a folder, a name or hf://OWNER/NAME. Received: {source!r}; {_what_there_is(source)}"
    )


def is_source(source: str | os.PathLike[str]) -> bool:
    """Whether a source can be nothing but a preset: an address on a hub, a preset's folder, or the name of one.

    Nothing is downloaded. A file or another folder of that name is none.
    """
    source = os.fspath(source)
    if hub.is_address(source) or is_preset(source):
        return True
    return not os.path.exists(source) and bool(_NAME.fullmatch(source)) and is_preset(_CHECKOUT / source)


def _what_there_is(source: str) -> str:
    known = names()
    if known:
        return checks.nearest(source, known)
    if _CHECKOUT.is_dir():
        return f"{_CHECKOUT} holds none."
    return (
        "presets are named in a checkout of the project, and this package was installed without one. Clone the project "
        "and name a folder of its examples/models, or give hf://OWNER/NAME."
    )
