"""The on-failure destination: records to S3, the message about them to the consumer's queue."""

from typing import Any, Protocol

from infra.local.mapping.failure import Place, payload_key
from infra.local.mapping.lambda_records import encode
from shared.clients import aws_client
from shared.errors import Unavailable


class Destination(Protocol):
    """Where given-up batches go."""

    def send(self, place: Place, document: dict[str, Any], event: bytes | None, now: float) -> None:
        """Send a message; on return it is safe, and its records with it.

        Args:
            place: where the batch comes from.
            document: the message.
            event: the Lambda event with the records, as JSON text; None if there are none.
            now: seconds since the epoch.

        Raises Retryable: then the records stay in the stream, and it is called again.
        """


class DeadLetters:
    """A consumer's dead-letter queue, and the bucket that holds the records.

    The queue's message is Lambda's document with `"pointer": {"bucket": …, "key": …}` added; the
    object is the same document with `payload`, the whole event, as Lambda writes it to S3.
    """

    def __init__(self, queue_url: str, bucket: str) -> None:
        self._queue_url = queue_url
        self._bucket = bucket

    def send(self, place: Place, document: dict[str, Any], event: bytes | None, now: float) -> None:
        """S3 first: a pointer never leads nowhere."""
        try:
            if event is not None:
                key = payload_key(place, now)
                body = encode(document)[:-1] + b',"payload":' + event + b"}"
                aws_client("s3").put_object(Bucket=self._bucket, Key=key, Body=body)
                document = {**document, "pointer": {"bucket": self._bucket, "key": key}}
            aws_client("sqs").send_message(
                QueueUrl=self._queue_url, MessageBody=encode(document).decode()
            )
        except Exception as error:
            # Whatever it was, nothing may be given up for it.
            raise Unavailable(
                f"the on-failure destination did not take a batch: {type(error).__name__}",
                hint="check the queue and the bucket; the shard waits for them",
            ) from error
