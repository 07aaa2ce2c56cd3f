"""From raw image archives to validated TFRecords."""

import sys

from biggan_tf import environment

# A Beam worker unpickles the job, which imports this package and after it TensorFlow: the environment that a command
# sets at its start must be set here too.
if getattr(sys.modules["__main__"].__spec__, "name", "") == "apache_beam.runners.worker.sdk_worker_main":
    environment.prepare()
