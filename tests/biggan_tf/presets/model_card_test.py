"""What the model card of a preset says, and what it leaves out because nobody knows it."""

import dataclasses
import shlex

import pytest

from biggan_tf.presets import model_card
from biggan_tf.presets.preset import DataRecipe, Measurement, Preset
from tests.biggan_tf.training import tiny


def card(num_classes=3, **facts):
    config = tiny.config()
    config.model = dataclasses.replace(config.model, num_classes=num_classes)
    return model_card.text(Preset(config, **facts), 1000, has_discriminator=False)


@pytest.mark.parametrize(
    ("num_classes", "call"),
    [
        (0, "generate(labels=None, seed=[0, 1, 2], truncation=0.5)  # uint8 [3, height, width, 3]"),
        (1, "generate(labels=[0], seed=0, truncation=0.5)  # uint8 [1, height, width, 3]"),
        (2, "generate(labels=[0, 1], seed=0, truncation=0.5)  # uint8 [2, height, width, 3]"),
        (9, "generate(labels=[0, 1, 2], seed=0, truncation=0.5)  # uint8 [3, height, width, 3]"),
    ],
)
def test_the_example_draws_classes_that_there_are(num_classes, call):
    assert call in card(num_classes)


def test_what_is_not_known_is_left_out():
    measurement = Measurement({"fid": 12.5}, {"samples": {"weights": "ema"}})
    text = card(data=DataRecipe("folders"), measurements=(measurement,))
    assert "trained for" not in text
    assert "written by" not in text
    assert "\nProtocol 1:\n" in text
    assert "\nImages, prepared:\n" in text
    assert "--resolutions=RESOLUTION" in text
    assert "Fingerprint" not in text
    assert "| trained for | 30 real images |" in card(images_seen=30)
    assert "| trained for | 3 steps |" in card(step=3)


def test_flags_are_quoted_for_a_shell():
    recipe = DataRecipe("folders", resolution=8, settings={"recipe": "a b; rm -rf $HOME `id`", "seed": 0})
    (line,) = [line for line in card(data=recipe).splitlines() if line.startswith("python -m pipeline.preprocess")]
    assert shlex.split(line)[3:] == [
        "--source=folders",
        "--resolutions=8",
        "--recipe=a b; rm -rf $HOME `id`",
        "--seed=0",
        "--input=INPUT",
        "--output=OUTPUT",
    ]


def test_the_number_of_drawn_shapes_is_asked_for_where_the_data_does_not_tell_it():
    text = card(data=DataRecipe("shapes", resolution=8, settings={"seed": 0}))
    assert "--source=shapes --resolutions=8 --seed=0 --num_shapes=NUM_SHAPES --output=OUTPUT" in text
    assert "NUM_SHAPES stands for the number of pictures of all splits together" in text
    assert "NUM_SHAPES" not in card(data=DataRecipe("shapes", settings={"num_shapes": 4000}))
