"""The folder of a preset: what its card says of the weights."""

import re

import pytest

from biggan_tf.presets import preset_folder, sources
from tests.biggan_tf.presets import saved_preset


def stated(folder):
    """The number of parameters on the card of a preset."""
    with open(f"{folder}/{preset_folder.CARD}", encoding="utf-8") as file:
        return int(re.search(r"parameters of the generator \| ([\d,]+) \|", file.read())[1].replace(",", ""))


def trained(network):
    return sum(weight.numpy().size for weight in network.trainable_weights)


def test_the_card_counts_what_is_trained_and_no_running_moments(tmp_path):
    generator, _ = saved_preset.save(tmp_path / "preset")
    assert stated(tmp_path / "preset") == trained(generator) < generator.count_params()


def test_the_card_counts_the_weights_of_a_moving_average(tmp_path):
    made = saved_preset.preset()
    average, of_it = made.config.model.generator(), made.config.model.generator()
    average.trainable = False
    preset_folder.write_preset(tmp_path / "preset", made, average)
    assert stated(tmp_path / "preset") == trained(of_it) > 0
    assert average.trainable_weights == []


@pytest.mark.parametrize("name", sources.names())
def test_the_cards_of_the_checkout_say_the_same(name):
    folder = sources.find(name)
    preset = preset_folder.read_preset(folder)
    generator, _ = preset_folder.load_networks(folder, preset, with_discriminator=False)
    assert stated(folder) == trained(generator)
