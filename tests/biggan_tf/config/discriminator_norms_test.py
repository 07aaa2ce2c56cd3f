"""What a discriminator can be normalised by, and why some pairs of norm and family cannot be built."""

import json

import pytest

from biggan_tf.config import Config, from_dict, to_dict
from biggan_tf.config.discriminator_norms import (
    BatchNormConfig,
    ConditionalSpectralConfig,
    GroupNormConfig,
    InstanceNormConfig,
    LayerNormConfig,
    NoNormConfig,
    SpectralConfig,
)
from biggan_tf.config.parts import FamilyConfig, kinds, load
from biggan_tf.families.biggan.config import BigGANConfig
from biggan_tf.families.stylegan2.config import StyleGAN2Config
from biggan_tf.games.config import WassersteinConfig


def problem(model, game=None):
    config = Config(model=model)
    if game is not None:
        config.game = game
    (sentence,) = config.problems()
    return sentence


def test_a_family_has_the_norm_of_its_authors_by_default():
    norms = {kind: load("model", kind)().discriminator_norm.kind for kind in kinds("model") if kind != "toy"}
    assert norms.pop("biggan") == "spectral"
    assert set(norms.values()) == {"none"}


@pytest.mark.parametrize("kind", sorted(kinds("discriminator_norm")))
def test_norms_come_back_from_json(kind):
    config = Config(model=StyleGAN2Config(discriminator_norm=load("discriminator_norm", kind)()))
    assert from_dict(Config, json.loads(json.dumps(to_dict(config)))) == config


def test_a_run_of_an_earlier_version_keeps_its_norm():
    values = to_dict(Config(model=BigGANConfig()))
    del values["model"]["discriminator_norm"]
    assert from_dict(Config, values).model.discriminator_norm == SpectralConfig()


def test_numbers_out_of_range_are_told():
    norm = BatchNormConfig(epsilon=0.0, momentum=1.0)
    assert len(Config(model=StyleGAN2Config(discriminator_norm=norm)).problems()) == 2
    norm = GroupNormConfig(num_groups=0)
    assert "num_groups must be at least 1" in problem(StyleGAN2Config(discriminator_norm=norm))


def test_groups_must_divide_the_channels_of_every_slot():
    model = StyleGAN2Config(resolution=8, channel_base=64, channel_max=10, discriminator_norm=GroupNormConfig())
    assert "num_groups must divide the channels of every slot, 8, 10" in problem(model)


def test_a_norm_leaves_nothing_of_a_single_value():
    tables = {"generator_table": (2, 2, 1), "discriminator_table": (1, 1, 1, 2)}
    tables = {**tables, "resolution": 16, "discriminator_channels": 8, "z_dim": 6}
    deep = {**tables, "architecture": "biggan_deep", "generator_attention": (), "discriminator_attention": ()}
    model = BigGANConfig(**deep, discriminator_downsampling=(True, True, True), discriminator_norm=LayerNormConfig())
    assert Config(model=model).problems() == []
    model.discriminator_table = (1, 1, 1, 1, 1, 2)
    model.discriminator_downsampling = (True, True, True, True, False)
    model.discriminator_norm = InstanceNormConfig()
    assert "must not be instance with a slot of one pixel" in problem(model)
    model.discriminator_norm = GroupNormConfig(num_groups=2)
    assert "must be smaller than the channels of a slot of one pixel" in problem(model)


def test_a_gain_for_each_class_needs_classes():
    model = StyleGAN2Config(num_classes=0, discriminator_norm=ConditionalSpectralConfig())
    assert "another one than conditional_spectral without classes" in problem(model)


def test_slots_need_blocks():
    model = StyleGAN2Config(resolution=4, discriminator_norm=LayerNormConfig())
    assert "must be none or spectral where the discriminator has no block" in problem(model)
    model.discriminator_norm = SpectralConfig()
    assert Config(model=model).problems() == []


def test_a_family_without_slots_has_no_norm():
    model = FamilyConfig(discriminator_norm=LayerNormConfig())
    model.kind = "dense"
    assert any("must be none with model dense" in sentence for sentence in model.problems())


def test_clipping_of_weights_needs_kernels_that_nothing_divides():
    model = StyleGAN2Config(discriminator_norm=SpectralConfig())
    assert "game.weight_limit must be 0 with model stylegan2" in problem(model, WassersteinConfig())
    clipped = Config(model=BigGANConfig(discriminator_norm=NoNormConfig()), game=WassersteinConfig())
    assert clipped.problems() == []
