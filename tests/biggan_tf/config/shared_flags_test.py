import inspect
import sys

import pytest
from absl import flags

from biggan_tf.config import shared_flags


def test_a_shared_flag_is_the_flag_of_the_command_that_asks_for_it():
    name = "workdir"
    values = flags.FLAGS
    if name in values:
        pytest.skip("a command was imported into this process")
    try:
        holder = shared_flags.workdir()
        assert holder.default == ""
        own = [flag.name for flag in values.get_key_flags_for_module(sys.modules[__name__])]
        assert name in own
    finally:
        delattr(values, name)


def test_every_shared_flag_says_what_its_values_do():
    assert all(inspect.getdoc(function) for _, function in inspect.getmembers(shared_flags, inspect.isfunction))


def test_numbers_are_read_or_the_flag_is_named():
    assert shared_flags.numbers("sweep", ["0.1", "2"]) == (0.1, 2.0)
    with pytest.raises(ValueError, match=r"--sweep must be numbers with commas between. Received: 0.1,x"):
        shared_flags.numbers("sweep", ["0.1", "x"])
