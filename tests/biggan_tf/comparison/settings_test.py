import pytest

from biggan_tf.comparison import settings
from biggan_tf.conditions.config import ContraGANConfig
from biggan_tf.config import Config
from biggan_tf.config.discriminator_norms import NoNormConfig
from biggan_tf.games.config import HingeConfig, NonSaturatingConfig, WassersteinConfig
from biggan_tf.games.penalties_config import PenaltiesConfig
from configs import compare_cifar10


@pytest.mark.parametrize(
    ("part", "words"),
    [
        (HingeConfig(), "hinge"),
        (HingeConfig(2, orthogonal_strength=0.0), "hinge (orthogonal_strength=0)"),
        (
            NonSaturatingConfig(2, penalties=PenaltiesConfig(r1=1.0, r1_every=16)),
            "non_saturating (penalties.r1=1, penalties.r1_every=16)",
        ),
        (NoNormConfig(), "none"),
    ],
)
def test_a_part_is_told_by_its_kind_and_what_is_not_its_default(part, words):
    assert settings.described(part, left_out=("discriminator_steps",)) == words


def test_parts_that_few_recipes_have_are_told_where_they_are():
    config = Config()
    assert not {"classifier", "label noise"} & settings.of_recipe(config).keys()
    config.data.label_noise = 0.2
    assert settings.of_recipe(config)["label noise"] == "0.2"


def test_the_entries_of_the_comparison_on_cifar10_can_be_told_apart():
    told = {entry.name: settings.of_recipe(entry.recipe) for entry in compare_cifar10.get_config().entries}
    assert len({str(parts) for parts in told.values()}) == len(told)
    assert told["contragan_2c"]["condition"].startswith(ContraGANConfig.kind)
    assert "gradient_penalty=10" in told["biggan_wgan_gp"]["game"]
    assert told["biggan_wgan_gp"]["game"].startswith(WassersteinConfig.kind)
    assert told["biggan_wgan_gp"]["norm of D"] == "none"
