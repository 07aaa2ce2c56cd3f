"""`--help` of the server: the flags that are needed most, on one screen."""

from __future__ import annotations

import shutil

from biggan_tf.config.command_help import table_row
from serving.server.flags import ServerOptions

_COLUMNS = 110
_COMMON = {
    "port": "Port of gRPC, e.g. 8500; 0: none.",
    "rest_api_port": "Port of the REST API, e.g. 8501; 0: none.",
    "playground_port": "Port of a page on which the models can be tried in a browser, e.g. 8080; 0: none.",
    "host": "Address of this machine on which gRPC listens, e.g. 127.0.0.1; 0.0.0.0: all of them.",
    "model_name": "Name of the model in requests, e.g. biggan.",
    "model_base_path": "Folder of the model, e.g. /models/biggan; its subfolders 1, 2, ... are the versions.",
    "model_config_file": "File that lists several models, in the place of the two flags above: "
    "serving/deploy/models.config is an example.",
    "file_system_poll_wait_seconds": "Seconds between two looks for new versions; 0 or less: never.",
    "enable_batching": "Compute the requests of several clients together, in one batch.",
    "batching_parameters_file": "File with the sizes and timeouts of batches, e.g. serving/deploy/batching.config.",
    "max_batch_rows": "Rows in the largest request, with batching and without, e.g. 64 where memory is short.",
    "monitoring_config_file": "File that turns Prometheus metrics on, e.g. serving/deploy/monitoring.config.",
    "ssl_config_file": "File with the key and the certificates of TLS, for every port.",
    "auth_tokens_file": "File with the tokens that clients must send, one a line; none: everybody may ask.",
    "max_requests_per_second_per_peer": "How many requests a second an address may send; 0: any number.",
    "enable_grpc_healthcheck_service": "Answer the health checks of gRPC.",
    "enable_reload": "Let clients replace the list of models (HandleReloadConfigRequest of gRPC).",
    "rest_api_enable_cors_support": "Let web pages of other origins call the REST API (CORS).",
    "rest_api_timeout_in_ms": "Milliseconds after which a REST request is given up.",
    "version": "Print the versions of the server and of TensorFlow, and end.",
}


def help_page(program: str) -> str:
    """The help page.

    Args:
        program: How the server was started, e.g. "python -m serving.server".
    """
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
        [
            *lines,
            "",
            "--helpfull lists every flag; docs/serving_trust.md says which close the ports.",
            "",
        ]
    )
