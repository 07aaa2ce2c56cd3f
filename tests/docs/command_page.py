"""The page of all commands in docs/reference/commands.md, which consists of what each command prints for --help.

python -m tests.docs.command_page    # writes the page
"""

import pathlib
import tomllib

from tests.command_server import CommandServer

ROOT = pathlib.Path(__file__).parents[2]
PAGE = ROOT / "docs/reference/commands.md"
SCRIPTS = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
COLUMNS = "100"
_HEAD = """# Commands

This page is what the commands themselves print for `--help`; `python -m tests.docs.command_page` writes it. A command
that is installed, such as `biggan-train`, is the same program as its module, `python -m biggan_tf.train`. Every one of
them also takes `--version`.
"""


def module_of(script):
    """The module that a console script runs, as `python -m` takes it."""
    return SCRIPTS[script].partition(":")[0].removesuffix(".__main__")


def page(help_of):
    """The text of the page.

    Args:
        help_of: Takes a module's name and returns its help page.
    """
    parts = [_HEAD]
    for script in sorted(SCRIPTS):
        parts.append(
            f"## {script}\n\n`python -m {module_of(script)}`\n\n```text\n{help_of(module_of(script)).strip()}\n```\n"
        )
    return "\n".join(parts)


def main():
    server = CommandServer()
    try:
        PAGE.write_text(page(lambda module: server.run(module, "--help", environment={"COLUMNS": COLUMNS}).stdout))
    finally:
        server.close()


if __name__ == "__main__":
    main()
