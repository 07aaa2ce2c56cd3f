"""A disk of a few MiB that a test may fill: a tmpfs, which only root may mount."""

import contextlib
import os
import subprocess

import pytest


@contextlib.contextmanager
def mounted(folder, size_mib):
    """Mounts an empty disk at a folder while the block runs; skips the test where that is not permitted."""
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={size_mib}m", "tmpfs", str(folder)]
    try:
        done = subprocess.run(command, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        done = False
    if not done:
        pytest.skip("mounting a small disk is not permitted here")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def remount(folder, option):
    """Changes a mounted disk, e.g. "ro" or "size=64m"."""
    subprocess.run(["mount", "-o", f"remount,{option}", str(folder)], check=True)


def used(folder, *apart_from):
    """The bytes that files take on a mounted disk, apart from some of them."""
    state = os.statvfs(folder)
    taken = (state.f_blocks - state.f_bfree) * state.f_frsize
    return taken - sum(path.stat().st_blocks * 512 for path in apart_from if path.exists())
