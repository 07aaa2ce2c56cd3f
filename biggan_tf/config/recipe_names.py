"""Finds a recipe by its name, so that an installed package needs no checkout to train."""

from __future__ import annotations

import importlib.util
from pathlib import Path


def find(name: str) -> str:
    """The file of a recipe.

    Args:
        name: A path, or the name of one of the recipes that come with this package, with or without "configs/" and
            ".py", e.g. "biggan_128". A part from ":" on, the argument of the recipe's `get_config`, is kept.

    Returns:
        The name itself where it is a file, else the path of the package's recipe; "": there is no such recipe.
    """
    path, colon, argument = name.partition(":")
    if Path(path).is_file():
        return name
    packaged = _folder()
    leaf = path.removeprefix("configs/").removesuffix(".py")
    file = packaged / f"{leaf}.py" if packaged is not None else None
    if file is None or not leaf.isidentifier() or leaf == "__init__" or not file.is_file():
        return ""
    return f"{file}{colon}{argument}"


def packaged_names(pattern: str) -> list[str]:
    """The names of the recipes that come with this package, for those files that match a pattern like "[a-z]*.py"."""
    folder = _folder()
    return [] if folder is None else sorted(path.stem for path in folder.glob(pattern))


def _folder() -> Path | None:
    spec = importlib.util.find_spec("configs")
    places = list(spec.submodule_search_locations or ()) if spec is not None else []
    return Path(places[0]) if places else None
