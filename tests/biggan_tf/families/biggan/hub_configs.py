"""A strategy for hostile config.json files of a Hub folder."""

import json

from hypothesis import strategies

from tests.biggan_tf.families.biggan import hub_port

SIZES = [0, 1, 2, 6, 7, 8, 51, 128, -1, -(10**9), 10**9, 2**31, 2**63, 2**64, 10**300]
SCALARS = strategies.one_of(
    strategies.none(),
    strategies.booleans(),
    strategies.sampled_from(SIZES),
    strategies.integers(-(2**70), 2**70),
    strategies.floats(),
    strategies.text(max_size=8),
)
VALUES = strategies.recursive(
    SCALARS,
    lambda inner: strategies.lists(inner, max_size=4) | strategies.dictionaries(strategies.text(max_size=4), inner),
    max_leaves=12,
)
LAYER = strategies.tuples(strategies.booleans(), *[strategies.sampled_from([1, 2, 4, 8, 10**9])] * 2).map(list)
LAYERS = strategies.lists(LAYER | VALUES, max_size=8) | strategies.just([[False, 4, 4], [True, 4, 4]] * 1000)


@strategies.composite
def hostile_configs(draw):
    """The bytes of a config.json with some values changed, keys left out or added, or with its text damaged."""
    settings = dict(hub_port.SETTINGS)
    for key in draw(strategies.lists(strategies.sampled_from(sorted(settings)), min_size=1, max_size=3, unique=True)):
        settings[key] = draw(LAYERS | VALUES if key == "layers" else VALUES)
    for key in draw(strategies.lists(strategies.sampled_from([*settings, "more"]), max_size=1)):
        if settings.pop(key, None) is None:
            settings[key] = draw(VALUES)
    text = json.dumps(draw(strategies.just(settings) | VALUES) if draw(strategies.integers(0, 9)) == 0 else settings)
    data = bytearray(text.encode())
    for _ in range(draw(strategies.sampled_from([0, 0, 0, 1, 3]))):
        place = draw(strategies.integers(0, len(data)))
        data[place : place + draw(strategies.integers(0, 3))] = draw(strategies.binary(max_size=3))
    return bytes(data)
