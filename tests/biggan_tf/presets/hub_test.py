"""Presets to a hub and back, against a stand-in for it on this machine; and nothing reaches for it unasked."""

import socket
import sys

import pytest

import biggan_tf
from biggan_tf.interop.weights_file_error import WeightsFileError
from biggan_tf.presets import hub, preset_folder
from tests.biggan_tf.presets import local_hub, saved_preset


@pytest.fixture
def server(tmp_path, monkeypatch):
    constants = pytest.importorskip("huggingface_hub.constants")
    with local_hub.running() as running:
        # What HF_ENDPOINT, HF_HOME and the like would set, had they been set before the package was imported.
        monkeypatch.setattr(constants, "ENDPOINT", running.address)
        template = running.address + "/{repo_id}/resolve/{revision}/{filename}"
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
        monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
        monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "no-token"))
        monkeypatch.setenv("HF_TOKEN", "hf_of_the_test")
        yield running


@pytest.mark.filterwarnings("ignore")  # of the hub's library
def test_a_preset_goes_to_the_hub_and_comes_back(server, tmp_path):
    saved_preset.save(tmp_path / "tiny", with_moments=True)
    (tmp_path / "tiny" / "notes.txt").write_text("for nobody else")
    assert hub.upload(tmp_path / "tiny", "hf://owner/tiny").startswith(f"{server.address}/owner/tiny")
    assert set(server.repositories["owner/tiny"]) == set(preset_folder.FILES)
    server.repositories["owner/tiny"]["virus.py"] = b"import os"
    model = biggan_tf.from_preset("hf://owner/tiny")
    assert model.preset.name == "tiny"
    assert model.moments.known.truncations == model.moments.plan.truncations
    folder = hub.download("hf://owner/tiny")
    for name in preset_folder.FILES:
        with open(f"{folder}/{name}", "rb") as file:
            assert file.read() == (tmp_path / "tiny" / name).read_bytes(), name
    assert not any(path.endswith("virus.py") for _, path in server.seen if "resolve" in path)


@pytest.mark.filterwarnings("ignore")
def test_files_of_an_earlier_preset_leave_the_repository(server, tmp_path):
    saved_preset.save(tmp_path / "tiny", with_moments=True)
    hub.upload(tmp_path / "tiny", "hf://owner/tiny")
    server.repositories["owner/tiny"]["samples.png"] = b"a picture"
    saved_preset.save(tmp_path / "tiny", with_discriminator=False)
    hub.upload(tmp_path / "tiny", "hf://owner/tiny")
    left_out = {preset_folder.DISCRIMINATOR, preset_folder.MOMENTS}
    assert set(server.repositories["owner/tiny"]) == {*preset_folder.FILES, "samples.png"} - left_out


@pytest.mark.filterwarnings("ignore")
def test_what_was_downloaded_is_used_again_without_the_hub(server, tmp_path, monkeypatch):
    saved_preset.save(tmp_path / "tiny", with_discriminator=False)
    left_out = (preset_folder.DISCRIMINATOR, preset_folder.MOMENTS)
    files = {name: (tmp_path / "tiny" / name).read_bytes() for name in preset_folder.FILES if name not in left_out}
    server.repositories["owner/tiny"] = files
    hub.download("hf://owner/tiny")
    monkeypatch.setattr(sys.modules["huggingface_hub.constants"], "HF_HUB_OFFLINE", True)
    count = len(server.seen)
    assert biggan_tf.from_preset("hf://owner/tiny").discriminator is None
    assert len(server.seen) == count


@pytest.mark.filterwarnings("ignore")
def test_a_hostile_repository_is_refused_as_a_folder_is(server):
    server.repositories["owner/bad"] = {"preset.json": b"[" * 100_000, "generator.safetensors": b"\x80\x04."}
    with pytest.raises(WeightsFileError, match=r"preset\.json must hold JSON"):
        biggan_tf.from_preset("hf://owner/bad")


@pytest.mark.filterwarnings("ignore")
def test_what_is_not_there_is_one_clear_error(server):
    with pytest.raises(hub.HubError, match="hf://owner/none must be a preset on the hub that can be reached"):
        biggan_tf.from_preset("hf://owner/none")


@pytest.mark.filterwarnings("ignore")
def test_a_hub_that_is_not_reached_is_one_clear_error(server, tmp_path, monkeypatch):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        nowhere = f"http://127.0.0.1:{closed.getsockname()[1]}"
    constants = sys.modules["huggingface_hub.constants"]
    monkeypatch.setattr(constants, "ENDPOINT", nowhere)
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", nowhere + "/{repo_id}/resolve/{revision}/{filename}")
    saved_preset.save(tmp_path / "tiny")
    with pytest.raises(hub.HubError, match=r"hf://owner/tiny must be a repository that can be reached.*the network"):
        hub.upload(tmp_path / "tiny", "hf://owner/tiny")
    with pytest.raises(hub.HubError, match="hf://owner/tiny must be a preset on the hub that can be reached"):
        hub.download("hf://owner/tiny")


def test_what_is_no_preset_is_not_uploaded(tmp_path):
    with pytest.raises(WeightsFileError, match=r"must have preset\.json"):
        hub.upload(tmp_path, "hf://owner/tiny")
    saved_preset.save(tmp_path, with_moments=True)
    for name in (preset_folder.GENERATOR, preset_folder.DISCRIMINATOR, preset_folder.MOMENTS):
        content = (tmp_path / name).read_bytes()
        (tmp_path / name).write_bytes(content[:-1])
        with pytest.raises(WeightsFileError, match=name):
            hub.upload(tmp_path, "hf://owner/tiny")
        (tmp_path / name).write_bytes(content)


@pytest.mark.parametrize("address", ["hf://tiny", "hf://a/b/c", "hf://../etc", "hf://a/b@", "hf://a b/c", "http://a/b"])
def test_what_is_no_address_is_refused(address):
    with pytest.raises(hub.HubError, match="must be hf://OWNER/NAME"):
        hub.download(address)


def test_without_the_package_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(hub.HubError, match=r'python -m pip install "biggan-tf\[hub\]"'):
        hub.download("hf://owner/tiny")


def test_a_folder_reaches_for_no_network(tmp_path, monkeypatch):
    saved_preset.save(tmp_path)

    def refuse(*_):
        raise AssertionError("no network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    biggan_tf.from_preset(tmp_path).generate()
