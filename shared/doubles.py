"""DynamoDB numbers as doubles, for destinations that keep no more."""

from typing import Any

from shared.codec import decode_number

# So few characters, none of them an exponent, cannot leave DynamoDB's range, nor its 38 digits.
_FEW = 38


def nearest_double(body: Any) -> float:
    """The body of an N as the double nearest to it; a double's range is wider than DynamoDB's.

    Raises Malformed for exactly what `decode_number` refuses. The usual number, digits with a
    point at most, is known without a pattern.
    """
    if not (
        body.__class__ is str
        and len(body) <= _FEW
        and body.isascii()
        and body.replace(".", "", 1).isdigit()
    ):
        decode_number(body)
    return float(body)
