"""Records: one change of one item, read lazily.

Nothing of an image is decoded until it is asked for, so a consumer pays for what it reads.
`shared.envelopes` makes records from what Lambda delivers.
"""

from collections.abc import Mapping
from typing import Any

from shared import entities
from shared.codec import RawImage, decode_image, decode_value
from shared.errors import Malformed

STREAM = "aws:dynamodb"
KINESIS = "aws:kinesis"

# Creation times come in seconds (streams), milliseconds or microseconds (Kinesis); a time
# of this century tells its unit by its size where the record does not name it.
_MICROSECONDS_FROM = 10**14
_MILLISECONDS_FROM = 10**11
_MISSING = object()


class Image:
    """One state of an item: a lazy view of its raw DynamoDB JSON."""

    __slots__ = ("raw",)

    def __init__(self, raw: RawImage) -> None:
        """View `raw`, which is not copied and must not be changed."""
        self.raw = raw

    def __getitem__(self, name: str) -> Any:
        """Decode one attribute. KeyError if absent, Malformed if damaged."""
        try:
            return decode_value(self.raw[name])
        except Malformed as error:
            raise Malformed(f"{name}: {error.reason}", hint=error.hint) from None

    def get(self, name: str, default: Any = None) -> Any:
        """Decode one attribute, or `default` if the item does not have it."""
        return self[name] if name in self.raw else default

    def __contains__(self, name: object) -> bool:
        """Whether the item has the attribute."""
        return name in self.raw

    def decode(self) -> dict[str, Any]:
        """Decode all attributes. Raises Malformed if any is damaged."""
        return decode_image(self.raw)


class Record:
    """One change of one item.

    Attributes:
        raw: the entry as it was delivered, for parking it whole.
        payload: the change with its metadata (the same as `raw` for a stream).
        change: `payload["dynamodb"]`: keys, images, creation time.
        event_name: INSERT, MODIFY or REMOVE.
        sequence_number: what Lambda takes back as `itemIdentifier`.
    """

    __slots__ = ("change", "event_name", "payload", "raw", "sequence_number")

    def __init__(
        self,
        raw: Mapping[str, Any],
        payload: Mapping[str, Any],
        change: Mapping[str, Any],
        event_name: str,
        sequence_number: str,
    ) -> None:
        """Built by `shared.envelopes`, which has checked what is given here."""
        self.raw = raw
        self.payload = payload
        self.change = change
        self.event_name = event_name
        self.sequence_number = sequence_number

    @property
    def event_id(self) -> str:
        """DynamoDB's id of the change: the same in every repeat. Raises Malformed if absent."""
        event_id = self.payload.get("eventID")
        if event_id.__class__ is not str or not event_id:
            raise malformed_record("has no eventID")
        return event_id

    @property
    def source(self) -> str:
        """`aws:dynamodb` or `aws:kinesis`: how the record came here."""
        return STREAM if self.raw is self.payload else KINESIS

    @property
    def keys(self) -> RawImage:
        """The raw key attributes. Raises Malformed if the record has none."""
        keys = self.change.get("Keys")
        if keys.__class__ is not dict:
            raise malformed_record("has no Keys")
        return keys

    @property
    def kind(self) -> entities.Kind:
        """The kind of the item. Raises Malformed if its key is damaged."""
        return entities.kind_of(self.keys)

    @property
    def item_key(self) -> tuple[str, str]:
        """(PK, SK). Raises Malformed if either is absent or no string."""
        keys = self.keys
        return (
            entities.key_text(keys, entities.PARTITION_KEY),
            entities.key_text(keys, entities.SORT_KEY),
        )

    @property
    def old(self) -> Image | None:
        """The item before the change; None for an INSERT."""
        return self._image("OldImage")

    @property
    def new(self) -> Image | None:
        """The item after the change; None for a REMOVE."""
        return self._image("NewImage")

    def _image(self, name: str) -> Image | None:
        raw = self.change.get(name, _MISSING)
        if raw is _MISSING:
            return None
        if raw.__class__ is not dict:
            raise malformed_record(f"has a {name} that is no map")
        return Image(raw)

    def require_images(self) -> tuple[RawImage | None, RawImage | None]:
        """(old, new) as raw maps, each there exactly as the change's name demands.

        For projections that read a few attributes: no view of an image is made. Raises Malformed
        otherwise, as for a stream whose view type is not NEW_AND_OLD_IMAGES.
        """
        change, name = self.change, self.event_name
        old, new = change.get("OldImage"), change.get("NewImage")
        if name == "MODIFY":
            if old.__class__ is dict and new.__class__ is dict:
                return old, new
        elif name == "INSERT":
            if new.__class__ is dict and "OldImage" not in change:
                return None, new
        elif old.__class__ is dict and "NewImage" not in change:
            return old, None
        _ = self.old, self.new  # says so if either is no map
        raise malformed_record(f"is a {name} without the images it must carry")

    @property
    def created_ms(self) -> int:
        """When the change was made, in milliseconds; a stream knows whole seconds only.

        Raises Malformed if the record does not say.
        """
        return self.created_us // 1000

    @property
    def created_us(self) -> int:
        """When the change was made, in microseconds, as exactly as the record says it.

        Raises Malformed if it does not say.
        """
        created = self.change.get("ApproximateCreationDateTime")
        if created.__class__ not in (int, float) or not 0 < created < 10**17:
            raise malformed_record("has no creation time")
        if created >= _MICROSECONDS_FROM:
            return int(created)
        if created >= _MILLISECONDS_FROM:
            return int(created * 1000)
        return int(created * 1_000_000)

    @property
    def version(self) -> int:
        """An integer that grows with every change of this item (DESIGN §5).

        The item's own version; for a REMOVE the old one + 1. An item without one gets its
        creation time in microseconds, which is weaker: see docs/delivery.md.
        Raises Malformed for a damaged version or a record without images.
        """
        old, new = self.require_images()
        if new is not None:
            version = entities.version_of(new)
            return self.created_us if version is None else version
        assert old is not None  # require_images
        version = entities.version_of(old)
        return self.created_us if version is None else version + 1

    @property
    def user_identity(self) -> Mapping[str, Any] | None:
        """Who deleted the item if it was DynamoDB itself (time to live), else None."""
        identity = self.payload.get("userIdentity")
        return identity if isinstance(identity, dict) else None


def malformed_record(what: str) -> Malformed:
    """The error for a record that `what`, such as "has no Keys"."""
    return Malformed(
        f"the record {what}",
        hint="read the parked record; if its source is sound, report it as a decoding fault",
    )
