"""The results of studies at the small budget, each computed once in a process."""

import functools
import json

from biggan_tf.studies import registry
from biggan_tf.studies.contract import StudyContext
from biggan_tf.studies.execution import perform

CONTEXT = StudyContext(budget="small")


@functools.cache
def small_result(name):
    return perform(registry.load(name), CONTEXT)


def told_by_command(commands, name, folder):
    """What the command writes into the JSON file of a study at the small budget.

    In this process the checks of types draw from Python's random numbers, of which Keras takes the seeds of initial
    weights. A figure that hangs on these weights is therefore asked of a process without such checks.
    """
    done = commands.run("biggan_tf.study", name, "--budget=small", f"--output={folder}")
    assert done.status == 0, done.stderr[-2000:]
    return json.loads((folder / f"{name}.json").read_text())
