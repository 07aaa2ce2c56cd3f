"""Parity cases whose networks are given as a public code's state dicts, and how near to its numbers ours must come.

BIGGAN_TF_SHARED names the folder that holds data/parity (default ../shared). The cases are float32. In float64 our
values lie within 1e-5 of them and our gradients within 1e-4, over each network.
"""

import json

import numpy as np
import pytest

from biggan_tf.interop import from_state_dict
from tests.biggan_tf.parity_cases import PARITY, needs_parity

VALUES = 1e-5
GRADIENTS = {"float64": 1e-4, "float32": 1e-3}
in_both_precisions = pytest.mark.parametrize("policy", sorted(GRADIENTS))
marks = [pytest.mark.processor, needs_parity]


def every_case_of(family):
    """Parametrizes a test with the name of each case of a family."""
    return pytest.mark.parametrize("name", sorted(path.name for path in PARITY.glob(f"{family}_*")))


class StateDictCase:
    """The settings and the stored numbers of a case, and our networks with its weights; one that it lacks is None."""

    def __init__(self, family, name, policy):
        folder = PARITY / name
        self.settings = json.loads((folder / "settings.json").read_text())
        self.io = np.load(folder / "io.npz")
        self.policy = policy
        files = (folder / f"{network}.npz" for network in "GD")
        state_dicts = (dict(np.load(file)) if file.exists() else None for file in files)
        self.generator, self.discriminator = from_state_dict(family, self.settings, *state_dicts, policy=policy)

    def assert_gradients(self, network, gradients, entries, prefix):
        """Compares the gradients of a network with those that are stored, all of which must be there.

        Args:
            network: The network.
            gradients: Of its trainable variables, in their order; None counts as zeros.
            entries: The map between our variables and the public code's names.
            prefix: Of the stored names, such as "d/grad/".
        """
        ours = dict(zip(map(id, network.trainable_variables), gradients, strict=True))
        compared, apart, size = set(), 0.0, 0.0
        for entry in entries:
            name = f"{prefix}{entry.name}"
            if name not in self.io:
                continue
            theirs, gradient = self.io[name], ours[id(entry.variable)]
            got = 0.0 if gradient is None else entry.to_torch(np.asarray(gradient)).reshape(theirs.shape)
            apart += np.sum(np.square(got - theirs))
            size += np.sum(np.square(theirs))
            compared.add(name)
        assert compared == {name for name in self.io if name.startswith(prefix)}
        assert np.sqrt(apart) < GRADIENTS[self.policy] * np.sqrt(size)
