"""The exported generator: its signatures, a server and a client."""

import biggan_tf  # noqa: F401 - it makes the import of TensorFlow quiet
