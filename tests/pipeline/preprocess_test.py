import pytest


def test_a_users_mistake_is_one_message_without_a_traceback(commands, tmp_path):
    finished = commands.run(
        "pipeline.preprocess", "--source=folders", f"--input={tmp_path / 'none'}", f"--output={tmp_path / 'out'}"
    )
    assert finished.status == 1
    assert "Error: --input=" in finished.stderr
    assert "Expected layout:" in finished.stderr
    assert "Traceback" not in finished.stderr


@pytest.mark.slow
def test_refused_runner_ends_with_its_reason(commands, tmp_path):
    finished = commands.run(
        "pipeline.preprocess", "--source=shapes", f"--output={tmp_path / 'out'}", "--runner=DaskRunner"
    )
    assert finished.status == 1
    assert "it loses elements in silence" in finished.stderr
    assert "Traceback" not in finished.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_bar_counts_every_image_and_the_counters_follow(commands, tmp_path):
    finished = commands.run(
        "pipeline.preprocess", "--source=shapes", "--num_shapes=60", f"--output={tmp_path / 'out'}", "--resolutions=16"
    )
    assert finished.status == 0, finished.stderr
    assert "60/60" in finished.stderr
    assert "img/s" in finished.stderr
    assert "  images: 60" in finished.stdout
