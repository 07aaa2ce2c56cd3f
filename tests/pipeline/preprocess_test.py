import pytest


def test_a_users_mistake_is_one_message_without_a_traceback(commands, tmp_path):
    finished = commands.run(
        "pipeline.preprocess", "--source=folders", f"--input={tmp_path / 'none'}", f"--output={tmp_path / 'out'}"
    )
    assert finished.status == 1
    assert "Error: --input=" in finished.stderr
    assert "Expected layout:" in finished.stderr
    assert "Traceback" not in finished.stderr


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--num_shaps=3"], "neither a flag of this command nor a Beam option. Did you mean --num_shapes?"),
        (["--resolution=64"], "Did you mean --resolutions?"),
        (["--resolutions=abc"], "--resolutions must be numbers such as 64,128."),
        (["--resolutions=2"], "--resolutions must be between 4 and 4096."),
    ],
)
def test_a_wrong_flag_ends_with_status_2_and_the_name_that_was_meant(commands, tmp_path, flags, message):
    finished = commands.run("pipeline.preprocess", "--source=shapes", f"--output={tmp_path / 'out'}", *flags)
    assert finished.status == 2
    assert message in finished.stderr
    assert "Traceback" not in finished.stderr


def test_a_place_that_needs_an_extra_is_refused_with_the_extra(commands, tmp_path):
    finished = commands.run(
        "pipeline.preprocess", "--source=folders", "--input=s4://bucket/x", f"--output={tmp_path / 'out'}"
    )
    assert finished.status == 2
    assert "--input must be a place that Beam can reach. Received: s4://bucket/x" in finished.stderr
    assert "Traceback" not in finished.stderr


@pytest.mark.slow
def test_refused_runner_ends_with_its_reason(commands, tmp_path):
    finished = commands.run(
        "pipeline.preprocess", "--source=shapes", f"--output={tmp_path / 'out'}", "--runner=NoSuchRunner"
    )
    assert finished.status == 2
    assert "--runner must be one of" in finished.stderr
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
