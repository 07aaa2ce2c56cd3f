"""The bearer tokens that admit a client, from the file of --auth_tokens_file."""

from __future__ import annotations

import hashlib
import hmac
import logging
import os
import re
import stat
import threading
import time

from serving.server.status import invalid_argument

_log = logging.getLogger(__name__)
_REREAD_S = 1.0
_MAX_BYTES = 256 * 1024
_MAX_TOKENS = 1000
_MIN_CHARS = 16
# RFC 6750, section 2.1: what may stand after "Bearer".
_TOKEN = re.compile(r"[A-Za-z0-9\-._~+/]+=*")


class AuthTokens:
    """The tokens of a file, which is read again once a second while requests come.

    A file that is missing, empty or damaged after the start admits nobody: a mistake in it must not open the server.

    Args:
        path: The file: a token a line. Empty lines, and lines that begin with `#`, are skipped.

    Raises:
        ServingError: The file cannot be read, or holds what is no token.
    """

    def __init__(self, path: str):
        self._path = path
        self._lock = threading.Lock()
        self._read_at = time.monotonic()
        self._problem = ""
        try:
            self._digests = _read(path)
        except (OSError, ValueError) as error:
            raise invalid_argument(f"--auth_tokens_file={path}: {_why(error)}") from error

    def admit(self, authorization: str) -> bool:
        """Whether the value of an Authorization header, or of gRPC's metadata of that name, has one of the tokens.

        The comparison takes the same time whatever was sent: it is of hashes, and with all of them.
        """
        scheme, _, token = authorization.partition(" ")
        digest = _digest(token.strip(" "))
        found = False
        for known in self._current():
            found |= hmac.compare_digest(digest, known)
        return found and scheme.lower() == "bearer"

    def _current(self) -> tuple[bytes, ...]:
        with self._lock:
            now = time.monotonic()
            if now - self._read_at >= _REREAD_S:
                self._read_at = now
                problem = ""
                try:
                    self._digests = _read(self._path)
                except (OSError, ValueError) as error:
                    self._digests = ()
                    problem = _why(error)
                if problem and problem != self._problem:
                    _log.error("--auth_tokens_file=%s admits nobody until it is mended: %s", self._path, problem)
                self._problem = problem
            return self._digests


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()


def _why(error: OSError | ValueError) -> str:
    return os.strerror(error.errno) if isinstance(error, OSError) and error.errno else str(error)


def _read(path: str) -> tuple[bytes, ...]:
    # A pipe must not make the server wait for whoever writes to it.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    with open(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise ValueError("It is no file.")
        content = file.read(_MAX_BYTES + 1)
    if len(content) > _MAX_BYTES:
        raise ValueError(f"It must have at most {_MAX_BYTES} bytes.")
    digests = []
    for number, line in enumerate(content.decode("ascii", "replace").splitlines(), 1):
        token = line.strip()
        if not token or token.startswith("#"):
            continue
        if len(token) < _MIN_CHARS or not _TOKEN.fullmatch(token):
            # The line itself may be a secret with one wrong character.
            raise ValueError(
                f"Line {number} is no token: it must be at least {_MIN_CHARS} of the characters A-Z a-z 0-9 - . _ ~ + /"
            )
        digests.append(_digest(token))
    if not 0 < len(digests) <= _MAX_TOKENS:
        raise ValueError(f"It must hold from 1 to {_MAX_TOKENS} tokens, one a line. Found: {len(digests)}.")
    return tuple(digests)
