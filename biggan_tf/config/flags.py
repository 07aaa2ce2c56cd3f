"""The command line of the commands, whose mistakes end in one message without a traceback.

`--config` names a recipe file, and `--config.SECTION.FIELD` overrides a field of what it returns. `define_fields` makes
flags of a dataclass's fields, so that a setting is written down once.
"""

from __future__ import annotations

import dataclasses
import difflib
import functools
import re
import runpy
import sys
import typing
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from absl import flags
from ml_collections import config_flags

from biggan_tf.config import Config, ConfigError, command_help, field_paths, recipe_names
from biggan_tf.config import checks as config_checks
from biggan_tf.config.migration import MOVED

# --config belongs to the binary that asks for it, and so does its line in --help.
flags.disclaim_key_flags()

_OVERRIDE = re.compile(r"--?(?:no)?config\.([A-Za-z0-9_.]+)")
_DEFINE: dict[Any, Callable[..., flags.FlagHolder[Any]]] = {
    str: flags.DEFINE_string,
    int: flags.DEFINE_integer,
    float: flags.DEFINE_float,
    bool: flags.DEFINE_bool,
}
_ConfigT = TypeVar("_ConfigT")


def define_config(required: bool = True, example: str = "configs/biggan_128.py") -> flags.FlagHolder:
    """Defines `--config=RECIPE.py` and `--config.section.field=value`.

    Args:
        required: Whether a command without a recipe ends with an error.
        example: Path of a recipe, shown by --help.
    """
    text = f"Recipe, a file or a name, e.g. {example}; --config.SECTION.FIELD=VALUE overrides a field."
    holder = config_flags.DEFINE_config_file("config", None, text)
    if required:
        flags.mark_flag_as_required("config")
    return holder


def resolve(holder: Any, config_class: type[_ConfigT]) -> _ConfigT:
    """The recipe with its overrides.

    Args:
        holder: What `define_config` returned.
        config_class: What the recipe's `get_config` must return.

    Raises:
        ConfigError: If no recipe was given, or its file returns something else.
    """
    config = holder.value
    if not isinstance(config, config_class):
        wanted = f"{config_class.__module__}.{config_class.__qualname__}"
        received = type(config).__name__ if config is not None else "none"
        raise ConfigError(
            [f"--config must name a recipe, a file whose get_config() returns a {wanted}. Received: {received}."]
        )
    return config


def define_fields(
    config_class: type, prefix: str = "", required: Sequence[str] = ()
) -> dict[str, flags.FlagHolder[Any]]:
    """Defines a flag for each field of a dataclass that is a setting (`biggan_tf.config.settings.setting`).

    Args:
        config_class: The dataclass. A setting's meaning becomes the flag's help, and its type (str, int, float, bool or
            tuple[float, ...]), default, choices and smallest value become the flag's. Other fields get no flag.
        prefix: Goes in front of the fields' names.
        required: Fields whose flag has no default: the command asks for them.

    Returns:
        The flags by the names of the fields.
    """
    types = typing.get_type_hints(config_class)
    return {
        field.name: _define(
            prefix + field.name, types[field.name], None if field.name in required else field.default, field.metadata
        )
        for field in dataclasses.fields(config_class)
        if "meaning" in field.metadata
    }


def _define(name: str, kind: Any, default: Any, setting: Mapping[str, Any]) -> flags.FlagHolder[Any]:
    meaning, choices, at_least = setting["meaning"], setting.get("choices", ()), setting.get("at_least")
    if choices:
        return flags.DEFINE_enum(name, default, choices, meaning)
    if kind == tuple[float, ...]:
        return flags.DEFINE(_NumbersParser(), name, default, meaning, serializer=_NumbersSerializer())
    bounds = {} if at_least is None else {"lower_bound": at_least}
    return _DEFINE[kind](name, default, meaning, **bounds)


class _NumbersParser(flags.ArgumentParser[tuple[float, ...]]):
    """Reads numbers that are separated by commas."""

    def parse(self, argument: str | Sequence[float]) -> tuple[float, ...]:
        if not isinstance(argument, str):
            return tuple(argument)
        try:
            return tuple(float(number) for number in argument.split(","))
        except ValueError:
            raise ValueError(f"must be numbers with commas, e.g. 0,0.5,1. Received: {argument}") from None


class _NumbersSerializer(flags.ArgumentSerializer[tuple[float, ...]]):
    """Writes what the parser reads."""

    def serialize(self, value: tuple[float, ...]) -> str:
        return ",".join(map(str, value))


def values_of(holders: Mapping[str, flags.FlagHolder[Any]]) -> dict[str, Any]:
    """What was given for the flags of `define_fields`, by the names of the fields."""
    return {name: holder.value for name, holder in holders.items()}


def run(
    main: Callable[[Sequence[str]], int | None],
    config_class: type = Config,
    recipes: str = "[a-z]*.py",
    takes_words: bool = False,
) -> None:
    """Runs a command that has a recipe; its user's mistakes end in one clear message and status 2.

    Args:
        main: Takes the program's name and what is left of its arguments; returns the exit status.
        config_class: What the recipe's `get_config` returns.
        recipes: Which files in configs/ are proposed where a recipe's name is misspelt.
        takes_words: Whether arguments may be words and not flags, before or after the flags; by default none may.
    """
    if takes_words:
        flags.FLAGS.set_gnu_getopt()  # else every flag after the first word would count as a word
    parser = functools.partial(parse, config_class=config_class, recipes=recipes)
    command_help.run(_without_traceback(main, takes_words), parser)


