"""Finds the versions of a model on disk and chooses those that the policy aspires to."""

from __future__ import annotations

import os
import re
import stat

import grpc
from tensorflow_serving.config import model_server_config_pb2

from serving.server.status import ServingError, failed_precondition

_INT64_MAX = 2**63 - 1


def list_versions(base_path: str) -> dict[int, str]:
    """The folders of the versions in a base path, by number.

    A version is a subfolder whose name is nothing but a number ("00000123" is 123); of two names for one number the
    lexicographically later wins. What a writer stages under another name is therefore never seen.

    Raises:
        OSError: The base path cannot be listed.
    """
    versions: dict[int, str] = {}
    for name in sorted(os.listdir(base_path)):
        if re.fullmatch(r"[+-]?\d+", name, re.ASCII) and 0 <= int(name) <= _INT64_MAX:
            versions[int(name)] = os.path.join(base_path, name)
    return versions


def aspired_versions(model: model_server_config_pb2.ModelConfig) -> tuple[dict[int, str], str]:
    """The versions of a model that are to be served: those on disk now that its version policy chooses.

    Returns:
        (the folders of the versions, by number; what is missing, for the log, or "").

    Raises:
        OSError: The model's base path cannot be listed.
    """
    on_disk = list_versions(model.base_path)
    policy = model.model_version_policy
    choice = policy.WhichOneof("policy_choice")
    missing = "" if on_disk else f"No versions of servable {model.name} found under base path {model.base_path}"
    if choice == "all":
        return on_disk, missing
    if choice == "specific":
        wanted = set(policy.specific.versions)
        absent = ", ".join(map(str, sorted(wanted - set(on_disk))))
        if absent:
            missing = f"Versions of servable {model.name} that were requested specifically are not there: {absent}"
        return {version: on_disk[version] for version in sorted(wanted & set(on_disk))}, missing
    count = max(policy.latest.num_versions, 1)
    return {version: on_disk[version] for version in sorted(on_disk)[-count:]}, missing


def check_files(path: str) -> None:
    """Refuses the folder of a version in which a file is something else, for reading a pipe or a device has no end.

    Args:
        path: The folder of the version.

    Raises:
        ServingError: It is no folder, or names the first of its entries that is neither a file nor a folder.
    """
    if not os.path.isdir(path):
        raise ServingError(grpc.StatusCode.NOT_FOUND, f"A version must be a folder; {path} is none, or it is gone")
    for folder, _, names in os.walk(path):
        for name in names:
            file = os.path.join(folder, name)
            try:
                mode = os.stat(file).st_mode
            except OSError as error:
                raise ServingError(grpc.StatusCode.NOT_FOUND, f"{file}; {os.strerror(error.errno or 0)}") from error
            if not stat.S_ISREG(mode):
                raise failed_precondition(f"A version must hold only files and folders; {file} is something else")
