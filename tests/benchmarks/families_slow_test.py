"""The benchmarks of families run in small: beside no public code, on TensorFlow and on JAX."""

import importlib
import importlib.util
import json
import math
import os
import pathlib
import subprocess
import sys

import pytest

from tests.benchmarks import page, precisions, side_by_side

pytestmark = pytest.mark.slow

ROOT = pathlib.Path(__file__).parents[2]
STEPS = {"biggan": ["D step", "G step", "step"], "r3gan": ["D step", "G step", "step"]}


@pytest.mark.parametrize(("name", "size"), [("biggan", (32, 4, 2)), ("r3gan", ((8, 8), (4, 4), 2))])
def test_a_family_is_timed_without_a_public_code(monkeypatch, name, size):
    for variable in ("TORCH_PYTHON", "BIGGAN_PYTORCH", "R3GAN_PYTORCH"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr(side_by_side, "SECONDS", 0.01)
    monkeypatch.setattr(side_by_side, "ROUNDS", 1)
    bench = importlib.import_module(f"tests.benchmarks.{name}_bench")
    monkeypatch.setattr(precisions, "worth_timing", lambda: ("float32",))
    rows = list(bench.measure((size,)))
    assert [row["work"] for row in rows] == ["G forward", *STEPS[name]]
    assert all(row["images/s"] > 0 and "products" in row["where our time goes"] for row in rows)


@pytest.mark.skipif(importlib.util.find_spec("jax") is None, reason="jax is not installed (extra: jax)")
@pytest.mark.parametrize(
    ("family", "steps"),
    [
        ("r3gan", STEPS["r3gan"]),
        pytest.param("biggan", STEPS["biggan"], marks=pytest.mark.exhaustive),
        pytest.param(
            "stylegan2",
            ["G step", "path length step", "D step", "R1 step", "step"],
            marks=pytest.mark.exhaustive,
        ),
    ],
)
def test_jax_times_a_family_without_tensorflow(tmp_path, family, steps):
    (tmp_path / "tensorflow.py").write_text("raise ImportError('a machine with a GPU may lack it')\n")
    path = tmp_path / "jax.json"
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "tests.benchmarks.jax_steps",
            family,
            "--tiny",
            "--policies=float32",
            f"--output={path}",
        ],
        env={**os.environ, "KERAS_BACKEND": "jax", "PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"},
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stderr
    written = json.loads(path.read_text())
    assert [row["work"] for row in written["rows"]] == ["G forward", *steps]
    for row in written["rows"]:
        assert row["images/s"] > 0
        assert 0 < row["share"] < math.inf
    # `make bench-page` shows it with the others.
    assert f"| {family} |" in page.page({"jax": written})


def test_jax_refuses_another_backend_and_unknown_families():
    for arguments, backend, message in (
        (["r3gan"], "tensorflow", "KERAS_BACKEND must be jax. Received: tensorflow"),
        (["r4gan"], "jax", "families are biggan, stylegan2, r3gan. Received: r4gan"),
    ):
        done = subprocess.run(
            [sys.executable, "-m", "tests.benchmarks.jax_steps", *arguments],
            env={**os.environ, "KERAS_BACKEND": backend},
            capture_output=True,
            text=True,
            check=False,
            cwd=ROOT,
        )
        assert done.returncode == 2
        assert message in done.stderr
