"""The pages of the site, and the commands that they show."""

import os
import pathlib
import re
import shlex
import subprocess
import sys

ROOT = pathlib.Path(__file__).parents[2]
DOCS = ROOT / "docs"
# Written by programs: the help of the commands, what the tests of attacks report, and what benchmarks gave.
_WRITTEN = {"reference/commands.md", "attacks.md", "benchmarks.md"}
PAGES = {
    path.relative_to(DOCS).as_posix(): path.read_text()
    for path in sorted(DOCS.rglob("*.md"))
    if path.relative_to(DOCS).as_posix() not in _WRITTEN
}


def blocks(page, language):
    """The blocks of a page in one language."""
    return re.findall(rf"^```{language}\n(.*?)^```", PAGES[page], re.DOTALL | re.MULTILINE)


def commands(page):
    """Each line of a page's sh blocks."""
    return [line for block in blocks(page, "sh") for line in block.splitlines() if line]


def words_of_modules(page):
    """The words after `python -m` of each command that is a module of ours, or its console script."""
    found = []
    for line in commands(page):
        words = shlex.split(line, comments=True)
        if words[:2] == ["python", "-m"] and words[2].split(".")[0] in ("biggan_tf", "pipeline", "serving"):
            found.append(words[2:])
    return found


def build_site(folder, out):
    """Builds the site that a folder's mkdocs.yml describes, where a warning is an error; returns the ended process."""
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    # Not with --quiet, under which mkdocs counts no warnings, and --strict lets every one of them pass.
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(out)]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
