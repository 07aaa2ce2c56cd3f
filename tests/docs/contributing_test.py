"""CONTRIBUTING's samples are followed: the family, the game and the source work as soon as they are registered."""

import pathlib
import re
import sys
import textwrap
import types

import keras
import numpy as np
import pytest
import tensorflow as tf

import biggan_tf
import biggan_tf.families
import biggan_tf.games
import pipeline.sources
from biggan_tf.config import from_dict, parts, to_dict
from biggan_tf.games import config as games_config
from pipeline.errors import PipelineError
from pipeline.preprocessing.settings import ExamplesConfig
from pipeline.sources import opening

ROOT = pathlib.Path(__file__).parents[2]
BLOCKS = [
    textwrap.dedent(block)
    for block in re.findall(r"^ *```python\n(.*?)^ *```", (ROOT / "CONTRIBUTING.md").read_text(), re.DOTALL | re.M)
]
# Samples of whole files by their paths; the others are a line for a registry.
FILES = {block.split("\n")[0].removeprefix("# "): block for block in BLOCKS if block.startswith("# ")}
LINES = [block for block in BLOCKS if not block.startswith("# ")]


def registered(line, namespace):
    """A line of a registry as its name and what stands there."""
    ((name, place),) = eval(f"{{{line}}}", namespace).items()
    return name, place


@pytest.fixture
def followed(tmp_path, monkeypatch):
    """The packages with the files that the page tells to write."""
    for path, text in FILES.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    (tmp_path / "biggan_tf/families/dense/__init__.py").touch()
    for package in (biggan_tf.families, biggan_tf.games, pipeline.sources):
        folder = tmp_path / package.__name__.replace(".", "/")
        monkeypatch.setattr(package, "__path__", [*package.__path__, str(folder)])
    namespace = dict(vars(games_config))
    exec(FILES["biggan_tf/games/config.py"], namespace)
    monkeypatch.setattr(games_config, "MinimaxConfig", namespace["MinimaxConfig"], raising=False)
    family, _, game, _ = LINES
    for slot, line in (("model", family), ("game", game)):
        name, place = registered(line, {})
        monkeypatch.setitem(parts.PARTS[slot], name, place)
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        if name.startswith(("biggan_tf.families.dense", "biggan_tf.games.minimax", "pipeline.sources.prefixed")):
            del sys.modules[name]


def test_the_page_has_the_samples_that_it_tells_of():
    assert set(FILES) == {
        "biggan_tf/families/dense/config.py",
        "biggan_tf/families/dense/networks.py",
        "biggan_tf/games/config.py",
        "biggan_tf/games/minimax.py",
        "configs/dense.py",
        "pipeline/sources/prefixed.py",
        "tests/biggan_tf/families/dense/smallest.py",
    }
    assert len(LINES) == 4


def test_a_family_of_the_sample_trains_and_is_saved(followed, tmp_path):
    recipe = types.ModuleType("dense_recipe")
    exec(FILES["configs/dense.py"], vars(recipe))
    config = recipe.get_config()
    config.model.resolution, config.model.width, config.training.batch_size = 8, 16, 4
    config.model.policy = "float32"
    config.game = parts.load("game", "minimax")(discriminator_steps=1)
    assert config.problems() == []
    assert from_dict(biggan_tf.Config, to_dict(config)) == config
    gan = biggan_tf.GAN(config)
    gan.compile()
    images = tf.random.stateless_uniform([4, 8, 8, 3], [0, 1], -1.0, 1.0)
    before = gan.generator.get_weights()
    gan.fit(tf.data.Dataset.from_tensors((images, tf.constant([0, 1, 2, 3]))), verbose=0)
    assert any((old != new).any() for old, new in zip(before, gan.generator.get_weights(), strict=True))
    z, labels = tf.random.stateless_normal([2, config.model.z_dim], [0, 1]), tf.constant([3, 5])
    gan.generator.save(tmp_path / "generator.keras")
    again = keras.saving.load_model(tmp_path / "generator.keras")
    inputs = gan.generator.inputs_of(z, labels)
    np.testing.assert_array_equal(again(inputs), gan.generator(inputs))
    assert np.abs(gan.generator(inputs)[0] - gan.generator(gan.generator.inputs_of(z, labels[::-1]))[0]).max() > 0


def test_the_smallest_run_of_the_sample_is_one_that_the_conformance_tests_can_train(followed):
    namespace = {}
    exec(FILES["tests/biggan_tf/families/dense/smallest.py"], namespace)
    name, place = registered(LINES[1], {})
    assert (name, place.partition(":")[2]) == ("dense", "config")
    config = namespace["config"]()
    assert config.problems() == []
    assert (config.model.resolution, config.model.num_classes, config.model.z_dim) == (8, 3, 8)


def test_an_impossible_number_of_the_family_is_named(followed):
    config = biggan_tf.Config(model=parts.load("model", "dense")(width=0))
    assert any("model.width" in problem for problem in config.problems())


def test_the_loss_of_the_sample_is_numpys(followed):
    game = parts.load("game", "minimax")().build()
    real, fake = np.array([0.5, 2.0]), np.array([-1.0, 0.25])
    expected = np.log1p(np.exp(-real)).mean() + np.log1p(np.exp(fake)).mean()
    np.testing.assert_allclose(game.discriminator(tf.constant(real), tf.constant(fake)), expected, rtol=1e-14)
    np.testing.assert_allclose(game.generator(tf.constant(fake)), -np.log1p(np.exp(fake)).mean(), rtol=1e-14)


def test_the_source_of_the_sample_lists_a_folder(followed, tmp_path, monkeypatch):
    from pipeline.sources.prefixed import PrefixedFiles

    name, opens = registered(LINES[3], {"PrefixedFiles": PrefixedFiles})
    monkeypatch.setattr(opening, "SOURCES", {**opening.SOURCES, name: opens})
    folder = tmp_path / "pictures"
    folder.mkdir()
    for file in ("dog.1.jpg", "cat.0.jpg", "notes.txt"):
        (folder / file).write_bytes(b"image")
    items = list(opening.open_source(ExamplesConfig("prefixed", str(folder))).items())
    assert [(item.example_id, item.class_name, item.size) for item in items] == [
        ("cat.0.jpg", "cat", 5),
        ("dog.1.jpg", "dog", 5),
    ]
    (folder / "photo.jpg").write_bytes(b"image")
    with pytest.raises(PipelineError, match="must begin with its class"):
        list(opening.open_source(ExamplesConfig("prefixed", str(folder))).items())
