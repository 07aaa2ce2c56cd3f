import pytest

from biggan_tf.families.biggan.tables import discriminator_levels, generator_levels
from biggan_tf.families.biggan.variants import VARIANTS, variant_of
from biggan_tf.layers import BatchNormOptions, SpectralNormOptions
from tests.biggan_tf.families.biggan.models import small


def test_generator_follows_the_papers_table():
    levels = generator_levels(small(resolution=128, generator_attention=(64,), generator_channels=1))
    assert [(s.in_channels, s.out_channels, s.size, s.attention) for s in levels] == [
        (16, 16, 8, False),
        (16, 8, 16, False),
        (8, 4, 32, False),
        (4, 2, 64, True),
        (2, 1, 128, False),
    ]


def test_discriminator_follows_the_papers_table():
    model = small(resolution=128, discriminator_attention=(64,), discriminator_channels=1)
    levels = discriminator_levels(model)
    assert [(s.in_channels, s.out_channels, s.size, s.resample) for s in levels] == [
        (3, 1, 64, True),
        (1, 2, 32, True),
        (2, 4, 16, True),
        (4, 8, 8, True),
        (8, 16, 4, True),
        (16, 16, 4, False),
    ]
    assert [s.attention for s in levels] == [True] + [False] * 5


@pytest.mark.parametrize(
    ("reference", "flags", "sizes"),
    [
        ("paper", [True, True, False, False], [16, 8, 8, 8]),
        ("compare_gan", [True, True, True, False], [16, 8, 4, 4]),
    ],
)
def test_discriminator_of_32_pixels(reference, flags, sizes):
    levels = discriminator_levels(small(reference=reference, discriminator_attention=(8,)))
    assert [level.resample for level in levels] == flags
    assert [level.size for level in levels] == sizes
    assert sum(level.attention for level in levels) == 1


def test_own_epsilon_overrides_the_variants():
    assert variant_of(small(reference="tfhub")).spectral_norm_epsilon == 1e-4
    assert variant_of(small(reference="tfhub", spectral_norm_epsilon=1e-3)).spectral_norm_epsilon == 1e-3
    assert variant_of(small(reference="ajbrock")) == VARIANTS["ajbrock"]


def test_options_are_those_of_the_variant_and_of_the_configuration():
    model = small(reference="tfhub", initializer="normal", batch_norm_momentum=0.5, batch_norm_group_size=2)
    assert variant_of(model).spectral_norm_options(model) == SpectralNormOptions("normal", 1e-4, True)
    assert not variant_of(model).spectral_norm_options(model, enabled=False).enabled
    assert variant_of(model).batch_norm_options(model, 51) == BatchNormOptions(1e-4, 0.5, True, 2, 51)


def test_last_batch_norm_of_ajbrock_keeps_its_epsilon():
    model = small(reference="ajbrock", batch_norm_epsilon=1e-2)
    assert variant_of(model).batch_norm_options(model).epsilon == 1e-2
    assert variant_of(model).last_batch_norm_options(model).epsilon == 1e-5
