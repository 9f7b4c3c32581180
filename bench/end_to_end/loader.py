"""A plain bulk loader: what the search server takes when nothing else is asked of anybody.

It sends the documents that the pipeline sent, with the same versions, encoded beforehand, over
one connection, one request after the other.
"""

import time
from collections.abc import Iterator, Sequence
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

import orjson

from bench.end_to_end.cpu import cpu_seconds
from consumers.search import bulk
from consumers.search.connection import NDJSON
from consumers.search.projection import Operation, project
from consumers.search.setup import ensure_index
from infra.local.servers.programs import SEARCH
from infra.local.servers.server import Server
from shared.envelopes import read_records
from shared.records import Record


def documents_per_second(folder: Path, payloads: Sequence[bytes], size: int) -> dict[str, float]:
    """Load what search was given in `payloads` into a fresh server, `size` documents a request.

    Returns documents per second, and the server's CPU seconds.
    """
    operations = [operation for payload in payloads for operation in _operations(payload)]
    bodies = [
        bulk.body(operations, range(first, min(first + size, len(operations))))
        for first in range(0, len(operations), size)
    ]
    server = Server(SEARCH, folder / f"loaded-{size}", folder / "loader-logs")
    server.start()
    try:
        ensure_index(server.url)
        connection = HTTPConnection(urlsplit(server.url).netloc, timeout=60)
        pid = server.status().pid
        cpu, begun = cpu_seconds(pid), time.perf_counter()
        for body in bodies:
            connection.request("POST", bulk.PATH, body, {"Content-Type": NDJSON})
            answer = connection.getresponse()
            answer.read()
            if answer.status != 200:
                raise RuntimeError(f"the search server answered {answer.status} to a bulk request")
        seconds = time.perf_counter() - begun
        return {
            "documents": len(operations),
            "per_second": len(operations) / seconds,
            "cpu": cpu_seconds(pid) - cpu,
        }
    finally:
        server.stop()


def _operations(payload: bytes) -> Iterator[Operation]:
    for record in read_records(orjson.loads(payload)):
        assert isinstance(record, Record)
        operation = project(record)
        if operation is not None:
            yield operation
