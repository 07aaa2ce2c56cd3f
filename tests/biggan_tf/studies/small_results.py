"""The results of studies at the small budget, each computed once in a process."""

import functools

from biggan_tf.studies import registry
from biggan_tf.studies.contract import StudyContext
from biggan_tf.studies.execution import perform

CONTEXT = StudyContext(budget="small")


@functools.cache
def small_result(name):
    return perform(registry.load(name), CONTEXT)