def fail(message: str, status: int = 2) -> NoReturn:
    """Prints a message for the person at the terminal and ends with a status; that of a wrong flag by default."""
    print(message, file=sys.stderr)  # noqa: T201 - this is the binary's last word
    sys.exit(status)


def parse(
    argv: Sequence[str],
    config_class: type | None = None,
    leave_unknown: bool = False,
    recipes: str = "[a-z]*.py",
    default_recipe: str = "",
) -> list[str]:
    """Reads the command line; a mistake ends the program with a message and status 2.

    Args:
        argv: The program's name and its arguments.
        config_class: What a recipe's `get_config` returns, whose fields overrides must name; None: no `--config`.
        leave_unknown: Whether arguments that are no flags of ours are left for another library, such as Beam.
        recipes: Which files in configs/ are proposed where a recipe's name is misspelt.
        default_recipe: Path of the recipe to use where none is given; "": there is no such recipe. As the default of
            the flag it would be loaded, and misspelt overrides would raise, before the command line is checked.

    Returns:
        The program's name and the arguments that are left.
    """
    recipe = None
    if config_class is not None:
        argv = _with_recipe_in_one_word(argv)
        recipe = next((argument.split("=", 1)[1] for argument in argv if re.match(r"--?config=", argument)), None)
        if recipe is None and default_recipe:
            recipe = default_recipe
            argv = [*argv[:1], f"--config={default_recipe}", *argv[1:]]
        if recipe is not None:
            file = recipe_names.find(recipe)
            if not file:
                known = recipe_names.packaged_names(recipes)
                leaf = Path(recipe.partition(":")[0]).stem
                fail(
                    f"--config must name a recipe. Received: {recipe}, which is no file; "
                    f"{config_checks.nearest(leaf, known)}"
                )
            argv = [f"--config={file}" if re.match(r"--?config=", argument) else argument for argument in argv]
            recipe = file
        _check_names(argv, list(field_paths(_loaded(recipe, config_class))))
    try:
        left: list[str] = flags.FLAGS(list(argv), known_only=leave_unknown)
        return left
    except flags.Error as error:
        fail(f"{error}\nSee --help.")
    except (TypeError, ValueError, KeyError, AttributeError, OSError) as error:
        fail(f"The recipe {recipe} must load and take its overrides. Received: {type(error).__name__}: {error}")


def _with_recipe_in_one_word(argv: Sequence[str]) -> list[str]:
    """The arguments with `--config NAME`, which absl takes as well, as `--config=NAME`."""
    joined: list[str] = []
    words = iter(argv)
    for word in words:
        if word == "--":
            return [*joined, word, *words]
        value = next(words, None) if word in ("--config", "-config") else None
        joined.append(word if value is None else f"{word}={value}")
    return joined


def _without_traceback(
    main: Callable[[Sequence[str]], int | None], takes_words: bool
) -> Callable[[Sequence[str]], int | None]:
    @functools.wraps(main)
    def guarded(argv: Sequence[str]) -> int | None:
        try:
            if len(argv) > 1 and not takes_words:
                fail(f"All arguments must be flags. Received: {' '.join(argv[1:])}; see --help.")
            return main(argv)
        except ConfigError as error:
            fail(str(error))

    return guarded


def _loaded(recipe: str | None, config_class: type) -> Any:
    """What a recipe returns, whose parts decide which fields there are; the defaults if it cannot be loaded.

    ml_collections loads the recipe again, and says what is wrong with it.
    """
    if recipe is None:
        return config_class()
    path, _, argument = recipe.partition(":")
    try:
        get_config = runpy.run_path(path)["get_config"]
        config = get_config(argument) if argument else get_config()
    except Exception:  # noqa: BLE001 - a recipe is anyone's program
        return config_class()
    return config if isinstance(config, config_class) else config_class()


def _check_names(argv: Sequence[str], known: Sequence[str]) -> None:
    """Ends the program if an override names no field; the message names the fields that may have been meant."""
    sections = {path[:end] for path in known for end in range(len(path)) if path[end] == "."}
    for argument in argv:
        match = _OVERRIDE.match(argument)
        if match is None or match[1] in known:
            continue
        name = match[1]
        if name in sections:
            fail(f"--config.{name} is a section; name a field, e.g. --config.{name}.<field>=value.")
        if name in MOVED:
            fail(f"--config.{name} of version 0.1 is --config.{MOVED[name]} now; use that name.")
        same_leaf = [path for path in known if path.split(".")[-1] == name.split(".")[-1]]
        same_leaf = difflib.get_close_matches(name, same_leaf, n=1, cutoff=0.8) or same_leaf
        hint = f"did you mean {' or '.join(same_leaf)}?" if same_leaf else config_checks.nearest(name, known)
        fail(f"--config.FIELD must name a field of the configuration. Received: --config.{name}; {hint}")
