"""From a record to its line in the archive."""

from typing import Any, NamedTuple

from shared.archive_format import HOUR_US, to_line
from shared.errors import Malformed
from shared.records import STREAM, Record


class ArchiveLine(NamedTuple):
    """One line to be archived; a tuple, since one is made for every record of a batch.

    Attributes:
        hour: hours since the epoch in which the change was made.
        sequence_number: by which the record came, for the object's name.
        line: the change as `shared.archive_format` describes it, with its newline.
    """

    hour: int
    sequence_number: str
    line: bytes


def project(record: Record) -> ArchiveLine:
    """Turn one record into the line that keeps it for ever.

    Pure. Images are kept as they were delivered and never looked into, so that a damaged one is
    archived like any other. Raises Malformed if the record does not say which change of which
    item it is: without eventID, key or creation time it could be found by nobody.
    """
    # Asked for only to make sure that it is there.
    _ = record.item_key
    created_us = record.created_us
    change = record.change
    fields: dict[str, Any] = {"eventID": record.event_id, "eventName": record.event_name}
    if record.source == STREAM:
        fields["sequenceNumber"] = record.sequence_number
    fields["createdUs"] = created_us
    fields["version"] = _version(record)
    fields["keys"] = change["Keys"]
    if "OldImage" in change:
        fields["old"] = change["OldImage"]
    if "NewImage" in change:
        fields["new"] = change["NewImage"]
    identity = record.user_identity
    if identity is not None:
        fields["userIdentity"] = identity
    return ArchiveLine(created_us // HOUR_US, record.sequence_number, to_line(fields))


def _version(record: Record) -> int | None:
    try:
        return record.version
    except Malformed:
        return None
