"""One change, as the archive holds it."""

from collections.abc import Mapping
from typing import Any

from shared import entities
from shared.archive_format import HOUR_US, ObjectName, from_line, is_number
from shared.codec import RawImage
from shared.errors import Malformed
from shared.records import STREAM, Image

ItemKey = tuple[str, str]
"""(PK, SK)."""


class Change:
    """One line of the archive, checked as far as the archive's own fields go; images are raw.

    Attributes:
        fields: the line as JSON, as `shared.archive_format` describes it.
        event_id: DynamoDB's id of the change.
        item_key: (PK, SK).
        created_us: when it was made, microseconds since the epoch.
        object_key: the archive object in which it stands.
        line: its line there, from 1.
    """

    __slots__ = ("created_us", "event_id", "fields", "item_key", "line", "object_key")

    def __init__(self, fields: Mapping[str, Any], object_key: str, line: int) -> None:
        """Raises Malformed if a field that the reader needs is missing or of a wrong type."""
        event_id, created_us = fields.get("eventID"), fields.get("createdUs")
        if event_id.__class__ is not str or created_us.__class__ is not int:
            raise Malformed("the line has no eventID or no creation time")
        keys = fields.get("keys")
        if keys.__class__ is not dict or fields.get("eventName").__class__ is not str:
            raise Malformed("the line has no keys or does not name the kind of change")
        self.fields = fields
        self.event_id: str = event_id
        self.created_us: int = created_us
        self.item_key: ItemKey = (
            entities.key_text(keys, entities.PARTITION_KEY),
            entities.key_text(keys, entities.SORT_KEY),
        )
        self.object_key = object_key
        self.line = line

    @property
    def event_name(self) -> str:
        """INSERT, MODIFY or REMOVE."""
        return str(self.fields["eventName"])

    @property
    def created_ms(self) -> int:
        """When it was made, milliseconds since the epoch."""
        return self.created_us // 1000

    @property
    def sequence(self) -> int | None:
        """Its place in the stream; None if it came through Kinesis, which gives none."""
        text = self.fields.get("sequenceNumber")
        return int(text) if text.__class__ is str and is_number(text) else None

    @property
    def version(self) -> int | None:
        """The item's version with this change (DESIGN §5), if the record told one."""
        version = self.fields.get("version")
        return version if version.__class__ is int else None

    @property
    def keys(self) -> RawImage:
        """The raw key attributes."""
        return self.fields["keys"]  # type: ignore[no-any-return]  # checked when made

    @property
    def old_raw(self) -> Any:
        """OldImage as delivered, whatever it is; None if the record had none."""
        return self.fields.get("old")

    @property
    def new_raw(self) -> Any:
        """NewImage as delivered, whatever it is; None if the record had none."""
        return self.fields.get("new")

    @property
    def old(self) -> Image | None:
        """The item before the change. Raises Malformed if what was delivered is no map."""
        return _image(self.old_raw)

    @property
    def new(self) -> Image | None:
        """The item after the change. Raises Malformed if what was delivered is no map."""
        return _image(self.new_raw)

    def stream_entry(self) -> dict[str, Any]:
        """The change as an entry of a stream event, for a handler to process it again.

        Equal to what was delivered in all that a projection can see. Its creation time is in
        seconds where they are whole, else in microseconds; one without a sequence number gets
        its eventID in that place, to be named by in the handler's answer.
        """
        fields = self.fields
        seconds, rest = divmod(self.created_us, 1_000_000)
        change = {
            "ApproximateCreationDateTime": self.created_us if rest else seconds,
            "Keys": fields["keys"],
            "SequenceNumber": fields.get("sequenceNumber", self.event_id),
            "StreamViewType": "NEW_AND_OLD_IMAGES",
        }
        for name, image in (("OldImage", "old"), ("NewImage", "new")):
            if image in fields:
                change[name] = fields[image]
        entry = {
            "eventID": self.event_id,
            "eventName": fields["eventName"],
            "eventSource": STREAM,
            "dynamodb": change,
        }
        if "userIdentity" in fields:
            entry["userIdentity"] = fields["userIdentity"]
        return entry


def read_change(line: bytes, name: ObjectName, number: int) -> Change:
    """Read line `number` of an object. Raises Malformed if it is none that the archive wrote."""
    try:
        fields = from_line(line)
    except ValueError:
        raise Malformed("the line is no JSON text") from None
    if fields.__class__ is not dict:
        raise Malformed("the line is no JSON object")
    change = Change(fields, name.key, number)
    if change.created_us // HOUR_US != name.hour:
        raise Malformed("the change was made in another hour than its folder says")
    return change


def _image(raw: Any) -> Image | None:
    if raw is None:
        return None
    if raw.__class__ is not dict:
        raise Malformed(
            "the change carries an image that is no map",
            hint="it is archived as it was delivered: read the line named with it",
        )
    return Image(raw)
