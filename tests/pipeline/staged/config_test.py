"""What a pipeline's configuration must be before anything runs."""

import pytest

from biggan_tf.config import ConfigError
from tests.biggan_tf.families.super_resolution import smallest as super_resolution
from tests.pipeline.staged import fork_pipeline


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -1.0])
@pytest.mark.parametrize(("section", "field"), [("evaluator", "tolerance"), ("validator", "max_leaked_fraction")])
def test_a_number_that_would_open_a_gate_for_anything_is_refused(section, field, value):
    config = fork_pipeline.tiny_config()
    config.validate()
    setattr(getattr(config, section), field, value)
    with pytest.raises(ConfigError, match=f"{section}.{field} must be"):
        config.validate()


def test_metrics_must_be_those_of_the_family_that_is_trained():
    config = fork_pipeline.tiny_config()
    config.evaluator.metrics = ("psnr",)
    with pytest.raises(ConfigError, match=r"evaluator\.metrics must be some of fd, .*Received: psnr"):
        config.validate()
    config.trainer = super_resolution.config()
    config.validate()
    config.evaluator.metrics = ("fd", "psnr")
    with pytest.raises(ConfigError, match=r"evaluator\.metrics must be some of psnr, .*Received: fd;"):
        config.validate()


@pytest.mark.parametrize(
    ("section", "field", "value", "wanted"),
    [
        ("evaluator", "features", "incepton", "must be one of inception, efficientnet_lite0, classifier.*did you mean"),
        ("evaluator", "classifier_steps", 0, "must be at least 1"),
        ("evaluator", "num_samples", 0, "must be at least 1"),
        ("evaluator", "num_real", -1, "must be at least 0"),
        ("infra_validator", "num_tries", 0, "must be at least 1"),
        ("infra_validator", "num_samples", 0, "must be at least 1"),
        ("infra_validator", "poll_s", -1.0, "must be a number from 0 on"),
        ("infra_validator", "max_loading_time_s", float("nan"), "must be a number from 0 on"),
    ],
)
def test_what_would_fail_behind_the_training_is_refused_before_it(section, field, value, wanted):
    config = fork_pipeline.tiny_config()
    setattr(getattr(config, section), field, value)
    with pytest.raises(ConfigError, match=f"{section}.{field} {wanted}"):
        config.validate()


def test_inception_needs_the_file_of_its_weights_where_features_are_compared():
    config = fork_pipeline.tiny_config()
    config.evaluator.features = "inception"
    with pytest.raises(ConfigError, match=r"evaluator\.features_path must name the file of Inception's weights"):
        config.validate()
    config.evaluator.features_path = "weights.pth"
    config.validate()
    config.evaluator.features_path = ""
    config.trainer, config.evaluator.metrics = super_resolution.config(), ("psnr",)
    config.validate()


@pytest.mark.parametrize(("field", "value", "wanted"), [("rows", "fast", "exact"), ("discriminator", True, "False")])
def test_an_export_that_networks_which_enlarge_cannot_have_is_refused_before_the_training(field, value, wanted):
    config = fork_pipeline.tiny_config()
    setattr(config.export, field, value)
    config.validate()
    config.trainer, config.evaluator.metrics = super_resolution.config(), ("psnr",)
    with pytest.raises(ConfigError, match=rf"export\.{field} must be {wanted} with model super_res.*: {value}; leave"):
        config.validate()


def test_a_classifier_of_whole_images_is_refused_where_patches_are_compared():
    config = fork_pipeline.tiny_config()
    config.evaluator.features = "classifier"
    config.validate()
    config.trainer, config.evaluator.metrics = super_resolution.config(), ("psnr", "patch_fd")
    with pytest.raises(ConfigError, match=r"evaluator\.features_path must name a classifier of images of half the"):
        config.validate()
    config.evaluator.features_path = "classifier.npz"
    config.validate()
    config.evaluator.features_path, config.evaluator.metrics = "", ("psnr", "map_distance")
    config.validate()
