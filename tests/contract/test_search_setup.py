"""Creating the index, keeping it, and looking into it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from itertools import islice

import pytest

from consumers.search import index
from consumers.search.projection import Operation
from consumers.search.purge import purge
from consumers.search.setup import ensure_index
from consumers.search.sink import SearchSink
from consumers.search.state import PAGE, documents, refresh
from shared.errors import Rejected, Unavailable
from tests.support.records import CREATED, order
from tests.support.search import (
    ask_server,
    operation_of,
    search_server,
    search_url,
    sink,
    stored,
    wipe,
    write,
)

__all__ = ["search_server", "search_url", "sink"]


def aliases(url: str) -> dict[str, dict[str, object]]:
    return ask_server(url, "GET", f"/{index.INDEX}/_alias")[index.INDEX]["aliases"]


def test_a_second_run_keeps_what_is_there(sink: SearchSink, search_url: str) -> None:
    write(sink, operation_of(None, order("o-1")))
    ensure_index(search_url)
    assert set(stored(search_url)) == {"o-1"}
    assert set(aliases(search_url)) == {index.READ_ALIAS, index.WRITE_ALIAS}


def test_runs_at_the_same_time_do_not_disturb_each_other(search_server: str) -> None:
    wipe(search_server)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(ensure_index, [search_server] * 4))
    assert set(aliases(search_server)) == {index.READ_ALIAS, index.WRITE_ALIAS}


def test_an_index_that_lost_its_aliases_gets_them_back(search_url: str) -> None:
    actions = [
        {"remove": {"index": index.INDEX, "alias": alias}}
        for alias in (index.READ_ALIAS, index.WRITE_ALIAS)
    ]
    ask_server(search_url, "POST", "/_aliases", {"actions": actions})
    ensure_index(search_url)
    assert aliases(search_url)[index.WRITE_ALIAS] == {"is_write_index": True}
    assert "filter" in aliases(search_url)[index.READ_ALIAS]


def test_an_index_of_another_name_behind_the_alias_is_taken(search_url: str) -> None:
    """As after a rebuild under a new name."""
    wipe(search_url)
    ask_server(search_url, "PUT", "/_index_template/" + index.TEMPLATE, index.template())
    ask_server(search_url, "PUT", "/orders-000002", {})
    ensure_index(search_url)
    assert list(ask_server(search_url, "GET", f"/_alias/{index.WRITE_ALIAS}")) == ["orders-000002"]


def test_new_fields_are_added_to_an_old_index(
    search_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(index.FIELDS, "country", {"type": "keyword"})
    ensure_index(search_url)
    mapping = ask_server(search_url, "GET", f"/{index.INDEX}/_mapping")[index.INDEX]["mappings"]
    assert mapping["properties"]["country"] == {"type": "keyword"}
    assert mapping["dynamic"] == "false"


def test_a_field_of_another_type_is_not_overwritten(
    search_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(index.FIELDS, "status", {"type": "text"})
    with pytest.raises(Rejected, match="illegal_argument_exception"):
        ensure_index(search_url)


def test_two_indexes_behind_the_write_alias_are_refused(search_url: str) -> None:
    wipe(search_url)
    for name in ("orders-a", "orders-b"):
        ask_server(search_url, "PUT", f"/{name}", {"aliases": {index.WRITE_ALIAS: {}}})
    with pytest.raises(Rejected, match="points to 2 indexes: orders-a, orders-b"):
        ensure_index(search_url)


def test_without_a_server_the_error_says_what_to_look_at() -> None:
    with pytest.raises(Unavailable, match="FANOUT_SEARCH_URL"):
        ensure_index("http://127.0.0.1:1")


def test_everything_is_streamed_page_by_page(sink: SearchSink, search_url: str) -> None:
    number = 2 * PAGE + 3
    operations = [operation_of(None, order(f"o-{i}", version=i + 1)) for i in range(number - 1)]
    write(sink, *operations, operation_of(order("gone"), None))
    # By another hand, and without any of our fields.
    ask_server(search_url, "PUT", f"/{index.INDEX}/_doc/stranger?refresh=true", {})
    found = list(documents(search_url))
    assert len(found) == number + 1
    assert {document.id: document.version for document in found} == {
        "stranger": 1,
        "gone": 2,
        **{f"o-{i}": i + 1 for i in range(number - 1)},
    }


def test_a_stream_shows_one_moment(sink: SearchSink, search_url: str) -> None:
    write(sink, *(operation_of(None, order(f"o-{i}")) for i in range(PAGE + 1)))
    refresh(search_url)
    stream = documents(search_url)
    first = list(islice(stream, PAGE))
    write(sink, *(operation_of(order(f"o-{i}"), None) for i in range(PAGE + 1)))
    refresh(search_url)
    assert all("deleted" not in document.source for document in [*first, *stream])


def test_an_empty_index_streams_nothing(search_url: str) -> None:
    assert list(documents(search_url)) == []


def test_a_missing_index_is_no_empty_stream(search_server: str) -> None:
    wipe(search_server)
    with pytest.raises(Unavailable, match="404"):
        next(documents(search_server))


def test_old_tombstones_are_purged_and_nothing_else(sink: SearchSink, search_url: str) -> None:
    write(
        sink,
        operation_of(None, order("alive")),
        Operation("odd", 1, True, b'{"orderId":"odd","deletedAt":0}'),
        operation_of(order("gone"), None),
        operation_of(order("back"), None),
    )
    write(sink, operation_of(None, order("back", version=3)))
    refresh(search_url)
    assert purge(search_url, CREATED * 1000) == 0
    assert purge(search_url, CREATED * 1000 + 1) == 1
    assert set(stored(search_url)) == {"alive", "back", "odd"}
    assert purge(search_url, CREATED * 1000 + 1) == 0
