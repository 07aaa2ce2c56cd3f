"""Reads the server's config files: protocol buffers in text format."""

from __future__ import annotations

import os
from typing import Any

import grpc
from google.protobuf import text_format
from tensorflow_serving.config import model_server_config_pb2

from serving.server.status import ServingError, failed_precondition, invalid_argument

PLATFORM = "tensorflow"


def read_text_proto(path: str, message_class: Any) -> Any:
    """Parses one file, or says which file does not parse and why."""
    try:
        with open(path, encoding="utf-8") as file:
            return text_format.Parse(file.read(), message_class())
    except (text_format.ParseError, UnicodeDecodeError) as error:
        kind = message_class.DESCRIPTOR.full_name
        raise invalid_argument(f"Invalid protobuf file: '{path}'. Error parsing text-format {kind}: {error}") from error
    except OSError as error:
        raise ServingError(grpc.StatusCode.NOT_FOUND, f"{path}; {os.strerror(error.errno or 0)}") from error


def single_model(name: str, base_path: str) -> Any:
    """Returns the config that --model_name and --model_base_path stand for."""
    config = model_server_config_pb2.ModelServerConfig()
    config.model_config_list.config.add(name=name, base_path=os.path.abspath(base_path), model_platform=PLATFORM)
    return config


def read_model_config(path: str) -> Any:
    """Reads --model_config_file."""
    return read_text_proto(path, model_server_config_pb2.ModelServerConfig)


def validate_models(config: Any, current_platforms: dict[str, str]) -> dict[str, Any]:
    """Checks a ModelServerConfig.

    Args:
        config: The `ModelServerConfig`.
        current_platforms: Platform of every model that is configured now.

    Returns:
        The models' configs by name.
    """
    if config.WhichOneof("config") == "custom_model_config":
        raise invalid_argument("custom_model_config is not supported; list the models instead")
    models: dict[str, Any] = {}
    for model in config.model_config_list.config:
        if model.name in models:
            raise invalid_argument(f"Illegal to list model {model.name} multiple times in config list")
        if not model.base_path.startswith("/") and "://" not in model.base_path:
            raise invalid_argument(
                f"Expected model {model.name} to have an absolute path or URI; got base_path()={model.base_path}"
            )
        platform = _platform(model)
        if platform != PLATFORM:
            raise invalid_argument(f"Model {model.name} requests unsupported platform {platform}")
        if current_platforms.get(model.name, platform) != platform:
            raise failed_precondition(f"Illegal to change a model's platform. For model {model.name}")
        models[model.name] = model
    return models


def _platform(model: Any) -> str:
    if model.model_platform:
        return str(model.model_platform)
    if model.model_type == model_server_config_pb2.TENSORFLOW:
        return PLATFORM
    raise invalid_argument(
        "Illegal setting neither ModelServerConfig::model_type (deprecated) nor "
        f"ModelServerConfig::model_platform, model name is {model.name}"
    )
