"""From raw image archives to validated TFRecords."""

import biggan_tf  # noqa: F401 - it makes the import of TensorFlow quiet
