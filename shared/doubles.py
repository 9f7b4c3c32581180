"""DynamoDB numbers as doubles, for destinations that keep no more."""

from typing import Any

from shared.codec import MAX_DIGITS, decode_number


def nearest_double(body: Any) -> float:
    """The body of an N as the double nearest to it; a double's range is wider than DynamoDB's.

    Raises Malformed for exactly what `decode_number` refuses. The usual number, digits with a
    point at most, is known without a pattern: so few of them cannot leave DynamoDB's range.
    """
    if not (
        body.__class__ is str
        and len(body) <= MAX_DIGITS
        and body.isascii()
        and body.replace(".", "", 1).isdigit()
    ):
        decode_number(body)
    return float(body)
