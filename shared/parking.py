"""Parking: poison records go, whole, into the consumer's own dead-letter queue.

A parked message is JSON text:

```
{"fanout": "parked/1", "consumer": …, "parkedAt": <ms>, "sequenceNumber": …,
 "error": {"type": …, "reason": …, "hint": …},
 "record": <the entry as it was delivered>}      or "event": <an event that is no batch>
```

Over SQS's size the same document goes to S3 and the message carries
`"pointer": {"bucket": …, "key": …}` in place of the record. S3 is written first: a pointer
never leads nowhere.
"""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from shared.clients import aws_client
from shared.clock import now_ms
from shared.errors import FanoutError, ParkingFailed, Poison, shown
from shared.letters import PARKED_PREFIX, PARKED_SCHEMA

# SQS took 256 KiB for two decades; queues and emulators of that limit are still about.
MAX_MESSAGE_BYTES = 256 * 1024
MAX_MESSAGES = 10


class Letter(NamedTuple):
    """One poison record on its way to the queue.

    Attributes:
        raw: the entry as delivered, or the whole event where there is no entry.
        error: why it cannot be used; its `hint` says what to do.
        sequence_number: of the record; empty if it has none.
        field: `record` or `event`: what `raw` is.
    """

    raw: Any
    error: Poison
    sequence_number: str = ""
    field: str = "record"


class DeadLetterQueue(NamedTuple):
    """The queue of one consumer, and the bucket for what is too big for it."""

    consumer: str
    url: str
    bucket: str

    def park(self, letters: Sequence[Letter]) -> dict[int, ParkingFailed]:
        """Put `letters` into the queue, in order, in as few calls as SQS allows.

        Returns the index of each letter that was not taken, with the reason. Never raises for
        a queue or bucket that does not answer: that is what the result says.
        """
        failed: dict[int, ParkingFailed] = {}
        for batch in self._batches(letters, failed):
            entries = [{"Id": str(index), "MessageBody": body} for index, body in batch]
            try:
                answer = aws_client("sqs").send_message_batch(QueueUrl=self.url, Entries=entries)
            except Exception as error:  # noqa: BLE001 - any failure keeps the records in the stream
                failed.update((index, _failure(error)) for index, _ in batch)
                continue
            for entry in answer.get("Failed", ()):
                failed[int(entry["Id"])] = ParkingFailed(
                    f"the dead-letter queue refused a message: {entry['Code']}", hint=_HINT
                )
        return failed

    def _batches(
        self, letters: Sequence[Letter], failed: dict[int, ParkingFailed]
    ) -> Iterator[list[tuple[int, str]]]:
        batch: list[tuple[int, str]] = []
        size = 0
        for index, letter in enumerate(letters):
            try:
                body = self._body(letter)
            except Exception as error:  # noqa: BLE001 - S3 did not take a large record
                failed[index] = _failure(error)
                continue
            if batch and (len(batch) == MAX_MESSAGES or size + len(body) > MAX_MESSAGE_BYTES):
                yield batch
                batch, size = [], 0
            batch.append((index, body))
            size += len(body)
        if batch:
            yield batch

    def _body(self, letter: Letter) -> str:
        # Imported late: most functions never park anything, and all would wait for it at start.
        import json

        from shared.json_text import json_text

        document: dict[str, Any] = {
            "fanout": PARKED_SCHEMA,
            "consumer": self.consumer,
            "parkedAt": now_ms(),
            "sequenceNumber": shown(letter.sequence_number),
            "error": {
                "type": type(letter.error).__name__,
                "reason": letter.error.reason,
                "hint": letter.error.hint,
            },
        }
        # ASCII escapes keep lone surrogates, which no UTF-8 text can, and make a character a byte.
        head = json.dumps(document, separators=(",", ":"))
        body = f'{head[:-1]},"{letter.field}":{json_text(letter.raw)}}}'
        if len(body) <= MAX_MESSAGE_BYTES:
            return body
        import hashlib

        digest = hashlib.sha256(body.encode()).hexdigest()[:32]
        number = letter.sequence_number
        # Anything may stand there; a name that S3 refuses would hold the shard up for ever.
        name = number if number.isalnum() and number.isascii() and len(number) <= 64 else "event"
        key = f"{PARKED_PREFIX}/{self.consumer}/{name}-{digest}.json"
        aws_client("s3").put_object(Bucket=self.bucket, Key=key, Body=body.encode())
        return json.dumps({**document, "pointer": {"bucket": self.bucket, "key": key}})


_HINT = "check the queue, its policy and the role; the record stays in the stream and is retried"


def _failure(error: Exception) -> ParkingFailed:
    if isinstance(error, FanoutError):
        return ParkingFailed(error.reason, hint=error.hint)
    return ParkingFailed(f"parking failed: {type(error).__name__}", hint=_HINT)
