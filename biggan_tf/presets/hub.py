"""Moves presets to and from a model hub, through the package huggingface_hub.

Nothing here is called unless somebody writes an address such as `hf://owner/name`: without one no command and no
function of this package reaches for the network.
"""

from __future__ import annotations

import os
import re
from types import ModuleType

from biggan_tf.presets import preset_folder

SCHEME = "hf://"
_ADDRESS = re.compile(r"hf://([A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95})(?:@([\w./-]{1,255}))?")


class HubError(ValueError):
    """A preset that cannot be had from the hub or brought there; the message says what to do."""


def is_address(source: str) -> bool:
    """Whether a source lies on a hub."""
    return source.startswith(SCHEME)


def download(address: str) -> str:
    """Downloads the files of a preset, those of them that are not in the local cache yet.

    Args:
        address: "hf://owner/name", or "hf://owner/name@revision" for a branch, a tag or a commit.

    Returns:
        The folder of the preset in the cache. Nothing of it has been read.

    Raises:
        HubError: If the address is none, the package huggingface_hub is missing, or the hub does not have it.
    """
    repository, revision = _parsed(address)
    hub = _huggingface_hub()
    try:
        # By their names: whatever else the repository holds stays there.
        return str(hub.snapshot_download(repository, revision=revision, allow_patterns=list(preset_folder.FILES)))
    except _failures() as error:
        raise HubError(
            f"{address} must be a preset on the hub that can be reached. Received: {_first_line(error)}; look at the "
            "spelling, at the network, and at HF_ENDPOINT, HF_HUB_OFFLINE and HF_TOKEN."
        ) from error


def upload(folder: str | os.PathLike[str], address: str, private: bool = False) -> str:
    """Uploads a preset, which is read first with all of its weights, so that what arrives can be loaded.

    Args:
        folder: The folder of the preset. Other files in it stay here.
        address: "hf://owner/name". The repository is made if it is not there. Files of an earlier preset that this one
            lacks, such as a discriminator, are deleted from it; its other files stay.
        private: Whether a repository that is made can be seen by its owner alone.

    Returns:
        The address of the commit.

    Raises:
        WeightsFileError: If the folder is no sound preset; nothing has been uploaded then.
        HubError: If the address is none, the package huggingface_hub is missing, or the hub refuses or is not reached.
    """
    repository, revision = _parsed(address)
    preset = preset_folder.read_preset(folder)
    generator, _ = preset_folder.load_networks(folder, preset)
    preset_folder.load_moments(folder, generator)
    hub = _huggingface_hub()
    try:
        api = hub.HfApi()
        api.create_repo(repository, exist_ok=True, private=private)
        commit = api.upload_folder(
            repo_id=repository,
            folder_path=os.fspath(folder),
            revision=revision,
            allow_patterns=list(preset_folder.FILES),
            delete_patterns=list(preset_folder.FILES),
            commit_message="Upload a preset of biggan_tf",
        )
    except _failures() as error:
        raise HubError(
            f"{address} must be a repository that can be reached and that you may write. Received: "
            f"{_first_line(error)}; look at the network and at HF_ENDPOINT, and log in with `hf auth login` or set "
            "HF_TOKEN."
        ) from error
    return str(commit)


def _parsed(address: str) -> tuple[str, str | None]:
    match = _ADDRESS.fullmatch(address)
    if match is None:
        raise HubError(f"A preset on a hub must be hf://OWNER/NAME or hf://OWNER/NAME@REVISION. Received: {address!r}")
    return match[1], match[2]


def _huggingface_hub() -> ModuleType:
    try:
        import huggingface_hub
    except ImportError as error:
        raise HubError(
            "Presets on a hub need the package huggingface_hub. Received: it is not installed; "
            'run `python -m pip install "biggan-tf[hub]"`.'
        ) from error
    return huggingface_hub


def _failures() -> tuple[type[Exception], ...]:
    """The errors with which the package says that a hub refuses, or that it is not reached.

    The latter are those of its HTTP library, httpx before version 2 and httpx2 since then, which are no `OSError`.
    """
    from huggingface_hub.errors import HTTPError

    return (OSError, ValueError, HTTPError)


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0][:300]
