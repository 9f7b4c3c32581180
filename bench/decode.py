"""Decoding images: all of them, three attributes, keys alone; against boto3 and the limit."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson

from bench.figures import Figure, Scale
from bench.side import Compared, Side, compare, give, lambda_environment
from bench.workload import prepared
from shared.records import Image, Record

Change = dict[str, Any]

_RECORDS = 200
_ROUNDS = {Scale.SHORT: 7, Scale.FULL: 21}
_CALLS = 4
_THREE = ("status", "totalAmount", "createdAt")
IMAGES = ("OldImage", "NewImage")


def measure(scale: Scale) -> list[Figure]:
    """Measure."""
    batch = prepared("audit", _RECORDS)
    environment = lambda_environment()
    with (
        Side("bench.decode:both_images", environment) as ours,
        Side("bench.baseline.decode:both_images", environment) as theirs,
    ):

        def against(us: str, them: str, inputs: str = "changes") -> Compared:
            ours.load(f"bench.decode:{us}")
            theirs.load(f"bench.baseline.decode:{them}")
            give("decode", batch, (ours,), "bench.decode:changes")
            give("decode", batch, (theirs,), f"bench.decode:{inputs}")
            return compare(ours, theirs, "decode", rounds=_ROUNDS[scale], calls=_CALLS)

        both = against("both_images", "both_images")
        limit = against("both_images", "loads", "texts")
        three = against("three_attributes", "both_images")
        keys = against("keys", "keys")
    return [
        _figure("both images against boto3", both, at_least=3.3, floor=2.0),
        Figure(
            suite="decode",
            name="both images, time of orjson.loads for the same bytes",
            value=1 / limit.ratio,
            unit="of its time",
            at_most=1.0,
            floor=4.0,
            detail=_detail(limit, "orjson.loads"),
        ),
        _figure("three attributes of both images against boto3", three, at_least=30.0, floor=12.0),
        _figure("keys alone against boto3", keys),
    ]


def _figure(
    name: str, compared: Compared, at_least: float | None = None, floor: float | None = None
) -> Figure:
    return Figure(
        suite="decode",
        name=name,
        value=compared.ratio,
        unit="x",
        at_least=at_least,
        floor=floor,
        detail=_detail(compared, "baseline"),
    )


def _detail(compared: Compared, other: str) -> dict[str, float]:
    return {
        "ours µs/record": compared.ours / _RECORDS * 1e6,
        f"{other} µs/record": compared.theirs / _RECORDS * 1e6,
    }


def changes(path: str) -> Callable[[int], list[Change]]:
    """The changes of a saved batch, parsed anew for each call."""
    records = Path(path).read_bytes().split(b"\n")[1:]
    return lambda _: [orjson.loads(record)["dynamodb"] for record in records]


def texts(path: str) -> Callable[[int], list[bytes]]:
    """The JSON of both images of each change."""
    found = [
        orjson.dumps({name: change[name] for name in IMAGES if name in change})
        for change in changes(path)(0)
    ]
    return lambda _: found


def both_images(given: list[Change], _: Any) -> None:
    """Decode both images of each change in full."""
    for change in given:
        for name in IMAGES:
            if name in change:
                Image(change[name]).decode()


def three_attributes(given: list[Change], _: Any) -> None:
    """Decode three attributes of both images."""
    first, second, third = _THREE
    for change in given:
        for name in IMAGES:
            if name in change:
                image = Image(change[name])
                _ = image[first], image[second], image[third]


def keys(given: list[Change], _: Any) -> None:
    """Read the key of each change."""
    for change in given:
        _ = Record(change, change, change, "MODIFY", "1").item_key
