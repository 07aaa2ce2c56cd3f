"""A client for exported generators that starts without TensorFlow."""

from serving.client.errors import ClientError
from serving.client.generator_client import GeneratorClient

__all__ = ["ClientError", "GeneratorClient"]
