"""A client for exported generators that starts without TensorFlow."""

from serving.client.async_client import AsyncGeneratorClient
from serving.client.errors import ClientError
from serving.client.generator_client import GeneratorClient

__all__ = ["AsyncGeneratorClient", "ClientError", "GeneratorClient"]
