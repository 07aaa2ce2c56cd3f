"""The `--config` flag of every binary: a recipe file, overrides of its fields, and errors without a traceback."""

from __future__ import annotations

import dataclasses
import functools
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from absl import flags
from ml_collections import config_flags

from biggan_tf import command_help, config_checks
from biggan_tf.config import Config, ConfigError, field_paths

# --config belongs to the binary that asks for it, and so does its line in --help.
flags.disclaim_key_flags()

_OVERRIDE = re.compile(r"--?(?:no)?config\.([A-Za-z0-9_.]+)")


def define_config(default: str | None = None, required: bool = True) -> flags.FlagHolder:
    """Defines `--config=RECIPE.py` and `--config.section.field=value`.

    Args:
        default: A recipe to use where none is given.
        required: Whether a binary without a recipe ends with an error.
    """
    text = "Recipe, e.g. configs/biggan_128.py; --config.SECTION.FIELD=VALUE overrides a field."
    holder = config_flags.DEFINE_config_file("config", default, text)
    if required:
        flags.mark_flag_as_required("config")
    return holder


def resolve(holder: Any) -> Config:
    """The recipe with its overrides.

    Raises:
        ConfigError: If the file does not return a Config.
    """
    config = holder.value
    if not isinstance(config, Config):
        raise ConfigError([f"A recipe's get_config() must return a biggan_tf.config.Config. Received: {type(config)}"])
    return config


def run(main: Callable[[Sequence[str]], int | None]) -> None:
    """`app.run` whose user mistakes end in one clear message and status 2."""
    command_help.run(_without_traceback(main), _parse)


def fail(message: str) -> None:
    """Prints a message for the person at the terminal and ends with status 2."""
    print(message, file=sys.stderr)  # noqa: T201 - this is the binary's last word
    sys.exit(2)


def _without_traceback(main: Callable[[Sequence[str]], int | None]) -> Callable[[Sequence[str]], int | None]:
    @functools.wraps(main)
    def guarded(argv: Sequence[str]) -> int | None:
        try:
            if len(argv) > 1:
                fail(f"All arguments must be flags. Received: {' '.join(argv[1:])}; see --help.")
            return main(argv)
        except ConfigError as error:
            fail(str(error))
        return None

    return guarded


def _parse(argv: Sequence[str]) -> list[str]:
    recipe = next((arg.split("=", 1)[1] for arg in argv if re.match(r"--?config=", arg)), None)
    if recipe is not None and not Path(recipe.split(":")[0]).is_file():
        here = sorted(str(path) for path in Path("configs").glob("[a-z]*.py"))
        fail(f"--config must name a recipe file. Received: {recipe}; {config_checks.nearest(recipe, here)}")
    _check_names(argv)
    try:
        return flags.FLAGS(list(argv))
    except flags.Error as error:
        fail(f"{error}\nSee --help.")
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        fail(f"The recipe {recipe} must load and take its overrides. Received: {type(error).__name__}: {error}")
    return []


def _check_names(argv: Sequence[str]) -> None:
    """An override of an unknown field names the near ones."""
    known = list(field_paths(Config()))
    sections = [field.name for field in dataclasses.fields(Config)]
    for arg in argv:
        match = _OVERRIDE.match(arg)
        if match and match[1] not in known:
            last = match[1].split(".")[-1]
            same_leaf = [path for path in known if path.split(".")[-1] == last]
            if match[1] in sections:
                fail(f"--config.{match[1]} is a section; name a field, e.g. --config.{match[1]}.<field>=value.")
            hint = config_checks.nearest(match[1], known)
            if same_leaf:
                hint = f"did you mean {' or '.join(same_leaf)}?"
            fail(f"--config.FIELD must name a field of the configuration. Received: --config.{match[1]}; {hint}")
