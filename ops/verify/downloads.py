"""Archive objects, fetched once: a verification reads the archive many times over."""

import tempfile
from hashlib import sha256
from types import TracebackType
from typing import Self

from shared.archive_format import DIGEST_DIGITS, read_name
from shared.archive_store import Fetch, fetch


class Downloads:
    """Fetches objects and keeps them on disk, in a file without a name. Use it in `with`.

    An object's name says which bytes are in it, so one that was right stays right; any other is
    fetched again each time, as it may be mended meanwhile.
    """

    def __init__(self, source: Fetch = fetch) -> None:
        """Nothing is fetched yet."""
        self._source = source
        self._file = tempfile.TemporaryFile(prefix="fanout-")  # noqa: SIM115  see __exit__
        self._places: dict[str, tuple[int, int]] = {}

    def __call__(self, bucket: str, key: str) -> bytes:
        """The bytes of an object. Raises as `shared.archive_store.fetch`."""
        place = self._places.get(key)
        if place is not None:
            offset, length = place
            self._file.seek(offset)
            return self._file.read(length)
        body = self._source(bucket, key)
        name = read_name(key)
        if name is not None and sha256(body).hexdigest()[:DIGEST_DIGITS] == name.digest:
            self._places[key] = (self._file.seek(0, 2), len(body))
            self._file.write(body)
        return body

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
        self._file.close()
