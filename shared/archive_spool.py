"""A place to sort in when memory is too small: rows by their key, in one temporary file.

The file has no name, so it is gone with the process, however that ends.
"""

import tempfile
from collections.abc import Iterator
from types import TracebackType
from typing import IO, Self
from zlib import crc32

BUCKETS = 256
BUFFER_BYTES = 16 * 1024 * 1024


class Spool:
    """Takes rows in any order and gives them back in groups that fit into memory.

    All rows of one key come in the same group; a group has about 1/256 of all keys. Memory:
    `buffer_bytes`, and one group while it is read. Use it in a `with` statement.
    """

    def __init__(self, buffer_bytes: int = BUFFER_BYTES) -> None:
        """Nothing touches the disk until `buffer_bytes` of rows are there."""
        self._limit = buffer_bytes
        self._buffers = [bytearray() for _ in range(BUCKETS)]
        self._buffered = 0
        self._pieces: list[list[tuple[int, int]]] = [[] for _ in range(BUCKETS)]
        self._file: IO[bytes] | None = None

    def __enter__(self) -> Self:
        """Itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Forget everything."""
        if self._file is not None:
            self._file.close()

    def add(self, key: bytes, row: bytes) -> None:
        """Put a row aside; it is one line and ends with its newline."""
        self._buffers[crc32(key) % BUCKETS] += row
        self._buffered += len(row)
        if self._buffered >= self._limit:
            self._flush()

    def groups(self) -> Iterator[list[bytes]]:
        """Yield the rows, group by group, each in the order in which it was added."""
        for pieces, buffer in zip(self._pieces, self._buffers, strict=True):
            rows: list[bytes] = []
            for offset, length in pieces:
                assert self._file is not None
                self._file.seek(offset)
                rows += self._file.read(length).splitlines()
            rows += bytes(buffer).splitlines()
            if rows:
                yield rows

    def _flush(self) -> None:
        if self._file is None:
            self._file = tempfile.TemporaryFile(prefix="fanout-")  # noqa: SIM115  see __exit__
        offset = self._file.seek(0, 2)
        for pieces, buffer in zip(self._pieces, self._buffers, strict=True):
            if buffer:
                self._file.write(buffer)
                pieces.append((offset, len(buffer)))
                offset += len(buffer)
                buffer.clear()
        self._buffered = 0
