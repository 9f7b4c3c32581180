"""The contribution ledger: what each score adds to its player's total, and since which version.

Why a total is exact:

1. total == Σ of the values in the ledger, at every moment. Both change in one transaction only.
   Its condition on each entry holds the value that the entry had (or that there was none), and
   the total gets Σ(new value - that value). A transaction that finds anything else changes nothing.
2. An entry never goes back: the same condition refuses to replace a newer version. So once a
   record has been delivered, however often and after whatever, its score's entry is as new as
   that record, or newer. A removal is an entry too: value 0, the old version + 1.
3. Every record is delivered until it is written or parked. So each entry reaches the newest
   version of its score, and by 1. the total is the sum of the scores.

Nothing here depends on how batches are cut, in which order they come, or how many write at once.

| attribute | | |
|---|---|---|
| PK | S | `APPLIED#` and the source key |
| user | S | whose total it is part of |
| value | N | its contribution; 0 once the score is removed |
| version | N | of the score's change that set it |
| live | BOOL | false once the score is removed |
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Context, Decimal, Inexact, InvalidOperation, Overflow
from json.encoder import encode_basestring_ascii

from shared.codec import RawImage, decode_number

KEY_ATTRIBUTE = "PK"
KEY_PREFIX = "APPLIED#"

# Far under DynamoDB's 2,048 bytes of a key, and small enough that an entry costs one write unit.
_MAX_SOURCE_BYTES = 512

# Numbers of DynamoDB reach from digit 126 before the point to digit 168 behind it; the sum of a
# batch adds a few. What does not fit is an error, never a rounded total.
# Threads may share it: its flags are written, but an error looks at its own operation alone.
EXACT = Context(prec=400, Emin=-999, Emax=999, traps=[Inexact, InvalidOperation, Overflow])
ZERO = Decimal(0)

# Text as a JSON string in ASCII; what `json.dumps` does with it, without what surrounds that.
quoted = encode_basestring_ascii

_PK_JSON = f'{{"{KEY_ATTRIBUTE}":{{"S":"{KEY_PREFIX}'
_TRUE, _FALSE = '{"BOOL":true}', '{"BOOL":false}'


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """What the ledger holds for one score."""

    value: Decimal
    version: int
    live: bool


def source_key(partition: str, sort: str) -> str:
    """The score's name in the ledger: `SCORE#<scoreId>|USER#<userId>`.

    No two scores share one: a `|` within the first part is escaped. A very long one is replaced
    by its digest. Raises UnicodeEncodeError for what DynamoDB cannot hold as a string.
    """
    if "|" in partition or "%" in partition:
        partition = partition.replace("%", "%25").replace("|", "%7C")
    source = f"{partition}|{sort}"
    if len(source) <= _MAX_SOURCE_BYTES and source.isascii():
        return source
    encoded = source.encode()
    if len(encoded) <= _MAX_SOURCE_BYTES:
        return source
    return f"SHA256#{hashlib.sha256(encoded).hexdigest()}"


def ledger_key(source: str) -> dict[str, dict[str, str]]:
    """The raw primary key of a score's entry."""
    return {KEY_ATTRIBUTE: {"S": KEY_PREFIX + source}}


def read_entry(item: RawImage) -> LedgerEntry:
    """An entry from its raw item, which only `totals` writes."""
    return LedgerEntry(
        value=decode_number(item["value"]["N"]),
        version=int(item["version"]["N"]),
        live=bool(item["live"]["BOOL"]),
    )


def entry_json(source: str, user: str, value: Decimal, version: int, live: bool) -> str:
    """The raw item of an entry, as JSON text in ASCII; `user` is a JSON string already."""
    number = str(value)
    if not number.isdigit():
        number = number_text(value)
    return (
        f'{_PK_JSON}{quoted(source)[1:]}}},"user":{{"S":{user}}},'
        f'"value":{{"N":"{number}"}},"version":{{"N":"{version}"}},'
        f'"live":{_TRUE if live else _FALSE}}}'
    )


def exact_sum(values: Iterable[Decimal]) -> Decimal:
    """The sum, without rounding."""
    total = ZERO
    for value in values:
        total = EXACT.add(total, value)
    return total


def number_text(value: Decimal) -> str:
    """A number in plain form: no exponent, no sign of zero, no needless zeros."""
    if not value:
        return "0"
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text
