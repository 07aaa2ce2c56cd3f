"""The id by which a tracking program knows a run, kept in the workdir, so that a resumed run continues its curves."""

from __future__ import annotations

from biggan_tf import files


def read(workdir: str, tracker: str) -> str:
    """The id that `write` stored; "": there is none.

    Args:
        workdir: The folder of the run, local or a URL.
        tracker: The name of the tracking program.
    """
    path = _path(workdir, tracker)
    return files.read_text(path).strip() if files.exists(path) else ""


def write(workdir: str, tracker: str, identity: str) -> None:
    """Stores an id.

    Args:
        workdir: The folder of the run, local or a URL.
        tracker: The name of the tracking program.
        identity: The id.
    """
    files.make_folder(workdir)
    files.write_text(_path(workdir, tracker), identity + "\n")


def _path(workdir: str, tracker: str) -> str:
    return files.join(workdir, f"{tracker}_run_id.txt")
