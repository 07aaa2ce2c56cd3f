"""What every reader of a zip archive of weights needs: reads with a limit, and all errors of a damaged archive."""

import io
import struct
import zipfile
import zlib
from typing import BinaryIO

from biggan_tf.interop.weights_file_error import WeightsFileError

_MAX_READ = 4 << 20  # The directory of a file of 10,000 tensors has a fourth of this.
# zipfile's own errors, zlib's for damaged data, and what it says of encrypted entries, of exotic
# ones and of places outside the file.
ZIP_ERRORS = (
    *(zipfile.BadZipFile, zlib.error, struct.error, EOFError),
    *(NotImplementedError, RuntimeError, ValueError, OSError),
)


class BoundedReads:
    """A file of which no more is read at a time than `_MAX_READ` bytes.

    `zipfile` reads the directory of an archive in one piece, and makes an object of about a kilobyte for each entry.

    Args:
        file: The open file.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        file.seek(0, io.SEEK_END)
        self._num_bytes = file.tell()
        self.seek, self.tell, self.seekable = file.seek, file.tell, file.seekable

    def read(self, size: int = -1) -> bytes:
        left = self._num_bytes - self._file.tell()
        wanted = min(size, left) if size >= 0 else left
        if wanted > _MAX_READ:
            raise WeightsFileError(f"its zip directory must have at most {_MAX_READ:,} bytes. Received: {wanted:,}")
        return self._file.read(max(wanted, 0))
