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

import re
from binascii import Error as Base64Error
from binascii import a2b_base64
from collections.abc import Callable, Mapping
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Any

from shared.errors import Malformed

AttributeValue = Mapping[str, Any]
RawImage = Mapping[str, AttributeValue]

MAX_DIGITS = 38
_MAX_EXPONENT = 125
_MIN_EXPONENT = -130
# Each digit can be read in one way only: else a long text that is no number takes for ever.
_is_number = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII).fullmatch
# What DynamoDB stores has 168 characters at most, written without an exponent.
_MAX_NUMBER_CHARACTERS = 512


def decode_image(raw: RawImage) -> dict[str, Any]:
    """Decode every attribute of an image.

    Raises Malformed, naming the attribute, for a tag or body that DynamoDB does not send.
    """
    try:
        return _quick_map(raw)
    except (Malformed, KeyError, TypeError, ValueError, AttributeError, RecursionError):
        # Something is wrong: the careful way, which says where and what.
        return _careful_image(raw)


def _careful_image(raw: RawImage) -> dict[str, Any]:
    try:
        return _decode_map(raw)
    except RecursionError:
        raise _malformed("is nested deeper than DynamoDB allows (32 levels)") from None


def decode_value(value: AttributeValue) -> Any:
    """Decode one attribute value such as `{"N": "1"}`. Raises Malformed."""
    try:
        return _decode(value)
    except RecursionError:
        raise _malformed("is nested deeper than DynamoDB allows (32 levels)") from None


def decode_number(body: Any) -> Decimal:
    """Decode the body of an N. Raises Malformed for what DynamoDB could not have stored."""
    if body.__class__ is not str or not _is_number(body):
        raise _malformed("is no DynamoDB number")
    # Up to 38 characters without an exponent cannot leave the range.
    if len(body) > MAX_DIGITS or "e" in body or "E" in body:
        return _in_range(body)
    return Decimal(body)


def _in_range(body: str) -> Decimal:
    try:
        number = Decimal(body if len(body) <= _MAX_NUMBER_CHARACTERS else "Infinity")
    except InvalidOperation:  # an exponent beyond Python's own
        number = Decimal("Infinity")
    if number.is_finite() and _is_storable(number):
        return number
    raise _malformed("is a number outside what DynamoDB stores (38 digits, 1E-130 to 1E+126)")


def _is_storable(number: Decimal) -> bool:
    if not number:
        return True
    _, digits, exponent = number.as_tuple()
    significant = len("".join(map(str, digits)).rstrip("0"))
    magnitude = len(digits) - 1 + int(exponent)
    return significant <= MAX_DIGITS and _MIN_EXPONENT <= magnitude <= _MAX_EXPONENT


def _malformed(what: str) -> Malformed:
    return Malformed(
        f"an attribute value {what}",
        hint="read the parked record; mend the writer, or drop the record if it is a forgery",
    )


def _string(body: Any) -> str:
    if body.__class__ is not str:
        raise _malformed("of type S is no string")
    return body


def _binary(body: Any) -> bytes:
    if body.__class__ is not str:
        raise _malformed("of type B is no base64 text")
    try:
        return a2b_base64(body, strict_mode=True)
    except (Base64Error, ValueError):
        raise _malformed("of type B is no base64 text") from None


def _boolean(body: Any) -> bool:
    if body.__class__ is not bool:
        raise _malformed("of type BOOL is neither true nor false")
    return body


def _null(body: Any) -> None:
    if body.__class__ is not bool:
        raise _malformed("of type NULL is neither true nor false")


def _list(body: Any) -> list[Any]:
    if body.__class__ is not list:
        raise _malformed("of type L is no list")
    return [_decode(value) for value in body]


def _map(body: Any) -> dict[str, Any]:
    if not isinstance(body, dict):
        raise _malformed("of type M is no map")
    return _decode_map(body)


def _set_of(decode: Callable[[Any], Any]) -> Callable[[Any], frozenset[Any]]:
    def decode_set(body: Any) -> frozenset[Any]:
        if body.__class__ is not list:
            raise _malformed("of a set type is no list")
        return frozenset(map(decode, body))

    return decode_set


_DECODERS: dict[str, Callable[[Any], Any]] = {
    "S": _string,
    "N": decode_number,
    "B": _binary,
    "BOOL": _boolean,
    "NULL": _null,
    "L": _list,
    "M": _map,
    "SS": _set_of(_string),
    "NS": _set_of(decode_number),
    "BS": _set_of(_binary),
}


# Prices, quantities and versions repeat; a Decimal can be shared, since it never changes.
_quick_number = lru_cache(maxsize=4096)(decode_number)


def _quick_map(raw: RawImage) -> dict[str, Any]:
    """As `_decode_map`, for what is sound, in a third of the time; raises anything otherwise.

    The three tags that make up nearly all of an image are told apart here, without a call.
    """
    decoded: dict[str, Any] = {}
    for name, value in raw.items():
        if len(value) != 1:
            raise ValueError
        if "S" in value:
            body = value["S"]
            if body.__class__ is not str:
                raise TypeError
            decoded[name] = body
        elif "N" in value:
            decoded[name] = _quick_number(value["N"])
        elif "M" in value:
            decoded[name] = _quick_map(value["M"])
        elif "L" in value:
            decoded[name] = _quick_list(value["L"])
        else:
            ((tag, body),) = value.items()
            decoded[name] = _DECODERS[tag](body)
    return decoded


def _quick_list(values: Any) -> list[Any]:
    if values.__class__ is not list:
        raise TypeError
    decoded: list[Any] = []
    for value in values:
        if len(value) != 1:
            raise ValueError
        if "M" in value:
            decoded.append(_quick_map(value["M"]))
        elif "S" in value and value["S"].__class__ is str:
            decoded.append(value["S"])
        else:
            ((tag, body),) = value.items()
            decoded.append(_DECODERS[tag](body))
    return decoded


def _decode(value: Any) -> Any:
    if not isinstance(value, dict) or len(value) != 1:
        raise _malformed("is not a map of one type tag")
    ((tag, body),) = value.items()
    decoder = _DECODERS.get(tag)
    if decoder is None:
        raise _malformed("has a type tag that DynamoDB does not know")
    return decoder(body)


def _decode_map(raw: RawImage) -> dict[str, Any]:
    decoded: dict[str, Any] = {}
    for name, value in raw.items():
        try:
            decoded[name] = _decode(value)
        except Malformed as error:
            raise Malformed(f"{name}: {error.reason}", hint=error.hint) from None
    return decoded
