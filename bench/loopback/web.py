"""S3, DynamoDB and OpenSearch as far as a write needs them: each is answered at once.

Answers have the form of the real services', so that clients parse what they would have to parse:
OpenSearch's bulk answer carries an item for each document, cut to what `filter_path` asks for.
"""

import re
import socket
from functools import lru_cache

from bench.loopback.ledger import Ledger

_CHUNK = 1 << 18
_HEAD_END = b"\r\n\r\n"
_length = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE).search
_id = re.compile(rb'^\{"(?:index|create)":\{[^\n]*?"_id": ?("(?:[^"\\]|\\.)*")', re.MULTILINE)
_FILTERED_ITEM = b'{"index":{"status":201}}'
_ITEM = (
    b'{"index":{"_index":"orders-000001","_id":%b,"_version":1,"result":"created",'
    b'"_shards":{"total":2,"successful":1,"failed":0},"_seq_no":%d,"_primary_term":1,"status":201}}'
)


def serve(connection: socket.socket, ledger: Ledger) -> None:
    """Answer requests until the connection ends."""
    pending = bytearray()
    with connection:
        while True:
            while (end := pending.find(_HEAD_END)) < 0:
                received = connection.recv(_CHUNK)
                if not received:
                    return
                pending += received
            head = bytes(pending[: end + 2])
            del pending[: end + len(_HEAD_END)]
            found = _length(head)
            size = int(found[1]) if found else 0
            if b"100-continue" in head:
                connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
            while len(pending) < size:
                received = connection.recv(_CHUNK)
                if not received:
                    return
                pending += received
            body = bytes(pending[:size])
            del pending[:size]
            connection.sendall(_answer(head, body, ledger))


def _answer(head: bytes, body: bytes, ledger: Ledger) -> bytes:
    method, path, _ = head.split(b"\r\n", 1)[0].split(b" ")
    if path.startswith(b"/-/take"):
        return _response(ledger.take(keep=path.endswith(b"keep=1")))
    if b"transfer-encoding" in head.lower():
        return _response(b"send a Content-Length", b"411 Length Required")
    if b"/_bulk" in path:
        ledger.add(body)
        return _response(_bulk(body, filtered=b"filter_path" in path))
    if method == b"PUT":
        ledger.add(body)
        return _response(b"", extra=b'ETag: "0"\r\n')
    if method == b"HEAD":
        return _response(b"")
    if b"TransactWriteItems" in head:
        ledger.add(body)
        return _response(b"{}", kind=b"application/x-amz-json-1.0")
    if b"GetItem" in head:
        return _response(b"{}", kind=b"application/x-amz-json-1.0")
    return _response(b"not served here", b"404 Not Found")


def _response(
    body: bytes, status: bytes = b"200 OK", *, kind: bytes = b"application/json", extra: bytes = b""
) -> bytes:
    return b"HTTP/1.1 %b\r\nContent-Type: %b\r\n%bContent-Length: %d\r\n\r\n%b" % (
        status, kind, extra, len(body), body,
    )  # fmt: skip


def _bulk(body: bytes, *, filtered: bool) -> bytes:
    if filtered:
        return _filtered(body.count(b"\n") // 2)
    items = [_ITEM % (name, place) for place, name in enumerate(_id.findall(body))]
    return b'{"took":1,"errors":false,"items":[%b]}' % b",".join(items)


@lru_cache
def _filtered(count: int) -> bytes:
    return b'{"errors":false,"items":[%b]}' % b",".join([_FILTERED_ITEM] * count)
