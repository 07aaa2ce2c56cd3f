"""Every family, with the smallest run of it that there is. conformance_test.py runs them all.

A run has 3 classes, or none, at 8 pixels, so that all can train on the same data.
"""

import importlib

# The name in PARTS["model"], and the function that returns the run's Config, as "module:name".
MEMBERS = {
    "biggan": "tests.biggan_tf.training.tiny:config",
    "progan": "tests.biggan_tf.families.progan.smallest:config",
    "r3gan": "tests.biggan_tf.families.r3gan.smallest:config",
    "stylegan2": "tests.biggan_tf.families.stylegan2.smallest:config",
    "stylegan3": "tests.biggan_tf.families.stylegan3.smallest:config",
    "super_resolution": "tests.biggan_tf.families.super_resolution.smallest:config",
    "toy": "tests.toy_family.config:smallest",
}
# Those with penalties on gradients, whose steps take tens of seconds to trace.
LARGE = ("progan", "r3gan", "stylegan2", "stylegan3")
# Those that enlarge images: they are given small images where the others are given classes.
ENLARGING = ("super_resolution",)
# All others.
SAMPLING = tuple(sorted(set(MEMBERS) - set(ENLARGING)))


def smallest(kind, **model):
    """The smallest run of a family, with some fields of its model changed."""
    module, _, name = MEMBERS[kind].partition(":")
    config = getattr(importlib.import_module(module), name)()
    config.training.batch_size = 8
    for field, value in model.items():
        setattr(config.model, field, value)
    return config
