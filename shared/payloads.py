"""Payloads: the change that a Kinesis record carries, of which only what is read is decoded.

A table's Kinesis stream delivers each change as base64 text of JSON, most of which a consumer
never looks at. A consumer that declares what it reads (`ConsumerSpec.reads`) gets plain dicts that
hold this alone: the rest is skipped, several times as fast as it would be decoded.

These decoders raise for whatever is not as DynamoDB sends it. `shared.envelopes` then decodes all
of it, in the careful way that says what is wrong. One thing differs: damage within what is
skipped, such as bytes that are no UTF-8, goes unnoticed, since nobody reads it.
"""

import sys
from collections.abc import Callable, Iterable
from typing import Any, TypedDict

import orjson

from shared.entities import READ_BY_ALL

# From the text under `kinesis.data` to the change with its metadata.
PayloadDecoder = Callable[[str], Any]


def payload_decoder(
    reads: Iterable[str] | None, reads_old: Iterable[str] | None = None
) -> PayloadDecoder:
    """A decoder that keeps of both images only `reads`, and what the core itself reads.

    `a.b` keeps of the map `a` its member `b`, and nothing else; None keeps everything. Of the old
    image it keeps `reads_old` alone, unless that is None. Takes milliseconds to make: once per
    process. It raises whatever its parts raise.
    """
    # Imported late: consumers of the table's own stream need neither.
    from pybase64 import b64decode

    if reads is None:
        parse: Callable[[bytes], Any] = orjson.loads
    else:
        parse = _partial_parser(reads, reads if reads_old is None else reads_old)

    def decode(data: str) -> Any:
        # Strict: nothing but the alphabet, and the padding as it must be.
        return parse(b64decode(data, None, True))

    return decode


def _partial_parser(reads: Iterable[str], reads_old: Iterable[str]) -> Callable[[bytes], Any]:
    old, new = _image_type({*reads_old, *READ_BY_ALL}), _image_type({*reads, *READ_BY_ALL})
    change = _fields(Keys=Any, ApproximateCreationDateTime=Any, OldImage=old, NewImage=new)
    payload = _fields(eventID=Any, eventName=Any, userIdentity=Any, dynamodb=change)
    return _decoder()(payload).decode  # type: ignore[no-any-return]


def _decoder() -> Any:
    """The decoder of msgspec's that reads JSON, imported without `typing_extensions`.

    That is nothing msgspec needs: where it is not installed it takes `typing`, which has all of
    it. But it is installed, as others need it, and takes as long to import as msgspec itself.
    """
    name = "typing_extensions"
    if name in sys.modules:
        from msgspec.json import Decoder
    else:
        sys.modules[name] = None  # type: ignore[assignment]  # as if it were not installed
        try:
            from msgspec.json import Decoder
        finally:
            del sys.modules[name]
    return Decoder


def _image_type(reads: Iterable[str]) -> Any:
    members: dict[str, dict[str, Any]] = {}
    for path in sorted(reads):  # `a` comes before `a.b`, and contains it
        name, dot, member = path.partition(".")
        if not dot:
            members[name] = {}
        elif members.get(name) != {}:
            members.setdefault(name, {})[member] = Any
    # An attribute's body is Any: what is wrong in there is found, and said, by who reads it.
    return _fields(
        **{name: _fields(M=_fields(**parts)) if parts else Any for name, parts in members.items()}
    )


def _fields(**fields: Any) -> Any:
    """The type of a JSON object of which only `fields` are kept; each may be absent."""
    return TypedDict("_fields", fields, total=False)  # type: ignore[operator]
