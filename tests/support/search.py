"""A search server in tests: the embedded one, and the real one. The tests wipe its order index."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from consumers.search import index
from consumers.search.connection import Connection
from consumers.search.json_api import ask, connected
from consumers.search.projection import Operation, project
from consumers.search.setup import ensure_index
from consumers.search.sink import SearchSink
from consumers.search.state import documents, refresh
from shared.clock import Deadline
from shared.envelopes import read_records
from shared.records import Record
from shared.runtime import WriteResult
from tests.support.engines import ENGINES, chosen
from tests.support.records import Raw, event, kinesis_record


@pytest.fixture(scope="session", params=ENGINES)
def search_server(request: pytest.FixtureRequest) -> str:
    """URL of the embedded search server, and then of the real one."""
    return str(chosen(request).endpoints.search_url)


@pytest.fixture
def search_url(search_server: str) -> str:
    """URL of a search server with an order index that is there and empty."""
    wipe(search_server)
    ensure_index(search_server)
    return search_server


def wipe(url: str) -> None:
    """Remove every order index and its template."""
    with connected(url) as connection:
        connection.request("DELETE", f"/{index.READ_ALIAS}-*?expand_wildcards=all", seconds=30)
        connection.request("DELETE", f"/_index_template/{index.TEMPLATE}", seconds=30)


@pytest.fixture
def sink(search_url: str) -> Iterator[SearchSink]:
    """The sink on that index."""
    connection = Connection(search_url)
    yield SearchSink(connection)
    connection.close()


def record_of(raw: Raw) -> Record:
    """The record in a delivered entry."""
    (record,) = read_records(event(raw))
    assert isinstance(record, Record)
    return record


def operation_of(old: dict[str, Any] | None, new: dict[str, Any] | None) -> Operation:
    """What a change of an order asks for."""
    operation = project(record_of(kinesis_record(old, new)))
    assert operation is not None
    return operation


def write(sink: SearchSink, *operations: Operation) -> WriteResult:
    """Write with plenty of time."""
    return sink.write(operations, Deadline(60))


def stored(url: str) -> dict[str, tuple[int, dict[str, Any]]]:
    """Everything in the index: id -> (version, source)."""
    refresh(url)
    return {document.id: (document.version, document.source) for document in documents(url)}


def ask_server(url: str, method: str, path: str, content: Any = None) -> Any:
    """A request of a test's own."""
    with connected(url) as connection:
        return ask(connection, method, path, content)
