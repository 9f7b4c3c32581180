"""EMF documents from the workers' logs, each read once.

A worker's stdout is a file, so what it printed survives its death and ours.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson

Document = dict[str, Any]

_CHUNK_BYTES = 1 << 20


class LogTail:
    """Follows one log file; a line counts once it ends in a newline."""

    def __init__(self, path: Path) -> None:
        """Start at the beginning of `path`, which need not exist yet."""
        self._path = path
        self._offset = 0
        self._partial = b""

    def documents(self) -> Iterator[Document]:
        """Yield the EMF documents that have come since the last call."""
        for line in self._new_lines():
            if b'"_aws"' not in line:
                continue
            try:
                document = orjson.loads(line)
            except orjson.JSONDecodeError:
                continue  # some library's line that merely mentions it
            if isinstance(document, dict) and "_aws" in document:
                yield document

    def _new_lines(self) -> Iterator[bytes]:
        if not self._path.exists():
            return
        with self._path.open("rb") as log:
            log.seek(self._offset)
            while chunk := log.read(_CHUNK_BYTES):
                self._offset += len(chunk)
                *lines, self._partial = (self._partial + chunk).split(b"\n")
                yield from lines


def all_documents(path: Path) -> Iterator[Document]:
    """Every EMF document of a log, from its beginning."""
    return LogTail(path).documents()
