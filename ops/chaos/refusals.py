"""What servers say when they are overloaded, or fail after the work was done. Pure.

Codes and shapes: DynamoDB developer guide, "Error handling"; S3 API reference, "Error
responses"; OpenSearch's bulk API; Redis' error replies.
"""

import random
from collections.abc import Callable, Sequence
from typing import Any

import orjson

from ops.chaos.framing import Request

_REASONS = {
    429: "Too Many Requests",
    500: "Internal Server Error",
    502: "Bad Gateway",
    503: "Service Unavailable",
    504: "Gateway Timeout",
}
_DYNAMODB = "com.amazonaws.dynamodb.v20120810#"
_DYNAMODB_BUSY = (
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "ThrottlingException",
)
_CANCELLED = ("TransactionConflict", "ProvisionedThroughputExceeded", "ThrottlingError")
_QUEUE_FULL = {"type": "rejected_execution_exception", "reason": "queue capacity reached"}
_REDIS_BUSY = (
    b"-LOADING Redis is loading the dataset in memory\r\n",
    b"-OOM command not allowed when used memory > 'maxmemory'.\r\n",
    b"-BUSY Redis is busy running a script.\r\n",
    b"-READONLY You can't write against a read only replica.\r\n",
)


def http(status: int, body: bytes, content: str, *, head: bool = False) -> bytes:
    """An HTTP answer; to a HEAD request it has no body."""
    reason = _REASONS.get(status, "Bad Request")
    return (
        f"HTTP/1.1 {status} {reason}\r\nContent-Type: {content}\r\n"
        f"x-amzn-RequestId: chaos\r\nContent-Length: {0 if head else len(body)}\r\n\r\n"
    ).encode() + (b"" if head else body)


def aws_writer(request: Request) -> str | None:
    """The consumer that makes such a request: each has its own service; None for a queue's."""
    target = request.headers.get("x-amz-target", "")
    if target.startswith("DynamoDB"):
        return "totals"
    return None if target or request.path.startswith("/?Action") else "audit"


def refuse_aws(request: Request, rng: random.Random) -> bytes:
    """DynamoDB, S3 or SQS has no capacity; nothing was carried out."""
    target = request.headers.get("x-amz-target", "")
    if target.startswith("DynamoDB"):
        if target.endswith(".TransactWriteItems") and rng.random() < 0.5:
            return _cancelled(request, rng)
        if rng.random() < 0.25:
            return fail_aws(request, rng)
        return _json_error(400, _DYNAMODB + rng.choice(_DYNAMODB_BUSY))
    if target:
        return _json_error(400, "com.amazonaws.sqs#RequestThrottled")
    return _s3_error(request, 503, "SlowDown")


def fail_aws(request: Request, rng: random.Random) -> bytes:
    """An error of the service's own; whether the request was carried out remains open."""
    if request.headers.get("x-amz-target"):
        status = rng.choice((500, 503))
        code = "InternalServerError" if status == 500 else "ServiceUnavailable"
        return _json_error(status, _DYNAMODB + code)
    status = rng.choice((500, 503))
    return _s3_error(request, status, "InternalError" if status == 500 else "ServiceUnavailable")


def _json_error(status: int, kind: str, **more: Any) -> bytes:
    body = orjson.dumps({"__type": kind, "message": "on purpose", **more})
    return http(status, body, "application/x-amz-json-1.0")


def _s3_error(request: Request, status: int, code: str) -> bytes:
    text = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>on purpose</Message></Error>"
    return http(status, text.encode(), "application/xml", head=request.method == "HEAD")


def _cancelled(request: Request, rng: random.Random) -> bytes:
    """A transaction cancelled for one of its items, as by another one under way."""
    count = len(orjson.loads(request.body)["TransactItems"])
    reasons: list[dict[str, str]] = [{"Code": "None"}] * count
    reasons[rng.randrange(count)] = {"Code": rng.choice(_CANCELLED), "Message": "on purpose"}
    kind = _DYNAMODB + "TransactionCanceledException"
    return _json_error(400, kind, CancellationReasons=reasons)


def refuse_search(_request: Request, rng: random.Random) -> bytes:
    """OpenSearch takes nothing: its queues are full, or a node is gone."""
    status = rng.choice((429, 503))
    return http(status, orjson.dumps({"error": _QUEUE_FULL, "status": status}), "application/json")


def fail_search(_request: Request, rng: random.Random) -> bytes:
    """A gateway before OpenSearch that lost its answer."""
    return http(rng.choice((502, 503, 504)), b"<html>gateway</html>", "text/html")


def refuse_cache(_request: Request, rng: random.Random) -> bytes:
    """Redis is loading, full or busy."""
    return rng.choice(_REDIS_BUSY)


def spare_some(
    request: Request, rng: random.Random
) -> tuple[Request, Callable[[bytes], bytes]] | None:
    """A bulk request of which OpenSearch takes some items and has no room for the others.

    Returns the request with the items that are taken, and what makes the whole answer of the
    answer to that; None if it cannot be divided.
    """
    lines = request.body.splitlines(keepends=True)
    items = [lines[at : at + 2] for at in range(0, len(lines), 2)]
    if "/_bulk" not in request.path or len(items) < 2:
        return None
    taken = [rng.random() < 0.5 for _ in items]
    if all(taken) or not any(taken):
        taken[0] = not taken[0]
    body = b"".join(b"".join(item) for item, keep in zip(items, taken, strict=True) if keep)
    length = f"Content-Length: {len(request.body)}\r\n".lower().encode()
    head = request.raw[: len(request.raw) - len(request.body)]
    at = head.lower().index(length)
    head = head[:at] + b"Content-Length: %d\r\n" % len(body) + head[at + len(length) :]
    shortened = Request(head + body, request.method, request.path, request.headers, body)
    return shortened, lambda answer: _with_refused(answer, taken)


def _with_refused(answer: bytes, taken: Sequence[bool]) -> bytes:
    head, _, body = answer.partition(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 200"):
        return answer
    written = {"index": {"status": 201}}
    done = iter(orjson.loads(body).get("items") or [written] * sum(taken))
    refused = {"index": {"status": 429, "error": _QUEUE_FULL}}
    items = [next(done) if keep else refused for keep in taken]
    return http_ok(orjson.dumps({"errors": True, "items": items}))


def http_ok(body: bytes) -> bytes:
    """A JSON answer that says 200."""
    return b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (
        len(body),
        body,
    )
