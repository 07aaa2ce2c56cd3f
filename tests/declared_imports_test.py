"""What the packages import of others stands in pyproject.toml: a wheel installs that, and no more."""

import ast
import functools
import pathlib
import re
import sys
import tomllib

import pytest

from tests import build_files

ROOT = pathlib.Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
PACKAGES = ("biggan_tf", "configs", "pipeline", "serving")
# Distributions that need not be installed here, by the module that they bring.
_NOT_IN_THE_LOCK = {"mlflow": "mlflow_skinny", "atheris": "atheris"}
# Modules that are imported only when their extra is asked for.
_OF_AN_EXTRA = {
    "biggan_tf/training/trackers/mlflow_tracker.py": "mlflow",
    "biggan_tf/training/trackers/wandb_tracker.py": "wandb",
}
_BEAMS = {"botocore": "aws", "distributed": "dask"}  # what comes with Beam's extra of this name


def distribution(name):
    return _NOT_IN_THE_LOCK.get(name.split(".")[0]) or build_files.distribution(name)


def parsed(requirement):
    """The normalised name of a distribution, and the extras that are asked of it."""
    name, extras = re.match(r"([\w.-]+)(?:\[([\w,-]+)\])?", requirement).groups()
    return re.sub(r"[-.]+", "_", name).lower(), set((extras or "").split(","))


def imports(text, of_functions):
    """The distributions that a file imports: when it is imported itself, or also when its functions are called."""
    names, waiting = [], [ast.parse(text)]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names += [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
            continue
        elif of_functions or not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            waiting += ast.iter_child_nodes(node)
    ours = {*PACKAGES, *sys.stdlib_module_names}
    return {distribution(name) for name in names if name.split(".")[0] not in ours}


@functools.cache
def by_file(of_functions):
    files = [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]
    return {path.relative_to(ROOT).as_posix(): imports(path.read_text(), of_functions) for path in files}


def missing(declared, found):
    return {name: file for file, names in found.items() for name in names if name not in declared}


def declared_by(extra):
    requirements = dict(map(parsed, PROJECT["optional-dependencies"][extra]))
    asked_of_beam = requirements.get("apache_beam", set())
    return {*requirements, *(name for name, beams in _BEAMS.items() if beams in asked_of_beam)}


MAIN = set(dict(map(parsed, PROJECT["dependencies"])))
EXTRAS = set().union(*(declared_by(extra) for extra in PROJECT["optional-dependencies"] if extra != "dev"))


def test_a_module_can_be_imported_without_an_extra():
    found = dict(by_file(of_functions=False))
    for file, extra in _OF_AN_EXTRA.items():
        assert found.pop(file) <= MAIN | declared_by(extra)
    assert missing(MAIN, found) == {}


def test_what_functions_import_stands_in_an_extra_at_least():
    assert missing(MAIN | EXTRAS, by_file(of_functions=True)) == {}


@pytest.mark.parametrize(
    ("text", "eager", "all_of_them"),
    [
        ("import ml_dtypes", {"ml_dtypes"}, {"ml_dtypes"}),
        ("def f():\n    import tqdm.auto", set(), {"tqdm"}),
        ("class A:\n    from PIL import Image", {"pillow"}, {"pillow"}),
        ("try:\n    import scipy\nexcept ImportError: ...", {"scipy"}, {"scipy"}),
        ("if TYPE_CHECKING:\n    import jax", set(), set()),
        ("import os.path\nfrom biggan_tf import files", set(), set()),
        ("from google.protobuf import message", {"protobuf"}, {"protobuf"}),
    ],
)
def test_imports_are_found(text, eager, all_of_them):
    assert (imports(text, False), imports(text, True)) == (eager, all_of_them)


def test_every_dependency_is_imported():
    used = set().union(*by_file(of_functions=True).values())
    # TensorFlow writes the summaries of a training; this is the program that shows them.
    assert MAIN - used == {"tensorboard"}
