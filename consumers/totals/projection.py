"""From a score's change to its contribution to the player's total. Pure."""

from decimal import Decimal
from typing import NamedTuple

from consumers.totals.ledger import ZERO, source_key
from shared import entities
from shared.codec import decode_value
from shared.entities import Kind
from shared.errors import Malformed
from shared.records import Image, Record

VALUE = "Score"


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
        value=ZERO if new is None else _score(new),
        version=version,
        live=new is not None,
        replaced=None if old is None else _score_or_none(old),
    )


def _score(image: Image) -> Decimal:
    raw = image.raw.get(VALUE)
    value = None if raw is None else decode_value(raw)
    if value.__class__ is not Decimal:
        raise Malformed(
            f"the score's attribute {VALUE} is absent or no number",
            hint=f"mend the score in the table; its next change brings the total up to date: "
            f"{VALUE} must be a number",
        )
    return value


def _score_or_none(image: Image) -> Decimal | None:
    # The old image serves a guess only: damage there is no reason to refuse the new one.
    try:
        return _score(image)
    except Malformed:
        return None
