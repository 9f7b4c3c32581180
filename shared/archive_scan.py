"""Going through the archive's objects, line by line, as they lie in the bucket."""

import json
from collections.abc import Iterator, Set
from dataclasses import dataclass
from hashlib import sha256

from shared.archive_change import Change, ItemKey, read_change
from shared.archive_compression import DAMAGE, lines_of
from shared.archive_format import DIGEST_DIGITS, PREFIX, ObjectName, partition, read_name
from shared.archive_store import Fetch, ObjectDamaged, ObjectGone, fetch, list_keys
from shared.errors import Malformed

HOUR_MS = 3_600_000
# With more items to look for than this, reading every line is no slower than searching it.
_MAX_NEEDLES = 8


@dataclass(frozen=True, slots=True)
class Damage:
    """Something under the archive's prefix that cannot be read.

    Attributes:
        object_key: the object's name in the bucket.
        reason: what is wrong with it.
        line: the line concerned, from 1; None if it is the whole object.
    """

    object_key: str
    reason: str
    line: int | None = None

    def __str__(self) -> str:
        """One line for people."""
        line = "" if self.line is None else f", line {self.line}"
        return f"{self.object_key}{line}: {self.reason}"


def objects(
    bucket: str, start_ms: int | None = None, end_ms: int | None = None
) -> Iterator[ObjectName | Damage]:
    """Yield the objects whose hour touches the range, in order, without reading them."""
    after = "" if start_ms is None else f"{PREFIX}/{partition(start_ms // HOUR_MS)}/"
    for key in list_keys(bucket, f"{PREFIX}/", after):
        name = read_name(key)
        if name is None:
            yield Damage(key, "no object of the archive is called so")
        elif end_ms is not None and name.hour * HOUR_MS >= end_ms:
            return
        else:
            yield name


def entries(
    bucket: str,
    start_ms: int | None = None,
    end_ms: int | None = None,
    only: Set[ItemKey] | None = None,
    *,
    fetch: Fetch = fetch,
) -> Iterator[Change | Damage]:
    """Yield every line in the range, repeats included; of these items alone if any are given.

    Memory: one object as it is stored, and one line.
    """
    needles = _needles(only) if only is not None and len(only) <= _MAX_NEEDLES else ()
    for name in objects(bucket, start_ms, end_ms):
        if isinstance(name, Damage):
            yield name
            continue
        for entry in _lines(fetch, bucket, name, needles):
            if isinstance(entry, Change):
                if start_ms is not None and entry.created_ms < start_ms:
                    continue
                if end_ms is not None and entry.created_ms >= end_ms:
                    continue
                if only is not None and entry.item_key not in only:
                    continue
            yield entry


def _lines(
    fetch: Fetch, bucket: str, name: ObjectName, needles: tuple[bytes, ...]
) -> Iterator[Change | Damage]:
    try:
        body = fetch(bucket, name.key)
    except ObjectGone:
        yield Damage(name.key, "the object was listed and is gone")
        return
    except ObjectDamaged:
        yield Damage(name.key, "S3 gives other bytes than it was given")
        return
    # Before a single line is believed: damaged bytes may still unpack into something.
    if sha256(body).hexdigest()[:DIGEST_DIGITS] != name.digest:
        yield Damage(name.key, "the object's bytes are not those that its name stands for")
        return
    number = 0
    try:
        for number, line in enumerate(lines_of(body), 1):
            if needles and _is_about_others(line, needles):
                continue
            try:
                yield read_change(line, name, number)
            except Malformed as error:
                yield Damage(name.key, error.reason, number)
    except DAMAGE as error:
        yield Damage(name.key, f"cannot be unpacked behind line {number}: {error}")


def _is_about_others(line: bytes, needles: tuple[bytes, ...]) -> bool:
    # A line that does not even look like one is read all the same, to be reported.
    whole = line.startswith(b"{") and line.endswith(b"}\n")
    return whole and not any(needle in line for needle in needles)


def _needles(only: Set[ItemKey]) -> tuple[bytes, ...]:
    """What a line about one of these items must contain: its partition key, in JSON."""
    texts = {partition_key for partition_key, _ in only}
    plain = {json.dumps(text, ensure_ascii=False).encode(errors="replace") for text in texts}
    # A line with what UTF-8 cannot carry is written in ASCII as a whole.
    escaped = {json.dumps(text).encode() for text in texts}
    return tuple(plain | escaped)
