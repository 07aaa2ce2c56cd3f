"""What `--init_from` and `--augment` set in the configuration of a run."""

import pytest

from biggan_tf.config import Config, fine_tuning


@pytest.mark.parametrize(
    ("augment", "kind", "images"),
    [
        ("ada", "adaptive", 500_000),
        ("diffaugment", "differentiable", None),
        ("none", "none", None),
        (None, "none", None),
    ],
)
def test_augment_names_a_part_by_a_short_name(augment, kind, images):
    config = Config()
    fine_tuning.apply(config, None, augment)
    assert config.augmentation.kind == kind
    assert getattr(config.augmentation, "adjustment_images", None) == images
    assert config.initial.weights == ""


def test_ada_adjusts_faster_where_a_run_begins_with_trained_networks():
    config = Config()
    fine_tuning.apply(config, "presets/tiny", "ada")
    assert (config.initial.weights, config.augmentation.adjustment_images) == ("presets/tiny", 100_000)


def test_numbers_of_a_recipes_own_augmentation_stay():
    config = Config()
    fine_tuning.apply(config, None, "ada")
    config.augmentation.target = 0.5
    fine_tuning.apply(config, None, "ada")
    assert config.augmentation.target == 0.5
