"""Decoding as boto3 does it: the whole of an image, or the keys."""

from typing import Any

import orjson
from boto3.dynamodb.types import TypeDeserializer

_deserialize = TypeDeserializer().deserialize


def both_images(changes: list[dict[str, Any]], _: Any) -> None:
    """Deserialize both images of each change."""
    for change in changes:
        for name in ("OldImage", "NewImage"):
            if name in change:
                {key: _deserialize(value) for key, value in change[name].items()}


def keys(changes: list[dict[str, Any]], _: Any) -> None:
    """Deserialize the keys of each change."""
    for change in changes:
        {key: _deserialize(value) for key, value in change["Keys"].items()}


def loads(texts: list[bytes], _: Any) -> None:
    """Parse the JSON of both images and nothing more: the limit of what decoding can cost."""
    for text in texts:
        orjson.loads(text)
