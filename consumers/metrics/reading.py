"""What the metrics need of an image, read raw: text, numbers, times, retries.

Each function reads one attribute and looks at nothing else of the item. What is absent or damaged
raises Malformed: a count that is silently too small would be worse than a parked record.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

from shared.codec import RawImage, decode_number
from shared.doubles import nearest_double
from shared.emf import MAX_MAGNITUDE
from shared.errors import Malformed

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
# The end of the year 9999, the last that ISO 8601 writes with four digits.
_LAST_MS = 253_402_300_800_000


def text_of(image: RawImage, name: str) -> str:
    """A string that is not empty."""
    try:
        text = image[name]["S"]
        if text.__class__ is str and text:
            return text
    except (KeyError, TypeError):
        pass  # said below, in one way for all
    raise _malformed(name, "absent, empty or no string")


def number_of(image: RawImage, name: str) -> float:
    """A number as the nearest double, which is what CloudWatch keeps."""
    try:
        value = nearest_double(_body(image.get(name), "N"))
    except Malformed:
        raise _malformed(name, "absent, or no number that DynamoDB stores") from None
    if not -MAX_MAGNITUDE <= value <= MAX_MAGNITUDE:
        raise _malformed(name, "a number beyond 2^360, which CloudWatch refuses")
    return value


def milliseconds_between(before: datetime, after: datetime) -> float:
    """A duration; 0 where the clocks of two writers disagree on the order."""
    return (after - before) / _MILLISECOND if after > before else 0.0


def updated_at(image: RawImage) -> datetime:
    """When the order was last written."""
    return _time(image, "updatedAt")


def created_at(image: RawImage) -> datetime:
    """When the order was placed."""
    return _time(image, "createdAt")


def retry_count(image: RawImage) -> Any:
    """The raw retry count, to be compared only; None if the order has none."""
    context = _body(image.get("workflowContext"), "M")
    return context.get("retryCount") if context.__class__ is dict else None


def _time(image: RawImage, name: str) -> datetime:
    """A time of `metadata`: ISO 8601, UTC unless it says otherwise, or a number of ms."""
    try:
        moment = datetime.fromisoformat(image["metadata"]["M"][name]["S"])
    except (KeyError, TypeError, ValueError):
        moment = _from_milliseconds(image, name)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _from_milliseconds(image: RawImage, name: str) -> datetime:
    """The time, as a number; also the error for what is neither that nor a text."""
    metadata = _body(image.get("metadata"), "M")
    value = metadata.get(name) if metadata.__class__ is dict else None
    try:
        milliseconds = decode_number(_body(value, "N"))
        if _body(value, "S") is None and 0 <= milliseconds < _LAST_MS:
            return _EPOCH + int(milliseconds) * _MILLISECOND
    except Malformed:
        pass  # said below, in one way for all
    raise _malformed(f"metadata.{name}", "absent, or neither an ISO 8601 time nor milliseconds")


def _body(value: Any, tag: str) -> Any:
    return value.get(tag) if value.__class__ is dict else None


def _malformed(name: str, what: str) -> Malformed:
    return Malformed(
        f"{name} is {what}",
        hint="mend the writer; a redrive counts the record only once its source is mended",
    )
