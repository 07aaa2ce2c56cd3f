"""What a BigGAN's configuration refuses: levels and places of self-attention that its networks do not have."""

import pytest

from biggan_tf.families.biggan.tables import attention_sizes, discriminator_levels
from tests.biggan_tf.families.biggan import models


def small(**fields):
    """A model whose z can be split for 32 pixels and for 64."""
    return models.small(z_dim=20, **fields)


def test_an_own_table_without_flags_may_not_halve_images_away():
    (problem,) = small(resolution=64, discriminator_table=(1,) * 8, generator_attention=()).problems()
    assert "model.discriminator_table must not halve 64 pixels more than 6 times. Received: 7 halvings in 8" in problem
    model = small(resolution=64, discriminator_table=(1,) * 7, generator_attention=())
    assert list(model.problems()) == []
    assert discriminator_levels(model)[-1].size == 1


def test_flags_of_an_own_table_may_not_halve_images_away():
    flags = (True,) * 8
    (problem,) = small(resolution=64, discriminator_table=(1,) * 8, discriminator_downsampling=flags).problems()
    assert "Received: 8 halvings in 8 levels; set some of model.discriminator_downsampling to False." in problem
    flags = (True,) * 4 + (False,) * 4
    assert not list(small(resolution=64, discriminator_table=(1,) * 8, discriminator_downsampling=flags).problems())


@pytest.mark.parametrize(
    ("fields", "sizes"),
    [
        ({}, [8, 16]),
        ({"architecture": "biggan_deep"}, [8, 16]),
        ({"reference": "compare_gan"}, [4, 8, 16]),
        ({"resolution": 64}, [4, 8, 16, 32]),
        ({"discriminator_table": (1, 2, 4), "discriminator_downsampling": (True, False, False)}, [16]),
    ],
)
def test_the_discriminator_attends_at_the_sizes_that_its_levels_put_out(fields, sizes):
    model = small(discriminator_attention=tuple(sizes), **fields)
    assert attention_sizes(model)["discriminator_attention"] == sizes
    assert list(model.problems()) == []
    assert sum(level.attention for level in discriminator_levels(model)) == len(sizes)
    other = 4 if 4 not in sizes else 128
    (problem,) = small(discriminator_attention=(other,), **fields).problems()
    assert f"must name resolutions that a block puts out: {sizes}. Received: ({other},); drop {other}." in problem


def test_the_default_places_of_self_attention_may_be_none_of_the_levels():
    fields = {"generator_attention": (64,), "discriminator_attention": (64,)}
    assert list(small(**fields).problems()) == []
    # A discriminator that halves nothing has no place for it at all.
    flags = {"discriminator_table": (1, 1), "discriminator_downsampling": (False, False)}
    assert list(small(**fields, **flags).problems()) == []


def test_flags_that_do_not_fit_the_levels_are_named():
    (problem,) = small(generator_table=(1, 1, 1, 1), generator_upsampling=(True, True, True, False)).problems()
    assert "must hold a flag for each of 3 levels" in problem
