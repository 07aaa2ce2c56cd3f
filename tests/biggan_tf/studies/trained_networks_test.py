"""The studies that take networks from outside, on small ones of several families with their first weights."""

import pytest

from biggan_tf.families.biggan.config import BigGANConfig
from biggan_tf.families.stylegan2.config import StyleGAN2Config
from biggan_tf.families.stylegan3.config import StyleGAN3Config
from biggan_tf.studies import registry
from biggan_tf.studies.contract import StudyContext
from biggan_tf.studies.execution import image_bytes, perform, plain
from tests.biggan_tf.studies.models import studied


def model_of(config):
    model = studied(config)
    for layer in getattr(model.generator, "convolutions", ()):
        layer.noise_strength.assign(0.1)
    return model


def biggan():
    return BigGANConfig(
        resolution=8,
        num_classes=3,
        z_dim=12,
        generator_table=(2, 1),
        discriminator_table=(1, 2),
        generator_channels=8,
        generator_attention=(),
        discriminator_attention=(),
    )


def stylegan2():
    return StyleGAN2Config(resolution=8, z_dim=8, w_dim=8, mapping_layers=1, channel_base=128, channel_max=16)


def stylegan3():
    return StyleGAN3Config(
        resolution=16, z_dim=8, w_dim=8, mapping_layers=1, channel_base=512, channel_max=16, num_layers=4
    )


CASES = {
    "noise_texture": (stylegan2,),
    "aliasing": (biggan, stylegan3),
    "latent_information": (biggan, stylegan2),
    "mapping_network": (stylegan2,),
}


@pytest.mark.slow
@pytest.mark.parametrize(("name", "config"), [(name, config) for name, configs in CASES.items() for config in configs])
def test_a_study_takes_networks_from_outside(name, config):
    study = registry.load(name)
    assert study.uses_run
    result = perform(study, StudyContext(budget="small", model=model_of(config())))
    assert plain(result.numbers, "numbers")
    assert len(image_bytes(result.figure, "png")) > 5000
    for part in ("Claim:", "Computed:", "Came out:", "Where it stops:"):
        assert part in result.paragraph
    assert all(axes.get_xlabel() and axes.get_ylabel() for axes in result.figure.axes)
