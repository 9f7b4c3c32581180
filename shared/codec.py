"""DynamoDB JSON to Python values, without loss; `shared.encoding` is the way back.

| tag | Python | note |
|---|---|---|
| S | str | |
| N | Decimal | exact; 38 digits, 1E-130 to 9.9…E+125, as DynamoDB stores |
| B | bytes | from base64 text, as Lambda and Kinesis events carry it |
| BOOL | bool | |
| NULL | None | also for `false`, which DynamoDB never sends (boto3 reads it the same way) |
| L, M | list, dict | |
| SS, NS, BS | frozenset | of str, Decimal, bytes |

Source of the limits: DynamoDB developer guide, "Supported data types". boto3's deserializer
is not used: it refuses base64 text and numbers over 38 digits in plain form (1E+125).
"""

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from shared.errors import Malformed
from shared.scalars import (
    decode_binary,
    decode_boolean,
    decode_null,
    decode_number,
    decode_string,
    malformed_value,
)

__all__ = ["AttributeValue", "RawImage", "decode_image", "decode_number", "decode_value"]

AttributeValue = Mapping[str, Any]
RawImage = Mapping[str, AttributeValue]

# What the quick way raises for what is not as DynamoDB sends it.
_DAMAGED = (Malformed, KeyError, TypeError, ValueError, AttributeError, RecursionError)


def decode_image(raw: RawImage) -> dict[str, Any]:
    """Decode every attribute of an image.

    Raises Malformed, naming the attribute, for a tag or body that DynamoDB does not send.
    """
    try:
        return _quick_map(raw)
    except _DAMAGED:
        # Something is wrong: the careful way, which says where and what.
        return _careful_image(raw)


def _careful_image(raw: RawImage) -> dict[str, Any]:
    try:
        return _decode_map(raw)
    except RecursionError:
        raise malformed_value("is nested deeper than DynamoDB allows (32 levels)") from None


def decode_value(value: AttributeValue) -> Any:
    """Decode one attribute value such as `{"N": "1"}`. Raises Malformed."""
    try:
        if len(value) == 1:
            if "S" in value:
                body = value["S"]
                if type(body) is str:
                    return body
            elif "N" in value:
                body = value["N"]
                return _known_numbers[body] if body in _known_numbers else _new_number(body)
            elif "M" in value:
                return _quick_map(value["M"])
            elif "L" in value:
                return _quick_list(value["L"])
    except _DAMAGED:
        pass  # said below, in the careful way
    try:
        return _decode(value)
    except RecursionError:
        raise malformed_value("is nested deeper than DynamoDB allows (32 levels)") from None


def _list(body: Any) -> list[Any]:
    if body.__class__ is not list:
        raise malformed_value("of type L is no list")
    return [_decode(value) for value in body]


def _map(body: Any) -> dict[str, Any]:
    if not isinstance(body, dict):
        raise malformed_value("of type M is no map")
    return _decode_map(body)


def _set_of(decode: Callable[[Any], Any]) -> Callable[[Any], frozenset[Any]]:
    def decode_set(body: Any) -> frozenset[Any]:
        if body.__class__ is not list:
            raise malformed_value("of a set type is no list")
        return frozenset(map(decode, body))

    return decode_set


_DECODERS: dict[str, Callable[[Any], Any]] = {
    "S": decode_string,
    "N": decode_number,
    "B": decode_binary,
    "BOOL": decode_boolean,
    "NULL": decode_null,
    "L": _list,
    "M": _map,
    "SS": _set_of(decode_string),
    "NS": _set_of(decode_number),
    "BS": _set_of(decode_binary),
}


# Prices, quantities and versions repeat; a Decimal can be shared, since it never changes.
_MAX_KNOWN = 4096
_known_numbers: dict[str, Decimal] = {}


def _new_number(body: Any) -> Decimal:
    number = decode_number(body)
    if len(_known_numbers) >= _MAX_KNOWN:
        _known_numbers.clear()
    _known_numbers[body] = number
    return number


# The quick way: for what is sound the same as `_decode` and `_decode_map`, in half the time; it
# raises one of _DAMAGED otherwise. The four tags that make up nearly all of an image are told
# apart in the loop itself, where a call for each value would cost more than all the rest.


def _quick_map(raw: RawImage) -> dict[str, Any]:
    decoded: dict[str, Any] = {}
    for name, value in raw.items():
        if len(value) != 1:
            raise ValueError
        if "S" in value:
            body = value["S"]
            if type(body) is not str:
                raise TypeError
            decoded[name] = body
        elif "N" in value:
            body = value["N"]
            decoded[name] = _known_numbers[body] if body in _known_numbers else _new_number(body)
        elif "M" in value:
            decoded[name] = _quick_map(value["M"])
        elif "L" in value:
            decoded[name] = _quick_list(value["L"])
        else:
            ((tag, body),) = value.items()
            decoded[name] = _DECODERS[tag](body)
    return decoded


def _quick_list(values: Any) -> list[Any]:
    if type(values) is not list:
        raise TypeError
    decoded: list[Any] = []
    for value in values:
        if len(value) != 1:
            raise ValueError
        if "M" in value:
            decoded.append(_quick_map(value["M"]))
        elif "S" in value:
            body = value["S"]
            if type(body) is not str:
                raise TypeError
            decoded.append(body)
        else:
            ((tag, body),) = value.items()
            decoded.append(_DECODERS[tag](body))
    return decoded


def _decode(value: Any) -> Any:
    if not isinstance(value, dict) or len(value) != 1:
        raise malformed_value("is not a map of one type tag")
    ((tag, body),) = value.items()
    decoder = _DECODERS.get(tag)
    if decoder is None:
        raise malformed_value("has a type tag that DynamoDB does not know")
    return decoder(body)


def _decode_map(raw: RawImage) -> dict[str, Any]:
    decoded: dict[str, Any] = {}
    for name, value in raw.items():
        try:
            decoded[name] = _decode(value)
        except Malformed as error:
            raise Malformed(f"{name}: {error.reason}", hint=error.hint) from None
    return decoded
