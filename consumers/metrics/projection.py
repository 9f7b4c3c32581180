"""From a change to what it adds to the business metrics.

Pure. What is counted, and when:

- **an order appears**: a workflow started, an order was created, with its totalAmount;
- **an order's status changes**: the step that the change ends, if any, with the time
  between the updatedAt of both images (consumers.metrics.workflow has the table);
- **an order reaches a final status** from one that is not: its workflow ended, with the time from
  createdAt to updatedAt. An order that appears in a final status both starts and ends;
- **a score appears**: a score was submitted, with its Score.

Nothing else counts: no removal, no corrected score, no other change of an order. Only what a rule
names is read, so an order whose totalAmount is damaged is parked when it appears and counted
in all its later changes.
"""

from typing import NamedTuple

from consumers.metrics.reading import (
    created_at,
    milliseconds_between,
    number_of,
    retry_count,
    text_of,
    updated_at,
)
from consumers.metrics.series import STARTED, Sample, orders_paid_by, scores_at
from consumers.metrics.workflow import ENDED, RETRIED, STEP_ENDED
from shared.codec import RawImage
from shared.entities import PARTITION_KEY, Kind, kind_and_id
from shared.errors import Malformed
from shared.records import Record

# A key has 2,048 bytes at most, an eventID 32 digits. A hundred of them share one line of metrics,
# of which CloudWatch Logs takes 1 MB.
_MAX_ID_CHARACTERS = 2_048 + 256
# Looked up once: an enum's attribute costs as much as a call.
_ORDER, _SCORE = Kind.ORDER, Kind.SCORE


class Counted(NamedTuple):
    """What one record adds; a tuple, because one is made for every record.

    Attributes:
        event_id: DynamoDB's id of the change, by which a repeat is known.
        item: the item's partition key, which names the order or score.
        samples: never empty; at most one per series.
    """

    event_id: str
    item: str
    samples: tuple[Sample, ...]


def project(record: Record) -> Counted | None:
    """Turn one record into what it adds to the metrics; None if it adds nothing.

    Raises Malformed if the record lacks what a rule needs of it.
    """
    if record.event_name == "REMOVE":
        return None
    keys = record.keys
    kind, _ = kind_and_id(keys)
    if kind is _ORDER:
        samples = _order_samples(record)
    elif kind is _SCORE and record.event_name == "INSERT":
        samples = _score_samples(record)
    else:
        return None
    if not samples:
        return None
    event_id, item = record.event_id, keys[PARTITION_KEY]["S"]  # which told the kind
    if len(event_id) + len(item) > _MAX_ID_CHARACTERS:
        raise Malformed(
            "an id is longer than any that DynamoDB stores",
            hint="find out who sent it; a line of metrics that it makes too long is lost whole",
        )
    if not event_id.isascii() or not item.isascii():
        _check_utf8(event_id + item)
    return Counted(event_id, item, samples)


def _order_samples(record: Record) -> tuple[Sample, ...]:
    old, new = record.require_images()
    assert new is not None  # not a REMOVE
    status = text_of(new, "status")
    if old is None:
        created: tuple[Sample, ...] = (
            (STARTED, 1.0),
            (orders_paid_by(text_of(new, "paymentMethod")), number_of(new, "totalAmount")),
        )
        return created + _ended(status, new)
    before = text_of(old, "status")
    if before == status and (status not in RETRIED or retry_count(old) == retry_count(new)):
        return ()
    step = STEP_ENDED.get((before, status))
    samples: tuple[Sample, ...] = ()
    if step is not None:
        samples = ((step, milliseconds_between(updated_at(old), updated_at(new))),)
    return samples if before in ENDED else samples + _ended(status, new)


def _ended(status: str, image: RawImage) -> tuple[Sample, ...]:
    series = ENDED.get(status)
    if series is None:
        return ()
    return ((series, milliseconds_between(created_at(image), updated_at(image))),)


def _score_samples(record: Record) -> tuple[Sample, ...]:
    _, new = record.require_images()
    assert new is not None  # an INSERT
    return ((scores_at(text_of(new, "difficulty")), number_of(new, "Score")),)


def _check_utf8(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise Malformed(
            "an id holds half a surrogate pair, which no UTF-8 text can",
            hint="mend the writer: ids are text",
        ) from None
