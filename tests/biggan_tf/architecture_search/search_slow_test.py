"""Runs a whole search with real trainings, and trains the recipe that it found."""

import json

import pytest

from tests.data import made_data

pytestmark = pytest.mark.slow

RECIPE = """
from biggan_tf.config.search import SearchRoundConfig
from tests.biggan_tf.architecture_search import toy

def get_config():
    return toy.search("data", candidates=2, rounds=(SearchRoundConfig(1, 80),))
"""


@pytest.mark.timeout(900)
def test_a_search_trains_and_its_recipe_can_be_trained(tmp_path, commands):
    made_data.write(tmp_path / "data", num_shards=1, per_shard=30)
    (tmp_path / "toy.py").write_text(RECIPE)
    drawn = commands.run("biggan_tf.search", "--config=toy.py", "--dry_run", cwd=tmp_path)
    assert drawn.status == 0, drawn.stderr
    assert list(json.loads(drawn.stdout)["candidates"]) == ["base", "c01", "c02"]
    found = commands.run("biggan_tf.search", "--config=toy.py", "--output=out", cwd=tmp_path)
    assert found.status == 0, found.stderr
    assert "round 1: fd" in found.stdout
    record = json.loads((tmp_path / "out/search.json").read_text())
    assert set(record["results"][0]["metrics"]) == {"base", record["chosen"][0][0]}
    trained = commands.run(
        "biggan_tf.train",
        "--config=out/best.py",
        "--workdir=run",
        "--config.data.path=data",
        "--config.training.num_steps=2",
        cwd=tmp_path,
    )
    assert trained.status == 0, trained.stderr
