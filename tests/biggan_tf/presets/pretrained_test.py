"""`from_preset`, `generate` and `save_to_preset`: the same weights, words and pictures come back."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

import biggan_tf
from biggan_tf import files, latents
from biggan_tf.config import to_dict
from biggan_tf.contracts.network import variables_by_path
from biggan_tf.inference.served_moments import ServedMoments, StandingPlan
from biggan_tf.ops.pixels import to_bytes
from biggan_tf.presets import preset_folder, sources
from tests.biggan_tf.presets import saved_preset
from tests.biggan_tf.training import tiny
from tests.families import registry


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("presets") / "tiny"
    saved_preset.save(place)
    return place


def few_passes(model):
    """Lets a model without standing statistics measure them in a moment."""
    model.moments = ServedMoments(model.generator, StandingPlan(num_passes=2, batch_size=8))
    return model


@pytest.fixture(scope="module")
def model(folder):
    return few_passes(biggan_tf.from_preset(folder))


def assert_equal(ours, theirs):
    got, expected = variables_by_path(ours), variables_by_path(theirs)
    assert set(got) == set(expected)
    for name, variable in expected.items():
        assert np.asarray(got[name].value).tobytes() == np.asarray(variable.value).tobytes()


def test_a_preset_comes_back_as_it_was(tmp_path):
    generator, discriminator = saved_preset.save(tmp_path / "tiny")
    model = biggan_tf.from_preset(str(tmp_path / "tiny"))
    assert_equal(model.generator, generator)
    assert_equal(model.discriminator, discriminator)
    expected = dataclasses.replace(saved_preset.preset(), version=biggan_tf.__version__)
    assert model.preset == expected
    model.save_to_preset(tmp_path / "again")
    assert not (tmp_path / "again" / preset_folder.MOMENTS).exists()  # nobody has measured any
    for name in set(preset_folder.FILES) - {preset_folder.MOMENTS}:
        assert (tmp_path / "again" / name).read_bytes() == (tmp_path / "tiny" / name).read_bytes(), name


def test_a_preset_keeps_the_policy_of_the_training_when_it_is_saved_again(tmp_path):
    config = tiny.config()
    config.model.policy = "mixed_bfloat16"
    saved_preset.save(tmp_path / "tiny", config)
    model = biggan_tf.from_preset(tmp_path / "tiny")
    assert model.generator.config.policy == "float32"
    model.save_to_preset(tmp_path / "again")
    assert (tmp_path / "again" / "config.json").read_bytes() == (tmp_path / "tiny" / "config.json").read_bytes()
    assert biggan_tf.from_preset(tmp_path / "again").preset.config.model.policy == "mixed_bfloat16"


def test_a_preset_without_discriminator_replaces_one_that_had_it(tmp_path):
    saved_preset.save(tmp_path)
    saved_preset.save(tmp_path, with_discriminator=False)
    assert biggan_tf.from_preset(tmp_path).discriminator is None


def test_a_preset_at_a_url_replaces_the_one_that_was_there():
    folder = "ram://preset_at_a_url"
    saved_preset.save(folder)
    saved_preset.save(folder, with_discriminator=False)
    assert set(files.list_folder(folder)) == set(preset_folder.FILES) - {
        preset_folder.DISCRIMINATOR,
        preset_folder.MOMENTS,
    }


def test_the_card_has_the_numbers_with_their_protocol_the_data_and_the_licence(folder):
    card = (folder / "README.md").read_text()
    assert card.startswith("---\nlibrary_name: biggan_tf\n")
    assert 'license: "cc-by-4.0"' in card
    assert "| fid | 12.5 | 1 |" in card
    assert "* samples: weights ema, num_images 50000, labels data" in card
    assert "* Too few samples." in card
    assert "Weights: CC-BY-4.0. Images of the training: CC0-1.0." in card
    assert "--source=folders --resolutions=8 --recipe=biggan --seed=0" in card
    assert "biggan_tf.from_preset(" in card


def test_the_code_of_the_card_draws_pictures(folder, tmp_path, monkeypatch):
    code = (folder / "README.md").read_text().partition("```python\n")[2].partition("```")[0]
    monkeypatch.chdir(tmp_path)
    exec(code.replace("PATH OF THIS FOLDER", str(folder)), {})
    assert (tmp_path / "picture.png").exists()


def test_texts_of_a_preset_do_not_break_the_card(tmp_path):
    preset = dataclasses.replace(
        saved_preset.preset(), licence="x\n---\n# y", name="a | b\n`c`", description="d\n\n# e"
    )
    generator = preset.config.model.generator()
    preset_folder.write_preset(tmp_path, preset, generator)
    lines = (tmp_path / "README.md").read_text().splitlines()
    assert lines.count("---") == 2
    assert "# a \\| b 'c'" in lines
    assert "# e" not in lines


def test_names_indices_and_defaults_choose_the_classes(model):
    images = model.generate(["cat", 0], seed=[5, 6])
    assert (images.shape, images.dtype) == ((2, 8, 8, 3), np.uint8)
    np.testing.assert_array_equal(images, model.generate([2, "ant"], seed=5))
    np.testing.assert_array_equal(model.generate(), model.generate(["ant", "bee", "cat"], seed=0))
    np.testing.assert_array_equal(model.generate("bee", seed=[1, 2]), model.generate([1, 1], seed=1))


def test_an_image_depends_on_its_class_and_seed_alone(model):
    alone = model.generate([1], seed=[9], truncation=0.5)
    among = model.generate([0, 1, 2], seed=[3, 9, 4], truncation=0.5, batch_size=2)
    assert np.abs(alone[0].astype(int) - among[1]).max() <= 1  # the last bit of a float can round a byte
    assert np.abs(model.generate([1], seed=[10], truncation=0.5).astype(int) - alone).max() > 1


def test_a_whole_number_truncates_as_the_same_fraction_does(model):
    np.testing.assert_array_equal(
        model.generate([1], seed=3, truncation=1), model.generate([1], seed=3, truncation=1.0)
    )


def test_the_latents_are_those_of_an_export(model):
    seeds = tf.constant([7, 8], tf.int64)
    for truncation in (None, 0.5):
        numbers = tf.constant([1.0, 1.0]) * (truncation or 1.0)
        if truncation is None:
            z = tf.stack([tf.random.stateless_normal([8], [seed, 0], alg="philox") for seed in (7, 8)])
        else:
            z = latents.row_latents(seeds, numbers, 8)
        keys = latents.noise_keys(seeds)
        inputs = model.generator.inputs_of(z, tf.constant([0, 2]))
        with model.moments.at(truncation):
            expected = to_bytes(model.generator(inputs, truncation=truncation, keys=keys))
        got = model.generate([0, 2], seed=7, truncation=truncation).astype(int)
        assert np.abs(got - np.asarray(expected)).max() <= 1


def test_the_moments_of_a_preset_come_back_and_are_drawn_with(tmp_path):
    generator, _ = saved_preset.save(tmp_path / "without", with_discriminator=False)
    moments = ServedMoments(generator, StandingPlan(num_passes=2, batch_size=8))
    biggan_tf.save_to_preset(tmp_path / "tiny", generator, preset=saved_preset.preset(), moments=moments)
    model = biggan_tf.from_preset(tmp_path / "tiny")
    assert model.moments.plan == moments.plan
    assert model.moments.known.truncations == moments.plan.truncations
    for ours, theirs in zip(model.moments.known.moments, moments.known.moments, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    before = model.generator.get_weights()
    drawn = model.generate(truncation=0.25)
    without = few_passes(biggan_tf.from_preset(tmp_path / "without"))
    np.testing.assert_array_equal(drawn, without.generate(truncation=0.25))  # measured now, by the same plan
    without.moments = ServedMoments(without.generator, StandingPlan(num_passes=1, batch_size=4))
    assert np.any(drawn != without.generate(truncation=0.25))
    for ours, theirs in zip(model.generator.get_weights(), before, strict=True):
        np.testing.assert_array_equal(ours, theirs)  # the moments of training are back
    model.save_to_preset(tmp_path / "again")
    name = preset_folder.MOMENTS
    assert (tmp_path / "again" / name).read_bytes() == (tmp_path / "tiny" / name).read_bytes()


@pytest.mark.parametrize("kind", [kind for kind in registry.SAMPLING if kind != "toy"])
def test_every_family_comes_back_and_draws(tmp_path, kind):
    config = registry.smallest(kind)
    names = tuple("abcdefgh"[: config.model.num_classes])
    generator, _ = saved_preset.save(tmp_path, config, names, with_discriminator=False)
    model = few_passes(biggan_tf.from_preset(tmp_path))
    assert to_dict(model.generator.config) == to_dict(generator.config)
    count = config.model.num_classes or 1
    images = model.generate(truncation=0.7)
    assert images.shape == (count, config.model.resolution, config.model.resolution, 3)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ((["dog"],), "there is no class 'dog'"),
        (([3],), "A label must be from 0 to 2. Received: 3"),
        (([0, 1], [5]), "Received: 2 labels and 1 seeds"),
        (([],), "one at least. Received: 0 labels"),
        (([0], 2**63), "integers of 64 bits"),
        (([0, 1, 2], [1, 2**63, 3]), "integers of 64 bits. Received: 9223372036854775808"),
        (([0], 0, -1.0), "larger than 0, or None for no truncation. Received: -1.0"),
    ],
)
def test_mistakes_are_one_clear_error(model, arguments, text):
    with pytest.raises(ValueError, match=text):
        model.generate(*arguments)


def test_a_name_is_one_of_the_checkouts_presets(folder, monkeypatch):
    monkeypatch.setattr(sources, "_CHECKOUT", folder.parent)
    assert sources.names() == ["tiny"]
    assert biggan_tf.from_preset("tiny").preset.name == "tiny"
    with pytest.raises(sources.PresetNotFoundError, match="Received: 'tinny'; did you mean tiny"):
        biggan_tf.from_preset("tinny")


def test_a_name_without_a_checkout_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setattr(sources, "_CHECKOUT", tmp_path / "nothing")
    with pytest.raises(sources.PresetNotFoundError, match=r"installed without one. Clone the project.*hf://OWNER/NAME"):
        biggan_tf.from_preset("tiny")
    with pytest.raises(sources.PresetNotFoundError, match=r"must have preset.json. Received: "):
        biggan_tf.from_preset(tmp_path)
    with pytest.raises(sources.PresetNotFoundError, match="must be a folder, a name"):
        biggan_tf.from_preset("../tiny")
