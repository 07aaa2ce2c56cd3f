"""What the values of the flags must be, each alone and together, before the server starts anything."""

from __future__ import annotations

import dataclasses
import math

import grpc

from serving.server.flags import ServerOptions
from serving.server.log_format import FORMATS
from serving.server.status import ServingError, invalid_argument

_INT32 = 2**31 - 1
_INT64 = 2**63 - 1
_PORTS = ("port", "rest_api_port", "playground_port")
_HOSTS = ("host", "rest_api_host", "playground_host")
_MAX_THREADS = 4096
# The smallest and the largest value of each flag that is a number; the others are integers of 32 bits.
_RANGES: dict[str, tuple[float, float]] = {
    **dict.fromkeys(_PORTS, (0, 65535)),
    "grpc_max_threads": (1, _MAX_THREADS),
    "rest_api_num_threads": (1, _MAX_THREADS),
    "rest_api_timeout_in_ms": (1, _INT32),
    "rest_api_max_body_bytes": (1024, 2**30),
    "max_batch_rows": (1, _INT32),
    "slow_request_log_in_ms": (0, _INT32),
    "grpc_max_request_bytes": (1, _INT32),
    "tensorflow_session_parallelism": (0, _MAX_THREADS),
    "tensorflow_intra_op_parallelism": (0, _MAX_THREADS),
    "tensorflow_inter_op_parallelism": (0, _MAX_THREADS),
    "per_process_gpu_memory_fraction": (0.0, 1.0),
    "num_tflite_pools": (1, _MAX_THREADS),
    "num_tflite_interpreters_per_pool": (1, _MAX_THREADS),
    "max_num_load_retries": (0, _INT32),
    "load_retry_interval_micros": (0, _INT64),
    "num_load_threads": (0, _MAX_THREADS),
    "num_unload_threads": (0, _MAX_THREADS),
    "num_request_iterations_for_warmup": (0, _INT32),
    "max_requests_per_second_per_peer": (0.0, 1e6),
}
_DEFAULT_RANGE = (-(2**31), _INT32)


def check_flags(options: ServerOptions) -> None:
    """Checks the values of the flags.

    Args:
        options: The values.

    Raises:
        ServingError: A number is out of its range, or flags contradict each other.
    """
    _check_ranges(options)
    _check_ports(options)
    if options.log_format not in FORMATS:
        raise invalid_argument(f"--log_format must be one of {', '.join(FORMATS)}. Received: {options.log_format!r}.")
    if options.use_alts_credentials and options.ssl_config_file:
        raise invalid_argument("Either use_alts_credentials must be false or ssl_config_file must be empty.")
    if options.use_alts_credentials:
        raise ServingError(grpc.StatusCode.UNIMPLEMENTED, "ALTS is not supported; use --ssl_config_file")
    if not options.model_base_path and not options.model_config_file:
        raise invalid_argument("Both server_options.model_base_path and server_options.model_config_file are empty!")
    if options.batching_parameters_file and not options.enable_batching:
        raise invalid_argument(
            "server_options.batching_parameters_file is set without setting server_options.enable_batching to true."
        )
    intra, inter = options.tensorflow_intra_op_parallelism, options.tensorflow_inter_op_parallelism
    if options.tensorflow_session_parallelism and intra and inter:
        raise invalid_argument(
            "Either configure server_options.tensorflow_session_parallelism or "
            "(server_options.tensorflow_intra_op_parallelism and "
            "server_options.tensorflow_inter_op_parallelism) separately. You cannot configure all."
        )


def _check_ranges(options: ServerOptions) -> None:
    for field in dataclasses.fields(options):
        value = getattr(options, field.name)
        if isinstance(value, bool) or not isinstance(value, int | float):
            continue
        least, most = _RANGES.get(field.name, _DEFAULT_RANGE)
        if math.isnan(value) or not least <= value <= most:
            raise invalid_argument(f"--{field.name} must be from {least:.15g} to {most:.15g}. Received: {value}.")


def _check_ports(options: ServerOptions) -> None:
    if not options.port and not options.grpc_socket_path:
        raise invalid_argument("At least one of --port or --grpc_socket_path must be set.")
    used: dict[int, str] = {}
    for name in _PORTS:
        port = getattr(options, name)
        if port in used:
            raise invalid_argument(f"--{name} must differ from --{used[port]}. Received: {port} for both.")
        if port:
            used[port] = name
    for name in _HOSTS:
        if not getattr(options, name):
            raise invalid_argument(
                f"--{name} must be an address of this machine, e.g. 127.0.0.1, or 0.0.0.0 for all. Received: ''."
            )
