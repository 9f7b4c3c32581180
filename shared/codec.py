"""DynamoDB JSON to Python values and back, without loss.

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
from binascii import a2b_base64, b2a_base64
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from shared.errors import Malformed

AttributeValue = Mapping[str, Any]
RawImage = Mapping[str, AttributeValue]

MAX_DIGITS = 38
_MAX_EXPONENT = 125
_MIN_EXPONENT = -130
_is_number = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII).fullmatch


def decode_image(raw: RawImage) -> dict[str, Any]:
    """Decode every attribute of an image.

    Raises Malformed, naming the attribute, for a tag or body that DynamoDB does not send.
    """
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
    number = Decimal(body)
    # Up to 38 characters without an exponent cannot leave the range.
    if len(body) > MAX_DIGITS or "e" in body or "E" in body:
        _check_range(number)
    return number


def _check_range(number: Decimal) -> None:
    if not number:
        return
    _, digits, exponent = number.as_tuple()
    significant = len("".join(map(str, digits)).rstrip("0"))
    magnitude = len(digits) - 1 + int(exponent)
    if significant > MAX_DIGITS or not _MIN_EXPONENT <= magnitude <= _MAX_EXPONENT:
        raise _malformed("is a number outside what DynamoDB stores (38 digits, 1E-130 to 1E+126)")


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


def encode_image(item: Mapping[str, Any]) -> dict[str, AttributeValue]:
    """Encode a whole item; the inverse of `decode_image`. Raises TypeError or ValueError."""
    return {name: encode_value(value) for name, value in item.items()}


def encode_value(value: Any) -> AttributeValue:
    """Encode a Python value as DynamoDB JSON, binaries as base64 text.

    Raises TypeError for what has no exact form: a float, an empty or mixed set, other objects;
    ValueError for a Decimal that is not finite.
    """
    match value:
        case None:
            return {"NULL": True}
        case bool():
            return {"BOOL": value}
        case str():
            return {"S": value}
        case int() | Decimal():
            if not Decimal(value).is_finite():
                raise ValueError("DynamoDB has no NaN and no infinity")
            return {"N": str(value)}
        case bytes():
            return {"B": b2a_base64(value, newline=False).decode()}
        case list():
            return {"L": [encode_value(member) for member in value]}
        case Mapping():
            return {"M": encode_image(value)}
        case set() | frozenset() if value:
            bodies = [next(iter(encode_value(member).items())) for member in value]
            tags = {tag for tag, _ in bodies}
            if len(tags) == 1 and tags <= {"S", "N", "B"}:
                return {f"{tags.pop()}S": [body for _, body in bodies]}
    raise TypeError(f"DynamoDB has no exact type for {type(value).__name__}")
