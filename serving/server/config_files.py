"""Reads the server's config files: protocol buffers in text format."""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping
from typing import TypeVar

import grpc
from google.protobuf import text_format
from google.protobuf.message import Message
from tensorflow_serving.config import model_server_config_pb2

from serving.server.status import ServingError, invalid_argument

PLATFORM = "tensorflow"
_MAX_NAME = 200
# Errors that do not go away when a volume is mounted.
_NEVER_A_FOLDER = (errno.ENOTDIR, errno.ENAMETOOLONG, errno.ELOOP, errno.EACCES, errno.EPERM)
_MessageT = TypeVar("_MessageT", bound=Message)


def read_text_proto(path: str, message_class: type[_MessageT]) -> _MessageT:
    """Reads a message in protocol buffer text format.

    Args:
        path: The file.
        message_class: The class of the message that it must hold.

    Raises:
        ServingError: The file is missing or does not parse; the text says where.
    """
    try:
        with open(path, encoding="utf-8") as file:
            return text_format.Parse(file.read(), message_class())
    except (text_format.ParseError, UnicodeDecodeError) as error:
        kind = message_class.DESCRIPTOR.full_name
        raise invalid_argument(f"Invalid protobuf file: '{path}'. Error parsing text-format {kind}: {error}") from error
    except OSError as error:
        raise ServingError(grpc.StatusCode.NOT_FOUND, f"{path}; {os.strerror(error.errno or 0)}") from error


def single_model(name: str, base_path: str) -> model_server_config_pb2.ModelServerConfig:
    """The config that --model_name and --model_base_path stand for: one model, served in its latest version."""
    config = model_server_config_pb2.ModelServerConfig()
    # A URL stays one, for `validate_models` to refuse: as a local path it would be a folder that never comes.
    path = base_path if "://" in base_path else os.path.abspath(base_path)
    config.model_config_list.config.add(name=name, base_path=path, model_platform=PLATFORM)
    return config


def read_model_config(path: str) -> model_server_config_pb2.ModelServerConfig:
    """Reads the file that --model_config_file names."""
    return read_text_proto(path, model_server_config_pb2.ModelServerConfig)


def validate_models(
    config: model_server_config_pb2.ModelServerConfig,
    current: Mapping[str, model_server_config_pb2.ModelConfig],
    is_start: bool,
) -> dict[str, model_server_config_pb2.ModelConfig]:
    """Checks the models of a config.

    Args:
        config: The config to take over.
        current: The configs of the models that are served now, by name.
        is_start: Whether the server is starting. A base path that does not exist is then waited for, and the list may
            be empty; later, both are refused, because nothing but a mistake asks for them.

    Returns:
        The models' configs by name.

    Raises:
        ServingError: A model is listed twice, cannot be named, has no absolute base path or one that cannot be listed,
            or is not TensorFlow's; or the list is empty.
    """
    if config.WhichOneof("config") == "custom_model_config":
        raise invalid_argument("custom_model_config is not supported; list the models instead")
    models: dict[str, model_server_config_pb2.ModelConfig] = {}
    for model in config.model_config_list.config:
        if model.name in models:
            raise invalid_argument(f"Illegal to list model {model.name} multiple times in config list")
        _check_name(model.name)
        if not model.base_path.startswith("/") and "://" not in model.base_path:
            raise invalid_argument(
                f"Expected model {model.name} to have an absolute path or URI; got base_path()={model.base_path}"
            )
        platform = _platform(model)
        if platform != PLATFORM:
            raise invalid_argument(f"Model {model.name} requests unsupported platform {platform}")
        if model.name not in current or current[model.name].base_path != model.base_path:
            _check_folder(model, is_start)
        models[model.name] = model
    if not models and not is_start:
        raise invalid_argument(
            "The config lists no model, which would unload every model. List those to serve; to serve none, stop the "
            "server."
        )
    return models


def _check_name(name: str) -> None:
    if not name or len(name) > _MAX_NAME or not name.isprintable():
        raise invalid_argument(
            f"The name of a model must have 1 to {_MAX_NAME} characters that can be printed; got {name[:_MAX_NAME]!r}"
        )


def _check_folder(model: model_server_config_pb2.ModelConfig, may_come_later: bool) -> None:
    if "://" in model.base_path:
        raise invalid_argument(
            f"The base path of model {model.name} must be a folder of this machine; got {model.base_path!r}. Mount it, "
            "or use tensorflow_model_server"
        )
    try:
        with os.scandir(model.base_path):
            return
    except ValueError as error:
        problem = str(error)
    except OSError as error:
        if may_come_later and error.errno not in _NEVER_A_FOLDER:
            return
        problem = os.strerror(error.errno or 0)
    raise invalid_argument(
        f"The base path of model {model.name} must be a folder that can be listed; got {model.base_path!r}: {problem}"
    )


def _platform(model: model_server_config_pb2.ModelConfig) -> str:
    if model.model_platform:
        return str(model.model_platform)
    if model.model_type == model_server_config_pb2.TENSORFLOW:
        return PLATFORM
    raise invalid_argument(
        "Illegal setting neither ModelServerConfig::model_type (deprecated) nor "
        f"ModelServerConfig::model_platform, model name is {model.name}"
    )
