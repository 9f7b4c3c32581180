"""Transactions that fail on demand: cut off, or answered in DynamoDB's place."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders
from botocore.exceptions import ClientError


class Killed(BaseException):
    """The worker dies here: nothing may catch it."""


class Breaking:
    """A client whose n-th transaction is cut off, before it reaches the server or after.

    Counts from 0; `calls` tells how many were made.
    """

    def __init__(
        self, client: Any, at: int = -1, *, after: bool = False, error: BaseException | None = None
    ) -> None:
        self._client, self._at, self._after = client, at, after
        self._error = error or Killed()
        self.calls = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def transact_write_items(self, **request: Any) -> Any:
        call, self.calls = self.calls, self.calls + 1
        if call != self._at:
            return self._client.transact_write_items(**request)
        if self._after:
            with suppress(ClientError):
                self._client.transact_write_items(**request)
        raise self._error


Answer = tuple[int, dict[str, Any]]


class Body:
    """What AWSResponse reads its content from, as from urllib3's response."""

    def __init__(self, document: dict[str, Any]) -> None:
        self._content = json.dumps(document).encode()

    def stream(self) -> Iterator[bytes]:
        yield self._content


@contextmanager
def answering(client: Any, answer: Callable[[dict[str, Any]], Answer | None]) -> Iterator[None]:
    """Answer transactions in the server's place, where `answer` does not leave it to the server.

    What it returns goes through botocore as an answer of DynamoDB: (status, JSON document).
    """

    def hook(request: Any, **_: Any) -> AWSResponse | None:
        given = answer(json.loads(request.body))
        if given is None:
            return None
        status, document = given
        return AWSResponse(request.url, status, HTTPHeaders(), Body(document))

    event = "before-send.dynamodb.TransactWriteItems"
    client.meta.events.register(event, hook)
    try:
        yield
    finally:
        client.meta.events.unregister(event, hook)


def failure(code: str, message: str = "", status: int = 400) -> Answer:
    """DynamoDB's answer for a request that failed as a whole."""
    return status, {"__type": f"com.amazonaws.dynamodb.v20120810#{code}", "message": message}


def cancelled(*codes: str, **reason: str) -> Answer:
    """DynamoDB's answer for a cancelled transaction: a reason code for each item."""
    status, document = failure("TransactionCanceledException", f"Transaction cancelled {codes}")
    reasons = [{"Code": code} | (reason if code != "None" else {}) for code in codes]
    return status, document | {"Message": document["message"], "CancellationReasons": reasons}


def items_of(request: dict[str, Any]) -> list[tuple[str, str]]:
    """(`ledger` or `total`, the key without its prefix) of each item of a transaction."""
    found = []
    for item in request["TransactItems"]:
        if "Put" in item:
            found.append(("ledger", item["Put"]["Item"]["PK"]["S"].removeprefix("APPLIED#")))
        else:
            found.append(("total", item["Update"]["Key"]["PK"]["S"].removeprefix("TOTAL#")))
    return found
