"""Our code and a public one take turns, and their times become ratios."""

import sys
import textwrap

import pytest

from tests.benchmarks import side_by_side


class Ours:
    """Takes as many seconds as it is told to."""

    batch = 4

    def __init__(self):
        self.calls = []

    @property
    def work(self):
        return {"G forward": None, "step": None}

    def seconds(self, work, at_least):
        self.calls.append((work, at_least))
        return [0.5, 1.0]

    def columns(self, work, rate):
        return {"told": f"{work} {rate:.0f}"}


@pytest.fixture
def public_code(tmp_path, monkeypatch):
    """A folder of a public code, a module that builds its networks, and what stands for PyTorch there."""
    folder, modules = tmp_path / "public", tmp_path / "modules"
    folder.mkdir()
    modules.mkdir()
    (folder / "their_networks.py").write_text("SIZES = {'g': [2, 3], 'd': [4]}\n")
    (modules / "torch_made.py").write_text(
        textwrap.dedent("""
        import importlib, time

        class Parameter:
            def __init__(self, size):
                self.size = size
            def numel(self):
                return self.size

        class Network:
            def __init__(self, sizes):
                self.sizes = sizes
            def parameters(self):
                return [Parameter(size) for size in self.sizes]

        class Subject:
            def __init__(self, scale):
                sizes = importlib.import_module("their_networks").SIZES
                self.generator = Network([scale * size for size in sizes["g"]])
                self.discriminator = Network([scale * size for size in sizes["d"]])
                print("what the public code prints is no answer")
                self.work = {"G forward": lambda: time.sleep(0.02), "step": lambda: 1 / 0}
        """)
    )
    (modules / "torch.py").write_text(
        textwrap.dedent("""
        import types
        __version__ = "made"
        cuda = types.SimpleNamespace(is_available=lambda: False)
        """)
    )
    monkeypatch.setenv("PYTHONPATH", str(modules))
    monkeypatch.setenv("TORCH_PYTHON", sys.executable)
    monkeypatch.setenv("PUBLIC_CODE", str(folder))
    code = side_by_side.Theirs.from_environment("torch_made", "PUBLIC_CODE")
    yield code
    code.close()


def test_their_process_builds_from_the_folder_and_is_timed(public_code):
    public_code.build([10, 8], scale=2)
    clock, _ = public_code.ask(work="G forward", seconds=0.0)
    assert 0.02 <= clock < 2.0


def test_networks_of_another_size_are_refused(public_code):
    with pytest.raises(RuntimeError, match=r"must build the same networks\. Received: \[10, 9\] and \[10, 8\]\."):
        public_code.build([10, 9], scale=2)


def test_an_error_of_their_code_ends_the_measurement(public_code):
    public_code.build([5, 4], scale=1)
    with pytest.raises(RuntimeError, match="The process with PyTorch ended"):
        public_code.ask(work="step", seconds=0.0)


@pytest.mark.parametrize("missing", ["TORCH_PYTHON", "PUBLIC_CODE"])
def test_without_the_public_code_ours_is_measured_alone(monkeypatch, missing):
    for name in ("TORCH_PYTHON", "PUBLIC_CODE"):
        monkeypatch.setenv(name, "x")
    monkeypatch.delenv(missing)
    assert side_by_side.Theirs.from_environment("torch_made", "PUBLIC_CODE") is None
    ours = Ours()
    (first, _), (second, _) = side_by_side.rows(ours, None, {"pixels": 8})
    assert (first["work"], first["images/s"], first["told"]) == ("G forward", 8.0, "G forward 8")
    assert "ratio" not in first
    assert (second["pixels"], second["work"]) == (8, "step")
    assert ours.calls == [(work, s) for work in ours.work for s in (0.0, *[side_by_side.SECONDS] * side_by_side.ROUNDS)]


def test_a_ratio_is_the_median_of_the_rounds():
    rounds = [{"ours": [1.0, 2.0], "theirs": [theirs, 8.0]} for theirs in (2.0, 9.0, 3.0)]
    row = side_by_side.row(6, {"work": "step"}, rounds)
    assert (row["images/s"], row["theirs"]) == (6.0, 2.0)
    assert (row["ratio"], row["rounds"], row["cpu ratio"]) == (3.0, "2.00 to 9.00", 4.0)
