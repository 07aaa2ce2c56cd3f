"""The wheel, installed into a fresh environment and used outside of the checkout: recipes are named, and all works."""

import json
import os
import pathlib
import shutil
import subprocess
import sys
import sysconfig
import urllib.request
import venv

import pytest

import biggan_tf
from tests.free_port import free_port
from tests.serving.embedded import wait_for

ROOT = pathlib.Path(__file__).parents[1]
PACKAGED = ("biggan_tf", "configs", "pipeline", "serving")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """Built from a copy, because a build leaves files next to the sources."""
    source, out = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("dist")
    for name in PACKAGED:
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    run(source, sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "-w", out, ".")
    (path,) = out.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def commands(wheel, tmp_path_factory):
    """The folder of the commands of an environment with the wheel, whose dependencies are those of the tests."""
    folder = tmp_path_factory.mktemp("fresh")
    venv.create(folder, with_pip=False)
    python = folder / "bin" / "python"
    own = pathlib.Path(sysconfig.get_path("purelib", "venv", {"base": str(folder)}))
    # A line of a .pth file brings the packages of that folder, and not the checkout that its own .pth files name.
    (own / "dependencies.pth").write_text(f"{sysconfig.get_path('purelib')}\n")
    run(folder, sys.executable, "-m", "pip", "--python", python, "install", "-q", "--no-deps", "--no-index", wheel)
    return folder / "bin"


def run(folder, *command):
    names = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run([*map(str, command)], cwd=folder, env=names, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, f"{command}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
    return done.stdout


def answer(port, name, body=None):
    try:
        with urllib.request.urlopen(f"http://localhost:{port}/v1/models/{name}", body, timeout=60) as reply:
            return json.load(reply)
    except OSError:
        return {}


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_wheel_trains_samples_exports_and_serves_by_the_names_of_recipes(commands, tmp_path):
    place = run(tmp_path, commands / "python", "-c", "import biggan_tf; print(biggan_tf.__file__)")
    assert place.startswith(str(commands.parent))
    assert biggan_tf.__version__ in run(tmp_path, commands / "biggan-train", "--version")
    shapes = ["--source=shapes", "--output=shapes", "--resolutions=32", "--num_shapes=300", "--noprogress"]
    run(tmp_path, commands / "biggan-preprocess", *shapes)
    steps = ["--config.training.num_steps=2", "--config.checkpoints.every_steps=2"]
    run(tmp_path, commands / "biggan-train", "--config=smoke", "--config.data.path=shapes/32", "--workdir=run", *steps)
    run(tmp_path, commands / "biggan-sample", "--workdir=run", "--output=sheet.png")
    assert (tmp_path / "sheet.png").exists()
    run(tmp_path, commands / "biggan-export", "--workdir=run", "--output=models/biggan", "--passes=1", "--batch_size=4")
    ports = {name: free_port() for name in ("port", "rest_api_port")}
    flags = [f"--{name}={port}" for name, port in ports.items()]
    server = [commands / "biggan-serve", *flags, "--model_name=biggan", f"--model_base_path={tmp_path}/models/biggan"]
    with subprocess.Popen([*map(str, server)], cwd=tmp_path) as process:
        try:
            wait_for(lambda: process.poll() is not None or answer(ports["rest_api_port"], "biggan"), timeout_s=300)
            request = json.dumps({"instances": [{"label": 3, "seed": 1, "truncation": 0.5}]}).encode()
            assert "image_bytes" in answer(ports["rest_api_port"], "biggan:predict", request)["predictions"][0]
            client = [f"--target=localhost:{ports['port']}", "--labels=star,3", "--output=pictures"]
            run(tmp_path, commands / "biggan-client", *client)
            assert sorted(path.name for path in (tmp_path / "pictures").iterdir()) == ["3-1.png", "star-0.png"]
        finally:
            process.terminate()
            process.wait(timeout=120)
