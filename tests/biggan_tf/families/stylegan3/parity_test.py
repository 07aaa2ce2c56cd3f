"""NVIDIA's own numbers: what their StyleGAN3 computes on random weights, against what ours computes."""

import numpy as np
import pytest
import tensorflow as tf

from biggan_tf.families.stylegan3 import pytorch_names
from tests.biggan_tf.parity_cases import PARITY, nhwc, relative
from tests.biggan_tf.state_dict_cases import VALUES, StateDictCase, every_case_of, in_both_precisions, marks

pytestmark = marks
every_case = every_case_of("stylegan3")


class Case(StateDictCase):
    def __init__(self, name, policy):
        super().__init__("stylegan3", name, policy)
        self.z = tf.constant(self.io["z"], policy)
        self.embedding = self.generator.embed(self.io["c"]) if "c" in self.io.files else None

    def styles(self):
        return self.generator.styles(self.z, self.embedding)


@every_case
def test_layers_have_nvidias_sizes_and_filters(name):
    case = Case(name, "float64")
    features, given = case.generator.fourier_features, case.settings["input"]
    assert (features.channels, features.size, features.rate, features.cutoff) == (
        given["channels"],
        given["size"],
        given["sampling_rate"],
        given["bandwidth"],
    )
    tensors = np.load(PARITY / name / "G.npz")
    for layer, given in zip(case.generator.filtered_layers, case.settings["layers"], strict=True):
        plan = layer.plan
        assert pytorch_names.layer_name(plan) == f"synthesis.{given['name']}"
        assert (plan.up, plan.down, plan.kernel_size) == tuple(
            given[key] for key in ("up_factor", "down_factor", "conv_kernel")
        )
        assert [*plan.padding, *plan.padding] == given["padding"]
        for end, taps in zip(pytorch_names.FILTERS, (plan.up_taps, plan.down_taps), strict=True):
            if taps is not None:
                assert relative(taps, tensors[f"{pytorch_names.layer_name(plan)}.{end}"]) < 1e-6


@in_both_precisions
@every_case
def test_values_are_nvidias(name, policy):
    case = Case(name, policy)
    io, generator, styles = case.io, case.generator, case.styles()
    assert relative(styles.ws[:, 0], io["w"]) < VALUES
    x = generator.fourier_features(styles.ws[:, 0])
    assert relative(x[:1, ..., :4], nhwc(io["layers/0"])) < VALUES
    for number, layer in enumerate(generator.filtered_layers, start=1):
        x = layer(x, styles.ws[:, number])
        assert relative(x[:1, ..., :4], nhwc(io[f"layers/{number}"])) < VALUES, number
    images = generator.synthesise(styles)
    assert images.dtype == policy
    assert relative(images, nhwc(io["images"])) < VALUES


@in_both_precisions
@every_case
def test_a_training_pass_moves_the_magnitudes_as_nvidias_does(name, policy):
    case = Case(name, policy)
    images = case.generator.synthesise(case.styles(), training=True)
    assert relative(images, nhwc(case.io["images_updating"])) < VALUES
    entries = {entry.name: entry.variable for entry in pytorch_names.generator_entries(case.generator)}
    moved = [name for name in case.io.files if name.startswith("after/")]
    assert len(moved) == len(case.generator.filtered_layers)
    for key in moved:
        assert float(entries[key.removeprefix("after/")]) == pytest.approx(float(case.io[key]), rel=VALUES)


@in_both_precisions
@every_case
def test_gradients_are_nvidias(name, policy):
    case = Case(name, policy)
    variables = case.generator.trainable_variables
    with tf.GradientTape() as tape:
        total = tf.reduce_mean(case.generator.synthesise(case.styles()) * nhwc(case.io["probe"]))
    gradients = tape.gradient(total, [variable.value for variable in variables])
    case.assert_gradients(case.generator, gradients, pytorch_names.generator_entries(case.generator), "grad/")
