"""`--help` of the server: the flags that most people need, on one screen."""

from __future__ import annotations

import shutil

from biggan_tf.command_help import table_row
from serving.server.flags import ServerOptions

_COLUMNS = 110
_COMMON = {
    "port": "gRPC port; 0: none.",
    "rest_api_port": "REST port; 0: none.",
    "playground_port": "Port of a page to try the models in a browser; 0: none.",
    "grpc_socket_path": "Unix socket to listen on as well.",
    "model_name": "The model's name in requests.",
    "model_base_path": "Folder whose numbered subfolders are the model's versions.",
    "model_config_file": "Several models, version policies and labels, in the place of the two flags above.",
    "model_config_file_poll_wait_seconds": "How often to read it again; 0: never.",
    "file_system_poll_wait_seconds": "How often to look for new versions.",
    "enable_batching": "Merge the requests of several clients into one batch.",
    "batching_parameters_file": "Sizes and timeouts of the batches; see serving/deploy/batching.config.",
    "monitoring_config_file": "Prometheus metrics; see serving/deploy/monitoring.config.",
    "ssl_config_file": "Key and certificates for gRPC over TLS.",
    "enable_grpc_healthcheck_service": "Answer gRPC health checks.",
    "rest_api_enable_cors_support": "Let web pages of other origins ask.",
    "rest_api_timeout_in_ms": "When a REST request is given up.",
    "max_num_load_retries": "How often to try again when a version cannot be loaded.",
    "enable_model_warmup": "Replay a version's warm-up requests before it is served.",
    "version": "Print the version and end.",
}


def help_page(program: str) -> str:
    """Returns the page."""
    columns = min(shutil.get_terminal_size().columns, _COLUMNS)
    defaults = ServerOptions()
    lines = [
        "Serves exported models, with the flags, the protocol and the errors of tensorflow_model_server.",
        "",
        f"{program} --port=8500 --rest_api_port=8501 --model_name=biggan --model_base_path=/models/biggan",
        "",
    ]
    for name, description in _COMMON.items():
        default = getattr(defaults, name)
        shown = "" if default in ("", False) else f" [{str(default).lower()}]"
        lines += table_row(f"--{name}", description + shown, columns)
    return "\n".join(
        [*lines, "", "--helpfull lists every flag; all but --playground_port are tensorflow_model_server's.", ""]
    )
