"""Python values to DynamoDB JSON, without loss; `shared.codec` is the way back."""

from binascii import b2a_base64
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from shared.codec import AttributeValue


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
