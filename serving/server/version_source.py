"""Finds the versions of a model on disk and chooses those that the policy aspires to."""

from __future__ import annotations

import logging
import os
import re
from typing import Any

_log = logging.getLogger(__name__)
_INT64_MAX = 2**63 - 1


def list_versions(base_path: str) -> dict[int, str]:
    """Returns the version directories of a base path by number.

    A version is a child whose whole name is a number ("00000123" is 123); of two names for one number the
    lexicographically later wins. What a writer stages under another name is therefore never seen.

    Raises:
        OSError: The base path cannot be listed.
    """
    versions: dict[int, str] = {}
    for name in sorted(os.listdir(base_path)):
        if re.fullmatch(r"[+-]?\d+", name, re.ASCII) and 0 <= int(name) <= _INT64_MAX:
            versions[int(name)] = os.path.join(base_path, name)
    return versions


def aspired_versions(model: Any) -> dict[int, str]:
    """Applies a `ModelConfig`'s version policy to what is on disk now."""
    found = list_versions(model.base_path)
    policy = model.model_version_policy
    choice = policy.WhichOneof("policy_choice")
    if not found:
        _log.warning("No versions of servable %s found under base path %s", model.name, model.base_path)
    if choice == "all":
        return found
    if choice == "specific":
        wanted = set(policy.specific.versions)
        for version in sorted(wanted - set(found)):
            _log.warning("Version %d of servable %s, requested specifically, is not there", version, model.name)
        return {version: found[version] for version in sorted(wanted & set(found))}
    count = max(policy.latest.num_versions, 1)
    return {version: found[version] for version in sorted(found)[-count:]}
