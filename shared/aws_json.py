"""AWS's JSON protocol without the service models: signed, kept alive, raw in and raw out.

botocore parses every attribute value through its service model, turns binaries into bytes and
times into datetimes. Who wants DynamoDB JSON as it is on the wire, as Lambda's events carry it,
would pay for that twice.
"""

import json
import zlib
from hashlib import sha256
from typing import Any

import orjson

from shared.aws_endpoints import find_endpoint
from shared.aws_http import Answer, Connections, Exchange
from shared.aws_signing import Signer
from shared.errors import Rejected, Retryable, Unavailable

# For a whole answer; a page of a scan takes longest.
ANSWER_SECONDS = 10.0

_CONTENT_TYPE = "application/x-amz-json-1.0"
_TARGETS = {"dynamodb": "DynamoDB_20120810", "streams.dynamodb": "DynamoDBStreams_20120810"}
_SIGNING_NAME = "dynamodb"  # of both
_RETRYABLE = frozenset(
    {
        "InternalServerError",
        "LimitExceededException",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "ThrottlingException",
        "TransactionInProgressException",
    }
)


class ServiceFault(Rejected):
    """AWS understood the call and refused it. `code` is AWS's name for the reason."""

    def __init__(self, operation: str, code: str, answer: dict[str, Any]) -> None:
        """Keep the whole answer: cancellation reasons are part of it."""
        super().__init__(f"{operation}: {code}", hint="see the operation's documented errors")
        self.code = code
        self.answer = answer


class Call:
    """A call under way: either `answer` or `drop` is called, once."""

    __slots__ = ("_exchange", "_operation")

    def __init__(self, operation: str, exchange: Exchange) -> None:
        self._operation = operation
        self._exchange = exchange

    def answer(self) -> dict[str, Any]:
        """Wait for the answer, parsed.

        Raises Unavailable if the call may succeed later (whether it took effect is then
        unknown), ServiceFault if AWS refused it.
        """
        try:
            answer = self._exchange.answer()
            body = _parsed(answer)
        except (OSError, ValueError) as error:
            raise _unavailable(self._operation, type(error).__name__) from error
        if answer.status == 200:
            return body
        code = str(body.get("__type", answer.status)).rpartition("#")[2]
        if answer.status >= 500 or code in _RETRYABLE:
            raise _unavailable(self._operation, code)
        raise ServiceFault(self._operation, code, body)

    def drop(self) -> None:
        """Wait for nothing; whether the call takes effect is unknown."""
        self._exchange.drop()


class JsonService:
    """One AWS service in one region. Safe to share between threads. Nothing is tried twice."""

    def __init__(self, service: str, connections: int = 8) -> None:
        """`service` is `dynamodb` or `streams.dynamodb`, at boto's usual endpoint.

        Raises InvalidSettings if there is no endpoint or there are no credentials.
        """
        endpoint, region = find_endpoint(service)
        self._signer = Signer(_SIGNING_NAME, region, endpoint.authority)
        self._target = _TARGETS[service]
        self._connections = Connections(endpoint, connections)

    def call(self, operation: str, arguments: dict[str, Any]) -> dict[str, Any]:
        """Make one call and return its answer as parsed JSON. Raises as `Call.answer`."""
        return self.begin(operation, orjson.dumps(arguments)).answer()

    def begin(self, operation: str, body: bytes, seconds: float = ANSWER_SECONDS) -> Call:
        """Send a call, whose arguments are JSON text, and wait for nothing.

        It has ended after `seconds`, connecting apart. Raises Unavailable if it could not be sent.
        """
        try:
            exchange = self._connections.send(self._head(operation, body), body, seconds)
        except OSError as error:
            raise _unavailable(operation, type(error).__name__) from error
        return Call(operation, exchange)

    def close(self) -> None:
        """Let go of idle connections."""
        self._connections.close()

    def _head(self, operation: str, body: bytes) -> bytes:
        headers = {
            "content-type": _CONTENT_TYPE,
            "x-amz-target": f"{self._target}.{operation}",
        }
        return self._signer.head("POST", "/", headers, sha256(body).hexdigest(), len(body))


def _parsed(answer: Answer) -> dict[str, Any]:
    """The answer's document. Raises ValueError if it is none, or damaged on the way."""
    checksum = answer.headers.get(b"x-amz-crc32")
    if checksum is not None and int(checksum) != zlib.crc32(answer.body):
        raise ValueError("not what DynamoDB sent")
    text = answer.body or b"{}"
    try:
        body = orjson.loads(text)
    except orjson.JSONDecodeError:
        # Escaped lone surrogates, which an emulator may hold: one such item must not block a page.
        body = json.loads(text)
    if body.__class__ is not dict:
        raise ValueError("no JSON object")
    return body


def _unavailable(operation: str, why: str) -> Retryable:
    return Unavailable(f"{operation} was not answered: {why}", hint="check that the service is up")
