"""JSON requests to OpenSearch, for what is not the hot path: set-up, searches, checks."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import orjson

from consumers.search import answers
from consumers.search.connection import Connection

SECONDS = 30.0


@contextmanager
def connected(url: str, *, signed: bool = False) -> Iterator[Connection]:
    """A connection for the length of a block; `signed` with this process's AWS role."""
    sign = None
    if signed:
        from consumers.search.signing import sigv4_signer

        sign = sigv4_signer()
    connection = Connection(url, sign)
    try:
        yield connection
    finally:
        connection.close()


def ask(
    connection: Connection,
    method: str,
    path: str,
    content: Any = None,
    *,
    seconds: float = SECONDS,
    repeatable: bool = True,
) -> Any:
    """Send `content` as JSON and return the answer's JSON.

    Raises Rejected if the request itself is wrong (400), Unavailable for anything else that is
    not an answer of success.
    """
    body = b"" if content is None else orjson.dumps(content)
    answer = connection.request(method, path, body, seconds=seconds, repeatable=repeatable)
    if answer.status >= 300:
        raise answers.request_failure(answer.status, answer.body)
    return orjson.loads(answer.body)
