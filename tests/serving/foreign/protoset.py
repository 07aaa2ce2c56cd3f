"""The descriptions of TensorFlow Serving's services, as clients that were not written in Python read them."""

from google.protobuf import descriptor_pb2
from grpc_health.v1 import health_pb2
from tensorflow_serving.apis import model_service_pb2, prediction_service_pb2


def write(path):
    """Writes a file for `-protoset`: the files of the services, each after those that it imports."""
    files = descriptor_pb2.FileDescriptorSet()
    seen = set()

    def add(descriptor):
        if descriptor.name in seen:
            return
        seen.add(descriptor.name)
        for imported in descriptor.dependencies:
            add(imported)
        descriptor.CopyToProto(files.file.add())

    for module in (prediction_service_pb2, model_service_pb2, health_pb2):
        add(module.DESCRIPTOR)
    path.write_bytes(files.SerializeToString())
    return str(path)
