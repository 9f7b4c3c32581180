"""From a score's change to its contribution to the player's total. Pure."""

from decimal import Decimal
from functools import lru_cache
from typing import NamedTuple

from consumers.totals.ledger import ZERO, source_key
from shared import entities
from shared.codec import RawImage, decode_number, decode_value
from shared.entities import PARTITION_KEY, SORT_KEY, Kind, key_pair
from shared.errors import Malformed
from shared.records import Record

VALUE = "Score"
_PREFIX, _USER = key_pair(Kind.SCORE, "")
_ID_FROM, _USER_FROM = len(_PREFIX), len(_USER)


class Contribution(NamedTuple):
    """What one score adds to one total from one version on.

    A NamedTuple, as one is made for every record.

    Attributes:
        source: the score's name in the ledger.
        user: the player.
        value: the score; 0 once it is removed.
        version: of the change; the newest one counts.
        live: False once the score is removed.
        replaced: the value before this change, which the ledger should hold by now. A guess
            that saves a read; None for "nothing yet".
    """

    source: str
    user: str
    value: Decimal
    version: int
    live: bool
    replaced: Decimal | None


def project(record: Record) -> Contribution | None:
    """The contribution of a score from this change on; None for an item of another kind.

    A removal is a contribution of 0 with the old version + 1, so that a late replay cannot
    bring the score back. Reads the keys, the version and Score, nothing else. Raises Malformed
    if the key holds no ids, the version is damaged, or the new Score is no number.
    """
    try:
        return _project_sound(record)
    except (Malformed, KeyError, TypeError, ValueError, AttributeError):
        # Something is unusual or wrong: the careful way, which says where and what.
        return _project_any(record)


def _project_sound(record: Record) -> Contribution:
    """As `_project_any` in a third of the time, for a sound score; raises anything otherwise."""
    change, name = record.change, record.event_name
    keys = change["Keys"]
    partition, sort = keys[PARTITION_KEY]["S"], keys[SORT_KEY]["S"]
    user = sort[_USER_FROM:]
    if not (partition[:_ID_FROM] == _PREFIX != partition and sort[:_USER_FROM] == _USER and user):
        raise ValueError
    source = source_key(partition, sort)
    if name == "INSERT":
        if "OldImage" in change:
            raise ValueError
        new = change["NewImage"]
        return Contribution(source, user, _score(new), _version(new["version"]["N"]), True, None)
    old = change["OldImage"]
    if name == "MODIFY":
        new = change["NewImage"]
        version = _version(new["version"]["N"])
        return Contribution(source, user, _score(new), version, True, _score(old))
    if "NewImage" in change:
        raise ValueError
    version = _version(old["version"]["N"]) + 1
    return Contribution(source, user, ZERO, version, False, _score(old))


def _project_any(record: Record) -> Contribution | None:
    if record.kind is not Kind.SCORE:
        return None
    keys = record.keys
    entities.item_id(keys, Kind.SCORE)
    user = entities.score_user(keys)
    version = record.version
    old, new = record.old, record.new
    try:
        source = source_key(*record.item_key)
    except UnicodeEncodeError:
        raise Malformed(
            "the score's key is no Unicode text",
            hint="a lone surrogate: DynamoDB cannot have stored it; drop the record",
        ) from None
    return Contribution(
        source=source,
        user=user,
        value=ZERO if new is None else _score(new.raw),
        version=version,
        live=new is not None,
        replaced=None if old is None else _score_or_none(old.raw),
    )


# Scores repeat; a Decimal can be shared, since it never changes.
_number = lru_cache(maxsize=4096)(decode_number)


@lru_cache(maxsize=4096)
def _version(text: str) -> int:
    # As `entities.version_of` does it, which has the last word on what is no plain number.
    if text.__class__ is str and text.isascii() and text.isdigit() and 0 < len(text) < 18:
        version = int(text)
        if version:
            return version
    raise ValueError


def _score(image: RawImage) -> Decimal:
    raw = image.get(VALUE)
    try:
        if raw is not None and len(raw) == 1:
            return _number(raw["N"])
    except (KeyError, TypeError):
        # It is no number; if it is damaged, decoding it says how.
        decode_value(raw)  # type: ignore[arg-type]
    raise Malformed(
        f"the score's attribute {VALUE} is absent or no number",
        hint=f"mend the score in the table; its next change brings the total up to date: "
        f"{VALUE} must be a number",
    )


def _score_or_none(image: RawImage) -> Decimal | None:
    # The old image serves a guess only: damage there is no reason to refuse the new one.
    try:
        return _score(image)
    except Malformed:
        return None
