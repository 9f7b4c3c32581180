"""Notes every invocation of a pipeline's functions, and reads from them what arrived when.

A note is the invocation's payload as it is and two times; it is read only after the measurement,
so that it costs next to nothing during it.
"""

import threading
import time
from base64 import b64decode
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import orjson

from infra.local.lambda_runtime.function import Function
from infra.local.lambda_runtime.invocation import Invocation


@dataclass(frozen=True, slots=True)
class Delivery:
    """One invocation whose records were all taken; times in seconds since the epoch."""

    consumer: str
    payload: bytes
    begun: float
    ended: float


class Invocations:
    """All invocations of this process's functions from `hold` on."""

    def __init__(self) -> None:
        """Nothing is watched yet."""
        self.deliveries: list[Delivery] = []
        self._released = threading.Event()

    def hold(self) -> None:
        """Let every invocation wait for `release`, and note it.

        For a process that measures one pipeline and ends: `Function` stays changed.
        """
        invoke, deliveries, released = Function.invoke, self.deliveries, self._released

        def noted(function: Function, payload: bytes) -> Invocation:
            released.wait()
            begun = time.time()
            invocation = invoke(function, payload)
            if invocation.response == _ALL_TAKEN:
                name = function.name.removeprefix("fanout-")
                deliveries.append(Delivery(name, payload, begun, time.time()))
            return invocation

        Function.invoke = noted  # type: ignore[assignment, method-assign]

    def release(self) -> None:
        """Let all consumers begin at once."""
        self._released.set()


_ALL_TAKEN = b'{"batchItemFailures": []}'


def changes_of(payload: bytes) -> Iterator[tuple[str, int]]:
    """Partition key and version of each change in a Lambda event; 0 stands for a removal."""
    for record in orjson.loads(payload)["Records"]:
        kinesis = record.get("kinesis")
        change = orjson.loads(b64decode(kinesis["data"])) if kinesis else record
        images = change["dynamodb"]
        yield images["Keys"]["PK"]["S"], _version(images.get("NewImage"))


def _version(image: dict[str, Any] | None) -> int:
    if image is None:
        return 0
    metadata = image.get("metadata")
    version = (metadata["M"] if metadata else image).get("version")
    return int(version["N"]) if version else 0
