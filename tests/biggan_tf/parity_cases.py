"""The stored numbers of the public codes, and how near to them ours must come.

float64 proves the formulas: every value, loss, gradient and updated parameter to 1e-9, on any processor, and there is
nothing left to explain. float32 cannot do that. A unit whose sum lies within rounding of zero falls on one side of its
ReLU or on the other, by processor and kernel library, and its part of a gradient comes or goes with it. And Adam's
first step with beta_1 = 0 is the learning rate in the direction of the gradient's sign: a gradient that is nothing but
rounding, such as that of a bias before a batch norm, moves its parameter by the whole rate, up or down by chance. So
float32's values are held to 1e-5, its gradients and steps to 1e-3 of their norm over a whole network.
"""

import json
import os
from pathlib import Path

import numpy as np
import pytest

from biggan_tf.families.biggan import pytorch_names as biggan_pytorch_names
from biggan_tf.families.biggan.pytorch_weights import load_biggan_pytorch

PARITY = Path(os.environ.get("BIGGAN_TF_SHARED", "../shared")) / "data" / "parity"
needs_parity = pytest.mark.skipif(not PARITY.is_dir(), reason=f"no parity cases in {PARITY}; set BIGGAN_TF_SHARED")

CASES = sorted(path.parent.name for path in PARITY.glob("*/case.json"))
HUB_CASES = sorted(path.parent.name for path in PARITY.glob("*/pytorch_model.bin"))
# Which file holds the outputs to compare a policy with.
OUTPUTS = {"float64": "io64.npz", "float32": "io.npz"}
in_both_precisions = pytest.mark.parametrize("policy", sorted(OUTPUTS))
every_case = pytest.mark.parametrize("case", CASES)

VALUES = {"float64": 1e-9, "float32": 1e-5}
GRADIENTS_AND_STEPS = {"float64": 1e-9, "float32": 1e-3}
# A gradient that is zero in exact arithmetic is a sum of rounding errors: this share of its network's norm.
ROUNDING = 1e-12


class ParityCase:
    """One case: its settings, inputs and outputs."""

    def __init__(self, name: str, policy: str):
        self.folder, self.policy = PARITY / name, policy
        self.settings = json.loads((self.folder / "case.json").read_text())
        self.inputs = np.load(self.folder / "io.npz")
        self.outputs = np.load(self.folder / OUTPUTS[policy])

    def networks(self):
        """A new generator and discriminator with the case's weights."""
        files = self.folder / "G.pth", self.folder / "D.pth"
        return load_biggan_pytorch(*files, self.settings["sn_eps"], self.settings["bn_eps"], policy=self.policy)

    def assert_values(self, got, expected):
        assert np.asarray(got).dtype == self.policy
        assert relative(got, expected) < VALUES[self.policy]

    def assert_tensors(self, entries, values, prefix):
        """Compares tensors by name with the outputs under a prefix, which must all be there.

        Args:
            entries: The map between our variables and the file's names.
            values: Ours by the id of the variable.
            prefix: E.g. "d/grad/".
        """
        theirs = {
            name.removeprefix(prefix): self.outputs[name]
            for name in self.outputs.files
            if name.startswith(prefix) and not name.endswith(biggan_pytorch_names.IGNORED)
        }
        ours = {
            entry.name: entry.to_torch(np.asarray(values[id(entry.variable)]))
            for entry in entries
            if entry.name in theirs
        }
        assert set(ours) == set(theirs)
        tolerance = GRADIENTS_AND_STEPS[self.policy]
        apart = {name: np.linalg.norm(np.ravel(ours[name]) - np.ravel(theirs[name])) for name in theirs}
        sizes = {name: np.linalg.norm(theirs[name]) for name in theirs}
        whole = np.linalg.norm(list(sizes.values()))
        assert np.linalg.norm(list(apart.values())) < tolerance * whole
        if self.policy == "float64":
            for name in theirs:
                assert apart[name] <= tolerance * sizes[name] + ROUNDING * whole, name


def relative(got, expected):
    """The distance as a share of the norm."""
    got, expected = np.asarray(got, np.float64), np.asarray(expected, np.float64).reshape(np.shape(got))
    return np.linalg.norm(got - expected) / np.linalg.norm(expected)


def nhwc(images):
    return images.transpose(0, 2, 3, 1)
