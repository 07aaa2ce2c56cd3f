"""Every command prepares the same environment before TensorFlow is loaded; a library user's import prepares nothing."""

import json
import os
import pathlib
import re
import subprocess
import sys
import tomllib

import pytest

from biggan_tf import environment

ROOT = pathlib.Path(__file__).parents[2]
SCRIPTS = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
# All but the client, which never loads TensorFlow.
COMMANDS = sorted({entry.partition(":")[0] for entry in SCRIPTS.values()} - {"serving.client.__main__"})

# Stands in for TensorFlow: says in what environment it is loaded, and ends the process.
WITNESS = """
import json, os, sys
print(json.dumps({name: os.environ.get(name) for name in ("TF_ENABLE_ONEDNN_OPTS", "TF_CPP_MIN_LOG_LEVEL")}))
sys.stdout.flush()
os._exit(0)
"""


def run(code, folder=ROOT, **variables):
    """What a fresh process prints whose environment says nothing of TensorFlow but `variables`."""
    return run_words("-c", code, folder=folder, **variables)


def run_words(*words, folder=ROOT, **variables):
    names = {name: value for name, value in os.environ.items() if not name.startswith("TF_")}
    names["PYTHONPATH"] = os.pathsep.join([str(folder), str(ROOT)])
    command = [sys.executable, *words]
    done = subprocess.run(command, env={**names, **variables}, capture_output=True, text=True, check=True, cwd=ROOT)
    return json.loads(done.stdout)


@pytest.fixture
def witness(tmp_path):
    (tmp_path / "tensorflow").mkdir()
    (tmp_path / "tensorflow" / "__init__.py").write_text(WITNESS)
    return tmp_path


@pytest.mark.parametrize("module", COMMANDS)
def test_tensorflow_finds_the_environment_prepared(module, witness):
    """Whether the command's module loads TensorFlow itself, or leaves that to its work."""
    found = run(f"import importlib; importlib.import_module({module!r}); import tensorflow", witness)
    level = "3"
    assert found == {"TF_ENABLE_ONEDNN_OPTS": "1", "TF_CPP_MIN_LOG_LEVEL": level}


def test_a_beam_worker_prepares_itself_when_the_job_is_unpickled(witness):
    package = witness / "apache_beam" / "runners" / "worker"
    package.mkdir(parents=True)
    for folder in (package, *package.parents[:2]):
        (folder / "__init__.py").touch()
    (package / "sdk_worker_main.py").write_text("import pipeline, tensorflow")
    found = run_words("-m", "apache_beam.runners.worker.sdk_worker_main", folder=witness)
    assert found == environment.VARIABLES


def test_what_the_user_set_stays(witness):
    code = "import biggan_tf.sample, tensorflow"
    found = run(code, witness, TF_ENABLE_ONEDNN_OPTS="0", TF_CPP_MIN_LOG_LEVEL="1")
    assert found == {"TF_ENABLE_ONEDNN_OPTS": "0", "TF_CPP_MIN_LOG_LEVEL": "1"}


def test_importing_the_packages_changes_nothing():
    code = (
        "import json, os, sys; variables, finders = dict(os.environ), list(sys.meta_path);"
        "import biggan_tf, biggan_tf.config, biggan_tf.environment, pipeline, serving.client;"
        "print(json.dumps([dict(os.environ) == variables, sys.meta_path == finders, 'tensorflow' in sys.modules]))"
    )
    assert run(code) == [True, True, False]


def test_the_model_loads_tensorflow_with_its_own_defaults(witness):
    assert run("import biggan_tf; biggan_tf.BigGAN", witness) == dict.fromkeys(environment.VARIABLES)


TRAINS = """
from biggan_tf import environment
environment.prepare()
import tensorflow as tf
from biggan_tf.training.gan import GAN
from tests.biggan_tf.training import tiny
gan = GAN(tiny.config())
gan.compile()
gan.fit(tf.data.Dataset.from_tensors(tiny.batch(16)).repeat(2), verbose=0)
print("[1]")
"""


@pytest.mark.slow
def test_a_program_that_asks_for_it_trains_without_tensorflows_messages():
    """As the page on Python shows; "remapper failed" and "failed call to cuInit" are lines of TensorFlow's."""
    names = {name: value for name, value in os.environ.items() if not name.startswith("TF_")}
    command = [sys.executable, "-c", TRAINS]
    done = subprocess.run(command, env=names, capture_output=True, text=True, check=True, cwd=ROOT)
    frightening = r"^[IWEF]\d{4} |^WARNING: All log messages|remapper|cuInit"
    assert not re.search(frightening, done.stderr, re.MULTILINE), done.stderr


def test_these_tests_run_as_the_commands_do():
    assert set(environment.VARIABLES) <= set(os.environ)
