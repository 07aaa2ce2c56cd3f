"""What `import biggan_tf` offers: the documented names, without loading or changing anything before they are used."""

import json
import os
import pathlib
import re
import subprocess
import sys
import tomllib

import pytest
from setuptools.config.pyprojecttoml import read_configuration

import biggan_tf

ROOT = pathlib.Path(__file__).parents[2]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PACKAGES = ("biggan_tf", "pipeline", "serving")


def documented():
    """The names in the table of the page on Python."""
    page = (ROOT / "docs/how_to/from_python.md").read_text()
    table = re.search(r"^\| `biggan_tf\.` .*\n(?:\|.*\n)*", page, re.MULTILINE)[0]
    return set(re.findall(r"`(\w+)`", table))


def test_all_is_the_documented_list():
    assert sorted(biggan_tf.__all__) == sorted(documented())
    assert sorted(dir(biggan_tf)) == sorted(biggan_tf.__all__)


@pytest.mark.parametrize("name", biggan_tf.__all__)
def test_every_name_is_there(name):
    assert getattr(biggan_tf, name) is not None


def test_an_unknown_name_is_refused_with_those_that_there_are():
    with pytest.raises(AttributeError, match="biggan_tf has no 'Gan'; it has GAN, BigGAN, BigGANConfig"):
        _ = biggan_tf.Gan


WATCHED = """
import json, os, sys
before = dict(os.environ), list(sys.meta_path), list(sys.path_hooks)
import biggan_tf
biggan_tf.__version__, biggan_tf.__all__
unchanged = before == (dict(os.environ), list(sys.meta_path), list(sys.path_hooks))
loaded = [name for name in ("absl", "apache_beam", "jax", "keras", "numpy", "tensorflow") if name in sys.modules]
print(json.dumps([unchanged, loaded]))
"""


def fresh(code):
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def test_an_import_alone_loads_and_changes_nothing():
    assert fresh(WATCHED) == [True, []]


def test_a_configuration_needs_no_tensorflow():
    code = WATCHED.replace("biggan_tf.__version__", "biggan_tf.Config().problems(), biggan_tf.__version__")
    assert {"keras", "tensorflow"}.isdisjoint(fresh(code)[1])


def test_the_version_has_one_source():
    assert PYPROJECT["project"]["dynamic"] == ["version"]
    assert "version" not in PYPROJECT["project"]
    project = read_configuration(ROOT / "pyproject.toml", expand=True)["project"]
    assert project["version"] == biggan_tf.__version__
    assert re.search(r'^    version = "(.*)",$', (ROOT / "MODULE.bazel").read_text(), re.M)[1] == biggan_tf.__version__


def test_the_changelog_begins_with_the_version():
    headings = re.findall(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert headings == [biggan_tf.__version__, "0.1.0"]


@pytest.mark.parametrize("package", PACKAGES)
def test_a_wheel_tells_that_the_package_is_typed(package):
    assert (ROOT / package / "py.typed").exists()
    assert "py.typed" in PYPROJECT["tool"]["setuptools"]["package-data"][package]
