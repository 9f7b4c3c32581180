"""The archive's form: where an object lies, and what a line says. Written and read from here.

```
audit/date=2025-10-09/hour=08/<first>-<last>-<digest>.ndjson.zst
```

The hour (UTC) is that of the changes' creation, so every repeat of a change lies in the same
folder. `first` and `last` are sequence numbers of the records in the object, padded so that
listing goes in their order; `digest` is the start of the SHA-256 of the object's bytes, so an
object proves that it is whole, and the same batch written again gets the same name.

One line is one change, as JSON:

| field | what |
|---|---|
| eventID | DynamoDB's id of the change, the same in every repeat |
| eventName | INSERT, MODIFY or REMOVE |
| sequenceNumber | of the table's stream; absent if the change came through Kinesis |
| createdUs | when it was made, microseconds since the epoch (a stream knows whole seconds only) |
| version | the item's version (DESIGN §5); null if the record tells none |
| keys, old, new | raw DynamoDB JSON as delivered; `old` and `new` only where the record has them |
| userIdentity | who deleted the item if it was DynamoDB itself (time to live), else absent |
"""

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import orjson

from shared.errors import Malformed

PREFIX = "audit"
SUFFIX = ".ndjson.zst"
HOUR_US = 3_600_000_000
DIGEST_DIGITS = 32
# Sequence numbers of a DynamoDB stream have 21 to 40 digits; those of Kinesis have 56.
_SEQUENCE_DIGITS = 40
_MAX_SEQUENCE_DIGITS = 64

_is_name = re.compile(
    PREFIX
    + r"/date=(\d{4})-(\d\d)-(\d\d)/hour=(\d\d)/\d{40,64}-\d{40,64}-([0-9a-f]{32})"
    + re.escape(SUFFIX),
    re.ASCII,
).fullmatch


@dataclass(frozen=True, slots=True)
class ObjectName:
    """What the name of an archive object says.

    Attributes:
        key: the whole name in the bucket.
        hour: hours since the epoch; each change of the object was made in it.
        digest: the first 32 hex digits of the SHA-256 of the object's bytes.
    """

    key: str
    hour: int
    digest: str


@lru_cache(maxsize=64)
def partition(hour: int) -> str:
    """The folder of an hour since the epoch: `date=2025-10-09/hour=08`."""
    return datetime.fromtimestamp(hour * 3600, UTC).strftime("date=%Y-%m-%d/hour=%H")


def object_key(hour: int, first: str, last: str, digest: str) -> str:
    """The name of the object that holds the records `first` to `last` of an hour.

    `digest` is the hex SHA-256 of its bytes, of which the name takes the first digits.
    """
    span = f"{_padded(first)}-{_padded(last)}"
    return f"{PREFIX}/{partition(hour)}/{span}-{digest[:DIGEST_DIGITS]}{SUFFIX}"


def _padded(sequence_number: str) -> str:
    # What names a record need not be a number, or may be too long for a key. The digest alone
    # makes names differ, so such a record only sorts first.
    known = sequence_number if is_number(sequence_number) else "0"
    return known.zfill(_SEQUENCE_DIGITS)


def is_number(sequence_number: str) -> bool:
    """Whether a sequence number is what AWS sends: decimal digits, and not thousands of them."""
    short = len(sequence_number) <= _MAX_SEQUENCE_DIGITS
    return short and sequence_number.isascii() and sequence_number.isdigit()


def read_name(key: str) -> ObjectName | None:
    """Take an object's name apart; None if no object of the archive is called so."""
    match = _is_name(key)
    if match is None:
        return None
    year, month, day, hour = map(int, match.group(1, 2, 3, 4))
    try:
        moment = datetime(year, month, day, hour, tzinfo=UTC)
    except ValueError:
        return None
    return ObjectName(key, int(moment.timestamp()) // 3600, match[5])


def to_line(document: Any) -> bytes:
    """One JSON document as one line, with its newline.

    Raises Malformed for what is nested over 250 levels deep.
    """
    try:
        return orjson.dumps(document, option=orjson.OPT_APPEND_NEWLINE)
    except TypeError as error:
        failure = error
    # Lone surrogates, which UTF-8 cannot carry, survive as ASCII escapes; so do whole numbers
    # over 64 bits. The archive leaves nothing out because it is odd.
    try:
        if "ecursion" not in str(failure):
            return json.dumps(document, separators=(",", ":")).encode("ascii") + b"\n"
    except (RecursionError, ValueError) as error:
        failure = error  # type: ignore[assignment]
    raise Malformed(
        "the record is nested too deep to be archived",
        hint="DynamoDB allows 32 levels: find out who sent it, then drop it",
    ) from failure


def from_line(line: bytes) -> Any:
    """Read what `to_line` wrote. Raises ValueError for what is no JSON document."""
    try:
        return orjson.loads(line)
    except orjson.JSONDecodeError:
        pass
    try:
        return json.loads(line)
    except RecursionError:
        raise ValueError("nested too deep") from None
