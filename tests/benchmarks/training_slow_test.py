"""The benchmark of training, in small."""

import pytest

from tests.benchmarks import training_bench

pytestmark = pytest.mark.slow


def test_shares_and_peaks_are_measured(monkeypatch):
    for name, value in {"_WARM_UP": 1, "_STEPS": 2, "_LOG_EVERY": 1}.items():
        monkeypatch.setattr(training_bench, name, value)
    monkeypatch.setattr(training_bench, "MEMORY_CASES", ((2, 1),))
    of_time, of_memory = training_bench.measure()
    assert of_time["step_s"] > 0
    assert 0 < of_time["overhead_share"] < 1
    assert 0 < of_time["data_wait_share"] < of_time["overhead_share"]
    assert of_memory["peak_bytes"] > 2**28
