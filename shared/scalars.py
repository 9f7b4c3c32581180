"""Scalars: the bodies of attribute values that hold no others, decoded strictly.

Each function takes what stands behind a type tag, and raises Malformed for what DynamoDB does
not send there. Source of the limits: DynamoDB developer guide, "Supported data types".
"""

import re
from binascii import Error as Base64Error
from binascii import a2b_base64
from decimal import Decimal, InvalidOperation
from typing import Any

from shared.errors import Malformed

MAX_DIGITS = 38
_MAX_EXPONENT = 125
_MIN_EXPONENT = -130
# Each digit can be read in one way only: else a long text that is no number takes for ever.
_is_number = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII).fullmatch
# What DynamoDB stores has 168 characters at most, written without an exponent.
_MAX_NUMBER_CHARACTERS = 512


def malformed_value(what: str) -> Malformed:
    """The error for an attribute value that `what`, such as "is no map"."""
    return Malformed(
        f"an attribute value {what}",
        hint="read the parked record; mend the writer, or drop the record if it is a forgery",
    )


def decode_number(body: Any) -> Decimal:
    """Decode the body of an N. Raises Malformed for what DynamoDB could not have stored."""
    if body.__class__ is not str or not _is_number(body):
        raise malformed_value("is no DynamoDB number")
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
    raise malformed_value("is a number outside what DynamoDB stores (38 digits, 1E-130 to 1E+126)")


def _is_storable(number: Decimal) -> bool:
    if not number:
        return True
    _, digits, exponent = number.as_tuple()
    significant = len("".join(map(str, digits)).rstrip("0"))
    magnitude = len(digits) - 1 + int(exponent)
    return significant <= MAX_DIGITS and _MIN_EXPONENT <= magnitude <= _MAX_EXPONENT


def decode_string(body: Any) -> str:
    """Decode the body of an S. Raises Malformed."""
    if body.__class__ is not str:
        raise malformed_value("of type S is no string")
    return body


def decode_binary(body: Any) -> bytes:
    """Decode the body of a B, base64 text. Raises Malformed."""
    if body.__class__ is not str:
        raise malformed_value("of type B is no base64 text")
    try:
        return a2b_base64(body, strict_mode=True)
    except (Base64Error, ValueError):
        raise malformed_value("of type B is no base64 text") from None


def decode_boolean(body: Any) -> bool:
    """Decode the body of a BOOL. Raises Malformed."""
    if body.__class__ is not bool:
        raise malformed_value("of type BOOL is neither true nor false")
    return body


def decode_null(body: Any) -> None:
    """Decode the body of a NULL. Raises Malformed."""
    if body.__class__ is not bool:
        raise malformed_value("of type NULL is neither true nor false")
