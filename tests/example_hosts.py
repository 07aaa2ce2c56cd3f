"""The hosts of `examples/dask/network_hosts.py`, loaded by its path, since the examples are scripts and no package."""

import importlib.util
import pathlib

_PATH = pathlib.Path(__file__).parents[1] / "examples" / "dask" / "network_hosts.py"
_SPEC = importlib.util.spec_from_file_location("network_hosts", _PATH)
network_hosts = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(network_hosts)
