"""The command of the fuzzing: what it prints, and that it finds a fault."""

import importlib.util
import pathlib
import sys
import tempfile

import pytest

from tests.fuzz import discovery, run

BROKEN = "tests.fuzz.broken_target"
needs_atheris = pytest.mark.skipif(importlib.util.find_spec("atheris") is None, reason="atheris is not installed")
LOG = """
#2\tINITED cov: 20 ft: 21 corp: 1/1b exec/s: 0 rss: 60Mb
#900\tNEW    cov: 33 ft: 1049 corp: 9/80b lim: 4 exec/s: 0 rss: 61Mb
stat::number_of_executed_units: 120345
"""


def test_a_line_tells_runs_features_and_crashes():
    assert run.report("torch_reader", run._result(LOG, 0)) == "torch_reader: 120,345 runs, 1,049 features, 0 crashes"


def test_a_crash_names_its_input_and_how_to_run_it_again():
    result = run._result(f"{LOG}KeyError: abc\nTest unit written to out/fuzz/crashes/torch_reader-crash-ab\n", 77)
    text = run.report("torch_reader", result)
    assert text.startswith("torch_reader: 120,345 runs, 1,049 features, 1 crashes\n")
    assert "KeyError: abc" in text
    assert text.endswith(
        "torch_reader was broken by out/fuzz/crashes/torch_reader-crash-ab; run it again by\n"
        "  python -m tests.fuzz.run --target=torch_reader --input=out/fuzz/crashes/torch_reader-crash-ab"
    )


@needs_atheris
@pytest.mark.slow
def test_an_input_that_breaks_a_target_is_found_kept_and_can_be_run_again(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(discovery, "OUTPUT", tmp_path)
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "seed").write_bytes(b"ab")
    assert run.main([f"--target={BROKEN}", "--minutes=1", f"--corpus={tmp_path / 'more'}"]) == 1
    printed = capsys.readouterr().out
    path = printed.rsplit("--input=", 1)[1].strip()
    assert path.startswith(str(tmp_path))
    assert pathlib.Path(path).read_bytes().startswith(b"abc")
    with pytest.raises(KeyError, match="abc"):
        run.main([f"--target={BROKEN}", f"--input={path}"])


@needs_atheris
@pytest.mark.slow
def test_a_sound_target_is_fuzzed_and_its_inputs_are_kept(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(discovery, "OUTPUT", tmp_path)
    monkeypatch.setattr(run, "_MAX_MEMORY_MIB", 1024)
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    larger_than_the_limit = b"a" * (1100 << 20)  # The memory of who starts the fuzzing is not the target's.
    assert run.main(["--target=hub_config", "--minutes_each=0.05"]) == 0
    assert "hub_config: " in capsys.readouterr().out
    assert any((tmp_path / "hub_config").iterdir())
    assert not any((tmp_path / "temporary").iterdir())
    del larger_than_the_limit


def test_without_atheris_it_says_what_to_install(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(SystemExit, match=r"atheris, which is not installed here: python -m pip install '\.\[fuzz\]'"):
        run.main(["--minutes=1"])


def test_unknown_targets_and_folders_are_refused_by_name(tmp_path):
    with pytest.raises(SystemExit, match=r"--target must be one of .*torch_reader.*Received: torch"):
        run.main(["--target=torch"])
    with pytest.raises(SystemExit, match=r"--corpus must be a folder. Received: "):
        run.main([f"--corpus={tmp_path / 'none'}"])
    with pytest.raises(SystemExit, match="--input needs the --target"):
        run.main([f"--input={tmp_path}"])


def test_an_input_is_run_again_without_atheris(tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "atheris", None)
    (tmp_path / "input").write_bytes(b"{}")
    assert run.main(["--target=hub_config", f"--input={tmp_path / 'input'}"]) == 0
    assert "well read or well refused" in capsys.readouterr().out
