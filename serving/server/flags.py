"""The command line of the server, with the names, the defaults and the syntax of tensorflow_model_server's flags."""

from __future__ import annotations

import dataclasses
import difflib
import os
import re
from collections.abc import Iterable

_CPUS = os.cpu_count() or 1


class FlagError(ValueError):
    """The value of a flag cannot be read; the message says which and what it must be."""


@dataclasses.dataclass
class ServerOptions:
    """The values of the flags; each field is a flag of the same name, which `serving.server.help_page` explains.

    Fields marked "accepted" are read, so that a command line for tensorflow_model_server works here, and do nothing.
    Most are for parts of TensorFlow Serving's C++ runtime that this server does not have; of its threads for REST and
    for unloading it decides the number itself.
    """

    port: int = 8500
    grpc_socket_path: str = ""
    grpc_channel_arguments: str = ""
    grpc_max_threads: int = 4 * _CPUS
    rest_api_port: int = 0
    rest_api_num_threads: int = 4 * _CPUS  # accepted
    rest_api_timeout_in_ms: int = 30_000
    rest_api_enable_cors_support: bool = False
    enable_batching: bool = False
    batching_parameters_file: str = ""
    enable_per_model_batching_parameters: bool = False
    allow_version_labels_for_unavailable_models: bool = False
    tensorflow_session_parallelism: int = 0
    tensorflow_intra_op_parallelism: int = 0
    tensorflow_inter_op_parallelism: int = 0
    tensorflow_session_config_file: str = ""
    per_process_gpu_memory_fraction: float = 0.0
    platform_config_file: str = ""  # accepted
    thread_pool_factory_config_file: str = ""  # accepted
    remove_unused_fields_from_bundle_metagraph: bool = True  # accepted
    prefer_tflite_model: bool = False  # accepted
    num_tflite_pools: int = _CPUS  # accepted
    num_tflite_interpreters_per_pool: int = 1  # accepted
    xla_cpu_compilation_enabled: bool = False  # accepted
    xla_gpu_compilation_enabled: bool = False  # accepted
    skip_initialize_tpu: bool = False  # accepted
    max_num_load_retries: int = 5
    load_retry_interval_micros: int = 60_000_000
    file_system_poll_wait_seconds: int = 1
    flush_filesystem_caches: bool = True  # accepted
    model_config_file: str = ""
    model_config_file_poll_wait_seconds: int = 0
    model_name: str = "default"
    model_base_path: str = ""
    num_load_threads: int = 0
    num_unload_threads: int = 0  # accepted
    saved_model_tags: str = "serve"
    enable_model_warmup: bool = True
    num_request_iterations_for_warmup: int = 0
    monitoring_config_file: str = ""
    ssl_config_file: str = ""
    use_alts_credentials: bool = False
    enable_signature_method_name_check: bool = False
    enable_profiler: bool = True  # accepted
    enable_grpc_healthcheck_service: bool = False
    enable_serialization_as_tensor_content: bool = False
    mixed_precision: str = ""  # accepted
    version: bool = False
    # Ours, which tensorflow_model_server does not have.
    playground_port: int = 0
    host: str = "0.0.0.0"
    rest_api_host: str = "0.0.0.0"
    playground_host: str = "127.0.0.1"
    rest_api_max_body_bytes: int = 16 * 2**20
    auth_tokens_file: str = ""
    max_requests_per_second_per_peer: float = 0.0
    enable_reload: bool = False  # tensorflow_model_server takes a new config from every client
    slow_request_log_in_ms: int = 0  # requests that took longer are logged; 0: none
    log_format: str = "text"  # text | json
    # 256 rows of 128 pixels are 50 MiB as floats, and less than 1 GiB while they are encoded as JSON. A batch of
    # several requests is bounded by max_batch_size of the batching parameters.
    max_batch_rows: int = 256
    # 8 rows of 512 pixels as floats are 24 MiB. tensorflow_model_server takes 2 GiB, which ends a server of less.
    grpc_max_request_bytes: int = 32 * 2**20


# From how alike two names, from 0 to 1, one is taken for the other misspelt.
_NEAR = 0.8
_BOOLS = {
    **dict.fromkeys(("true", "t", "1", "yes", "y"), True),
    **dict.fromkeys(("false", "f", "0", "no", "n"), False),
}


def parse(arguments: list[str]) -> tuple[ServerOptions, list[str]]:
    """Reads a command line.

    Args:
        arguments: The words of the command line after the program's name.

    Returns:
        The options, and the words that are no flag of ours (the server names them and goes on, as
        tensorflow_model_server does).

    Raises:
        FlagError: A value is not of its flag's type, or a word is near to one of our flags. Who misspells
            --auth_tokens_file must not get a server that asks for no tokens.
    """
    options, unknown = ServerOptions(), []
    types = {field.name: type(field.default) for field in dataclasses.fields(ServerOptions)}
    for argument in arguments:
        match = re.fullmatch(r"--(\w+)(?:=(.*))?", argument, re.DOTALL)
        if not match or match[1] not in types:
            _refuse_if_misspelt(argument, types)
            unknown.append(argument)
            continue
        setattr(options, match[1], _read(match[1], types[match[1]], match[2]))
    return options, unknown


def _refuse_if_misspelt(argument: str, known: Iterable[str]) -> None:
    """Raises for a word that may mean one of our flags: it has nearly its name, or its name and another form."""
    name = argument.partition("=")[0].strip("-")
    near = difflib.get_close_matches(name.replace("-", "_"), known, n=1, cutoff=_NEAR)
    if near:
        raise FlagError(
            f"{argument.partition('=')[0]} must be one of the flags, as --NAME=VALUE. Received: {argument}; "
            f"did you mean --{near[0]}?"
        )


def usage(program: str) -> str:
    """The list of all flags with their defaults and types, as tensorflow_model_server prints it."""
    lines = [f"usage: {program}", "Flags:"]
    for field in dataclasses.fields(ServerOptions):
        kind = {bool: "bool", int: "int32", str: "string", float: "float"}[type(field.default)]
        default = f'"{field.default}"' if kind == "string" else str(field.default).lower()
        lines.append(f"\t{f'--{field.name}={default}':<60}\t{kind}")
    return "\n".join(lines)


def _read(name: str, kind: type, text: str | None) -> bool | int | float | str:
    if kind is bool:
        value = _BOOLS.get(text.lower()) if text is not None else True
        if value is None:
            raise FlagError(f"Couldn't interpret value {text} for flag {name}.")
        return value
    if text is None:
        raise FlagError(f"--{name} needs a value: write --{name}=VALUE.")
    if kind is str:
        return text
    try:
        # int() would also read 8_500, and digits of other alphabets.
        if not text.isascii() or "_" in text:
            raise ValueError(text)
        return kind(text)
    except ValueError:
        raise FlagError(f"Couldn't interpret value {text} for flag {name}.") from None
