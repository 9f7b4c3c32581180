"""Transactions that fail on demand: cut off, or answered in DynamoDB's place."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any
from unittest import mock

from consumers.totals.sink import Call, Service
from shared.aws_http import Answer as HttpAnswer
from shared.aws_http import Connections
from shared.aws_json import ServiceFault


class Killed(BaseException):
    """The worker dies here: nothing may catch it."""


class Breaking:
    """A service whose n-th call is cut off, before it reaches the server or after.

    Counts from 0; `calls` tells how many were made.
    """

    def __init__(
        self,
        service: Service,
        at: int = -1,
        *,
        after: bool = False,
        error: BaseException | None = None,
    ) -> None:
        self._service, self._at, self._after = service, at, after
        self._error = error or Killed()
        self.calls = 0

    def begin(self, operation: str, body: bytes, seconds: float) -> Call:
        place, self.calls = self.calls, self.calls + 1
        breaks = place == self._at
        sent = None if breaks and not self._after else self._service.begin(operation, body, seconds)
        return _Broken(sent, self._error if breaks else None)


class _Broken:
    def __init__(self, sent: Call | None, error: BaseException | None) -> None:
        self._sent, self._error = sent, error

    def answer(self) -> dict[str, Any]:
        if self._error is None:
            assert self._sent is not None
            return self._sent.answer()
        self.drop()
        raise self._error

    def drop(self) -> None:
        # Waited for, so that a test that looks at the tables next finds them at rest.
        if self._sent is not None:
            with suppress(ServiceFault):
                self._sent.answer()


Answer = tuple[int, dict[str, Any]]


class _Canned:
    """An exchange that has been answered already."""

    def __init__(self, status: int, document: dict[str, Any]) -> None:
        self._answer = HttpAnswer(status, {}, json.dumps(document).encode())

    def answer(self) -> HttpAnswer:
        return self._answer

    def drop(self) -> None:
        pass


@contextmanager
def answering(answer: Callable[[dict[str, Any]], Answer | None]) -> Iterator[None]:
    """Answer transactions in the server's place, where `answer` does not leave it to the server.

    What it returns goes the way of an answer of DynamoDB: (status, JSON document).
    """
    send = Connections.send

    def instead(connections: Connections, head: bytes, body: bytes, seconds: float) -> Any:
        if b"TransactWriteItems" in head:
            given = answer(json.loads(body))
            if given is not None:
                return _Canned(*given)
        return send(connections, head, body, seconds)

    with mock.patch.object(Connections, "send", instead):
        yield


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
