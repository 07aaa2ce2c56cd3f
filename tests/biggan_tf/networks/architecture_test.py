import pytest

from biggan_tf.networks.architecture import discriminator_stages, generator_stages
from biggan_tf.networks.conventions import REFERENCES, conventions_of
from tests.biggan_tf.networks.models import small


def test_generator_follows_the_papers_table():
    stages = generator_stages(small(resolution=128, generator_attention=(64,), generator_channels=1))
    assert [(s.in_channels, s.out_channels, s.size, s.attention) for s in stages] == [
        (16, 16, 8, False),
        (16, 8, 16, False),
        (8, 4, 32, False),
        (4, 2, 64, True),
        (2, 1, 128, False),
    ]


def test_discriminator_follows_the_papers_table():
    model = small(resolution=128, discriminator_attention=(64,), discriminator_channels=1)
    stages = discriminator_stages(model)
    assert [(s.in_channels, s.out_channels, s.size, s.resample) for s in stages] == [
        (3, 1, 64, True),
        (1, 2, 32, True),
        (2, 4, 16, True),
        (4, 8, 8, True),
        (8, 16, 4, True),
        (16, 16, 4, False),
    ]
    assert [s.attention for s in stages] == [True] + [False] * 5


@pytest.mark.parametrize(
    ("reference", "flags", "sizes"),
    [
        ("paper", [True, True, False, False], [16, 8, 8, 8]),
        ("compare_gan", [True, True, True, False], [16, 8, 4, 4]),
    ],
)
def test_discriminator_of_32_pixels(reference, flags, sizes):
    stages = discriminator_stages(small(reference=reference, discriminator_attention=(8,)))
    assert [stage.resample for stage in stages] == flags
    assert [stage.size for stage in stages] == sizes
    assert sum(stage.attention for stage in stages) == 1


def test_own_epsilon_overrides_the_references():
    assert conventions_of(small(reference="tfhub")).spectral_norm_epsilon == 1e-4
    assert conventions_of(small(reference="tfhub", spectral_norm_epsilon=1e-3)).spectral_norm_epsilon == 1e-3
    assert conventions_of(small(reference="ajbrock")) == REFERENCES["ajbrock"]
