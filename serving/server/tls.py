"""TLS for every port, from the file of --ssl_config_file."""

from __future__ import annotations

import ssl
import tempfile

import grpc

from serving.protos.server_config import SSLConfig
from serving.server.config_files import read_text_proto
from serving.server.status import invalid_argument


class Tls:
    """The key and the certificates of the server.

    Args:
        path: A file with an `SSLConfig` in text format, which holds the server's key and certificate as PEM text, the
            authority of the clients' certificates, and whether a client must have one.

    Attributes:
        grpc: The credentials of the gRPC port.
        context: The settings of the HTTP ports.

    Raises:
        ServingError: The file cannot be read, or its key and certificates do not fit together.
    """

    def __init__(self, path: str):
        config = read_text_proto(path, SSLConfig)
        if not config.server_key or not config.server_cert:
            raise invalid_argument(f"'{path}' must hold server_key and server_cert as PEM text.")
        if config.client_verify and not config.custom_ca:
            raise invalid_argument(f"'{path}' asks for clients' certificates, so it must hold their custom_ca.")
        try:
            self.context = _context(config)
        except (ssl.SSLError, ValueError) as error:
            raise invalid_argument(f"'{path}' holds no key and certificates that fit together: {error}") from error
        self.grpc = grpc.ssl_server_credentials(
            [(config.server_key.encode(), config.server_cert.encode())],
            root_certificates=config.custom_ca.encode() or None,
            require_client_auth=config.client_verify,
        )


def _context(config: SSLConfig) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    # OpenSSL reads keys from files only; this one can be read by nobody else, and is removed at once.
    with tempfile.NamedTemporaryFile() as file:
        file.write(f"{config.server_key}\n{config.server_cert}\n".encode())
        file.flush()
        # Without a password OpenSSL would ask the terminal for that of an encrypted key.
        context.load_cert_chain(file.name, password="")
    if config.custom_ca:
        context.load_verify_locations(cadata=config.custom_ca)
    if config.client_verify:
        context.verify_mode = ssl.CERT_REQUIRED
    return context
