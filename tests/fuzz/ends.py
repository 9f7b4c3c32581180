"""The far ends of the sinks, in memory: they check what would go out, and take it.

For volume alone. Everything before the network is the real thing: folding, NDJSON, bulk bodies,
EMF lines, transactions, parked messages. What servers make of it is tests/property's business.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256
from typing import Any

import orjson

from consumers.cache.connection import encode
from consumers.cache.single import unlink_command
from consumers.search.connection import Answer
from shared.archive_compression import lines_of
from shared.cache_keys import keys_of
from shared.clock import Deadline
from shared.errors import Retryable
from shared.parking import MAX_MESSAGE_BYTES, MAX_MESSAGES

# What SQS takes in a message's body (API reference, SendMessage): XML's characters.
_no_message = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]").search
_DIGITS = 38


class Refusing(Exception):
    """The end was told to take nothing."""


class MemoryBucket:
    """The archive's bucket, which takes every object as new."""

    def __init__(self, names: set[str]) -> None:
        self._names = names

    def put_object(
        self, key: str, body: bytes, digest: bytes, headers: Mapping[str, str], *, new: bool
    ) -> None:
        assert len(key.encode()) <= 1024
        assert sha256(body).digest() == digest
        assert headers
        assert new
        for line in lines_of(body):
            document = _loaded(line)
            assert document["keys"]
            self._names.add(document["eventID"])


class MemoryAws:
    """SQS, S3 and DynamoDB, as far as consumers use them. Any breach of a limit fails the test.

    Attributes:
        names: what arrived: event ids of archived lines, keys of ledger entries.
        messages: parked messages, as text; those that went to S3 as what was put there.
        refusing: parking fails while this is set.
    """

    def __init__(self) -> None:
        self.names: set[str] = set()
        self.messages: list[str] = []
        self.refusing = False
        self._objects: dict[str, str] = {}

    def send_message_batch(self, QueueUrl: str, Entries: Sequence[Any]) -> Any:  # noqa: N803
        assert QueueUrl
        if self.refusing:
            raise Refusing
        bodies = [entry["MessageBody"] for entry in Entries]
        assert 1 <= len(bodies) <= MAX_MESSAGES
        assert sum(len(body.encode()) for body in bodies) <= MAX_MESSAGE_BYTES
        for body in bodies:
            assert not _no_message(body)
            pointer = body.rfind('"pointer"')
            if pointer < 0:
                self.messages.append(body)
            else:
                key = json.loads(body)["pointer"]["key"]
                self.messages.append(self._objects.pop(key))
        return {"Successful": []}

    def put_object(self, Bucket: str, Key: str, Body: bytes, **rest: Any) -> Any:  # noqa: N803
        assert Bucket
        assert len(Key.encode()) <= 1024
        assert Key.startswith("parked/")
        assert Key.isascii()
        assert Key.count("/") == 2
        self._objects[Key] = Body.decode("ascii")
        return {}

    def bucket(self, name: str) -> "MemoryBucket":
        """The archive's bucket: what arrives there is named here."""
        assert name
        return MemoryBucket(self.names)

    def begin(self, operation: str, body: bytes, seconds: float) -> "MemoryAws":
        """A transaction of `totals`, taken at once."""
        assert operation == "TransactWriteItems"
        assert body.isascii()
        assert seconds > 0
        items = orjson.loads(body)["TransactItems"]
        assert 1 <= len(items) <= 100
        keys = set()
        for action in items:
            if "Put" in action:
                item = action["Put"]["Item"]
                key = item["PK"]["S"]
                assert len(item["value"]["N"].lstrip("-").replace(".", "").strip("0")) <= _DIGITS
                self.names.add(key)
            else:
                key = action["Update"]["Key"]["PK"]["S"]
            assert len(key) <= 600 or key.startswith("TOTAL#")
            keys.add(key)
        assert len(keys) == len(items), "DynamoDB refuses two actions on one item"
        return self

    def answer(self) -> dict[str, Any]:
        return {}

    def drop(self) -> None:
        pass


class MemoryCache:
    """A cache that only looks at what it is told to remove."""

    def __init__(self) -> None:
        self.names: set[str] = set()

    def unlink(
        self, chunks: Sequence[Sequence[str]], deadline: Deadline
    ) -> tuple[int, Retryable | None]:
        assert deadline.remaining() > 0
        for entries in chunks:
            assert 1 <= len(entries) <= 250
            keys = [key.encode() for entry in entries for key in keys_of(entry)]
            assert unlink_command(entries) == encode(b"UNLINK", *keys)
            self.names.update(entries)
        return len(chunks), None

    def ping(self, deadline: Deadline) -> None:
        assert deadline.remaining() > 0

    def close(self) -> None:
        pass


class MemorySearch:
    """A connection to an index that takes every bulk request whose lines are right."""

    def __init__(self) -> None:
        self.names: set[str] = set()

    def request(self, method: str, path: str, body: bytes, **rest: Any) -> Answer:
        assert method == "POST"
        assert "_bulk" in path
        assert body.endswith(b"\n")
        lines = body[:-1].split(b"\n")
        assert len(lines) % 2 == 0
        for action, document in zip(lines[::2], lines[1::2], strict=True):
            asked = orjson.loads(action)["index"]
            orjson.loads(document)
            if "version" in asked:
                assert 0 < asked["version"] < 2**63
                assert 0 < len(asked["_id"].encode()) <= 512
                self.names.add(asked["_id"])
        return Answer(200, b'{"errors":false}')


class MemoryLog:
    """Standard output: EMF lines. What is counted are business metrics' event ids."""

    def __init__(self) -> None:
        self.names: set[str] = set()
        self.lines = 0

    def write(self, lines: Iterable[bytes]) -> None:
        for line in lines:
            self.lines += 1
            # CloudWatch Logs takes no longer one; a cut line is no metric.
            assert len(line) <= 1_000_000
            assert line.endswith(b"\n")
            assert line.count(b"\n") == 1
            document = orjson.loads(line)
            (directive,) = document["_aws"]["CloudWatchMetrics"]
            for metric in directive["Metrics"]:
                values = document[metric["Name"]]
                values = values if isinstance(values, list) else [values]
                assert 1 <= len(values) <= 100
                assert all(type(number) in {int, float} for number in values)
            for name in directive["Dimensions"][0]:
                assert 1 <= len(document[name]) <= 1024
            self.names.update(document.get("eventIds", ()))


def _loaded(line: bytes) -> Any:
    try:
        return orjson.loads(line)
    except orjson.JSONDecodeError:
        return json.loads(line)
