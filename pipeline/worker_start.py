"""Prepares a Beam worker process, as every command prepares its own.

Beam's workers import this module before they unpickle the job, which imports TensorFlow: see `runners.make_pipeline`.
"""

from biggan_tf import environment

environment.prepare()
