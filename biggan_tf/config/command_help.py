"""`--help` of the binaries: what a command does and its own flags, on one screen; `--helpfull` lists the others."""

from __future__ import annotations

import importlib.metadata
import inspect
import shutil
import sys
import textwrap
from collections.abc import Callable, Sequence
from typing import Any

from absl import app, flags

from biggan_tf import __version__

_HELP = ("--help", "-help", "-h", "-?", "--helpshort")
_MAX_COLUMNS = 110
_NAME_COLUMNS = 24
_WARNING = -1


def run(main: Callable[[Any], Any], parse: Callable[[list[str]], list[str]] = app.parse_flags_with_usage) -> None:
    """`app.run` with our `--help`.

    absl's own one takes the flags of the script that was started, which for a console script has none.

    Args:
        main: The binary's; its module's docstring and flags are shown.
        parse: Reads the command line, as the `flags_parser` of `app.run`.
    """

    def parse_unless_help(argv: Sequence[str]) -> list[str]:
        if asks_for_help(argv):
            sys.stdout.write(text(main))
            sys.exit(0)
        # The server has a flag of this name, whose answer is that of tensorflow_model_server.
        if asks_for_version(argv) and "version" not in flags.FLAGS:
            sys.stdout.write(version_text())
            sys.exit(0)
        left = parse(list(argv))
        if flags.FLAGS["verbosity"].using_default_value:
            # absl would set INFO, at which TensorFlow tells how long each save took; our own loggers have their levels.
            flags.FLAGS["verbosity"].value = _WARNING
            flags.FLAGS["verbosity"].using_default_value = False
        return left

    app.run(main, flags_parser=parse_unless_help)


def asks_for_help(argv: Sequence[str]) -> bool:
    """Whether a command line, program name first, has one of the words for help."""
    words = list(argv[1:])
    return bool(set(_HELP) & set(words[: words.index("--")] if "--" in words else words))


def asks_for_version(argv: Sequence[str]) -> bool:
    """Whether a command line, program name first, has --version."""
    words = list(argv[1:])
    return "--version" in (words[: words.index("--")] if "--" in words else words)


def version_text() -> str:
    """The versions of this package and of those that decide its numbers, a line each; none of them is imported."""
    lines = [f"biggan_tf {__version__}"]
    for name in ("tensorflow", "keras", "apache-beam"):
        try:
            lines.append(f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            lines.append(f"{name} is not installed")
    return "\n".join([*lines, ""])


def text(main: Callable[[Any], Any]) -> str:
    """The help page of a binary."""
    module = inspect.getmodule(main)
    columns = min(shutil.get_terminal_size().columns, _MAX_COLUMNS)
    own = flags.FLAGS.get_key_flags_for_module(module)
    lines = [inspect.getdoc(module) or "", ""]
    for flag in own:
        lines += table_row(_shown_name(flag), _shown_help(flag), columns)
    return "\n".join([*lines, "", "--helpfull lists the flags of the libraries too, --version the versions.", ""])


def table_row(name: str, description: str, columns: int) -> list[str]:
    """One flag's lines: its name, and beside it the description, wrapped."""
    indent = " " * (_NAME_COLUMNS + 3)
    wrapped = textwrap.wrap(description, columns - len(indent)) or [""]
    first = f"  {name:<{_NAME_COLUMNS}} "
    if len(name) > _NAME_COLUMNS:
        return [f"  {name}", *(indent + line for line in wrapped)]
    return [first + wrapped[0], *(indent + line for line in wrapped[1:])]


def _shown_name(flag: Any) -> str:
    return f"--[no]{flag.name}" if flag.boolean else f"--{flag.name}"


def _shown_help(flag: Any) -> str:
    values = getattr(flag.parser, "enum_values", None) or ()
    description = flag.help.removeprefix(f"<{'|'.join(values)}>: ")
    if not all(value in description for value in values):
        description += f" One of {', '.join(values)}."
    default = flag.default
    if isinstance(default, list | tuple):
        default = ",".join(map(str, default))
    is_told = default is None or default is False or default == "" or flag.name == "config"  # 0 is a value to tell
    return f"{description}{'' if is_told else f' [{default}]'}"
