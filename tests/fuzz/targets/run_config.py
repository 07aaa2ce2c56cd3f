"""The configuration of a run, as run.json of a checkpoint holds it."""

import json

from biggan_tf.config import Config, ConfigError, difference, from_dict, to_dict


def fuzz_one(data: bytes) -> None:
    """Reads the data; what is accepted comes back as it is written, and its problems can be told."""
    try:
        values = json.loads(data)
    except (ValueError, RecursionError):
        return
    try:
        config = from_dict(Config, values)
    except ConfigError:
        return
    again = from_dict(Config, json.loads(json.dumps(to_dict(config))))
    assert difference(config, again) == {}
    for problem in config.problems():
        assert "Received: " in problem, problem
