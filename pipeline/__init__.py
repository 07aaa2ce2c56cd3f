"""From raw image archives to validated TFRecords."""

import sys

from biggan_tf import environment

# A Beam worker prepares itself as a command does: it unpickles the job, which imports this package and then TensorFlow.
if getattr(sys.modules["__main__"].__spec__, "name", "") == "apache_beam.runners.worker.sdk_worker_main":
    environment.prepare()
