"""The sink against a real search server: what the index holds after each kind of write."""

from __future__ import annotations

import orjson
import pytest

from consumers.search import index
from consumers.search.connection import Connection
from consumers.search.projection import Operation
from consumers.search.setup import ensure_index
from consumers.search.sink import SearchSink
from shared.clock import Deadline
from shared.errors import Unavailable
from shared.runtime import WriteResult
from tests.support.engines import EMBEDDED
from tests.support.records import order
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


def operation(identity: str, version: int, *, own: bool = True, **fields: object) -> Operation:
    document = orjson.dumps({"orderId": identity, **fields})
    return Operation(identity, version, own, document)


def test_a_document_is_stored_under_the_orders_id_and_version(
    sink: SearchSink, search_url: str
) -> None:
    new = operation_of(None, order("o-1", version=3))
    assert write(sink, new) == WriteResult()
    assert stored(search_url) == {"o-1": (3, orjson.loads(new.document))}


def test_an_older_version_never_replaces_a_newer_one(sink: SearchSink, search_url: str) -> None:
    write(sink, operation("o-1", 5, status="SHIPPED"))
    assert write(sink, operation("o-1", 4, status="VALIDATED")) == WriteResult(conflicts=1)
    assert stored(search_url)["o-1"] == (5, {"orderId": "o-1", "status": "SHIPPED"})


def test_a_redelivery_is_counted_as_conflicts_and_is_no_failure(
    sink: SearchSink, search_url: str
) -> None:
    batch = [operation_of(None, order(name)) for name in ("o-1", "o-2", "o-3")]
    assert write(sink, *batch) == WriteResult()
    before = stored(search_url)
    assert write(sink, *batch) == WriteResult(conflicts=3)
    assert stored(search_url) == before


def test_a_late_replay_cannot_bring_a_removed_order_back(sink: SearchSink, search_url: str) -> None:
    states = [order("o-1", version=version) for version in (1, 2, 3)]
    write(sink, operation_of(states[2], None))
    late = [operation_of(None, states[0]), operation_of(states[0], states[1])]
    for repeat in (late, [operation_of(states[1], states[2])]):
        assert write(sink, *repeat).conflicts == 1
    version, source = stored(search_url)["o-1"]
    assert (version, source["deleted"]) == (4, True)


def test_a_removed_order_is_hidden_from_support(sink: SearchSink, search_url: str) -> None:
    write(sink, operation_of(None, order("o-1")), operation_of(None, order("o-2")))
    write(sink, operation_of(order("o-1"), None))
    assert set(stored(search_url)) == {"o-1", "o-2"}
    seen = ask_server(search_url, "POST", f"/{index.READ_ALIAS}/_search")["hits"]["hits"]
    assert [hit["_id"] for hit in seen] == ["o-2"]


def test_of_two_changes_with_one_time_the_later_write_wins(
    sink: SearchSink, search_url: str
) -> None:
    """Items without a version of their own: weaker, and the older time still loses."""
    for own, status in ((False, "A"), (False, "B")):
        assert write(sink, operation("o-1", 100, own=own, status=status)) == WriteResult()
    assert write(sink, operation("o-1", 99, own=False, status="C")).conflicts == 1
    assert stored(search_url)["o-1"] == (100, {"orderId": "o-1", "status": "B"})


def test_a_refused_document_is_the_only_one_refused(sink: SearchSink, search_url: str) -> None:
    batch = [operation(name, 1) for name in ("o-1", "o-2", "o-3")]
    batch[1] = operation("o-2", 1, createdAt="the 9th of October", name="Ada")
    result = write(sink, *batch)
    assert list(result.rejected) == [1]
    assert not result.unavailable
    assert result.rejected[1].reason.endswith("mapper_parsing_exception in createdAt")
    assert "October" not in str(result.rejected[1])
    assert set(stored(search_url)) == {"o-1", "o-3"}


def test_the_state_before_a_refused_one_is_kept(sink: SearchSink, search_url: str) -> None:
    good, bad = operation("o-1", 2), operation("o-1", 3, totalAmount="much")
    result = write(sink, operation("o-1", 1), good, bad)
    assert list(result.rejected) == [2]
    assert stored(search_url)["o-1"][0] == 2


def test_a_40_kb_name_is_stored_whole(sink: SearchSink, search_url: str) -> None:
    customer = {"name": "Ada " + "x" * 40_000, "email": "ada@example.org"}
    assert write(sink, operation_of(None, order("o-1", customer=customer))) == WriteResult()
    assert len(stored(search_url)["o-1"][1]["name"]) == 40_004


def test_a_term_that_the_projection_let_through_is_refused(
    sink: SearchSink, search_url: str, request: pytest.FixtureRequest
) -> None:
    """Such as one that grows past the limit when its letters are made small."""
    result = write(sink, operation("o-1", 1), operation("o-2", 1, status="x" * 40_000))
    if request.node.callspec.params["search_server"] == EMBEDDED:
        assert not result.rejected, "the embedded server takes terms of any length"
        return
    assert list(result.rejected) == [1]
    assert result.rejected[1].reason.endswith("a term over 32,766 bytes in status")
    assert set(stored(search_url)) == {"o-1"}


def test_an_id_of_any_characters_is_kept(sink: SearchSink, search_url: str) -> None:
    ids = ['"', "\\", "\n", "a/b?c=d", "é🦉", "-", "_doc", "x" * 512]
    assert write(sink, *(operation(name, 1) for name in ids)) == WriteResult()
    assert set(stored(search_url)) == set(ids)


def test_unknown_fields_do_not_grow_the_mapping(sink: SearchSink, search_url: str) -> None:
    write(sink, operation("o-1", 1, surprise={"a": 1}, other="x"))
    (mapping,) = ask_server(search_url, "GET", f"/{index.WRITE_ALIAS}/_mapping").values()
    assert set(mapping["mappings"]["properties"]) == set(index.FIELDS)


def test_a_missing_index_is_waited_for_and_not_made_up(sink: SearchSink, search_url: str) -> None:
    wipe(search_url)
    result = write(sink, operation("o-1", 1), operation("o-2", 1))
    assert list(result.unavailable) == [0]
    assert "index_not_found_exception" in result.unavailable[0].reason
    with pytest.raises(Unavailable):
        sink.probe(Deadline(20))
    ensure_index(search_url)
    assert write(sink, operation("o-1", 1)) == WriteResult()
    assert set(stored(search_url)) == {"o-1"}


@pytest.mark.parametrize(
    ("block", "kind"),
    [
        ("write", "403 (cluster_block_exception)"),
        ("read_only_allow_delete", "429 (cluster_block_exception)"),  # what a full disk does
    ],
)
def test_a_blocked_index_is_waited_for(
    sink: SearchSink, search_url: str, block: str, kind: str
) -> None:
    def set_block(value: bool | None) -> None:
        settings = {f"index.blocks.{block}": value}
        ask_server(search_url, "PUT", f"/{index.INDEX}/_settings", settings)

    set_block(True)
    try:
        result = write(sink, operation("o-1", 1))
        assert kind in result.unavailable[0].reason
        with pytest.raises(Unavailable):
            sink.probe(Deadline(20))
    finally:
        set_block(None)
    assert write(sink, operation("o-1", 1)) == WriteResult()


def test_a_closed_index_is_waited_for(sink: SearchSink, search_url: str) -> None:
    ask_server(search_url, "POST", f"/{index.INDEX}/_close")
    result = write(sink, operation("o-1", 1))
    assert "index_closed_exception" in result.unavailable[0].reason


def test_an_alias_without_a_write_index_is_waited_for(sink: SearchSink, search_url: str) -> None:
    aliases = {"add": {"alias": index.WRITE_ALIAS, "index": index.INDEX, "is_write_index": False}}
    ask_server(search_url, "POST", "/_aliases", {"actions": [aliases]})
    result = write(sink, operation("o-1", 1))
    assert "illegal_argument_exception" in result.unavailable[0].reason


def test_the_probe_leaves_nothing(sink: SearchSink, search_url: str) -> None:
    for _ in range(2):
        sink.probe(Deadline(20))
    assert stored(search_url) == {}


def test_the_probe_harms_no_order_of_its_name(sink: SearchSink, search_url: str) -> None:
    write(sink, operation("-", 1))
    sink.probe(Deadline(20))
    assert stored(search_url) == {"-": (1, {"orderId": "-"})}


def test_a_large_batch_goes_in_several_requests(
    sink: SearchSink, search_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("consumers.search.bulk.MAX_BYTES", 2_000)
    batch = [operation_of(None, order(f"o-{number}")) for number in range(20)]
    assert write(sink, *batch) == WriteResult()
    assert len(stored(search_url)) == 20


def test_a_server_that_is_gone_is_unavailable() -> None:
    sink = SearchSink(Connection("http://127.0.0.1:1"))
    result = write(sink, operation("o-1", 1), operation("o-2", 1))
    assert list(result.unavailable) == [0]
    assert "did not answer" in result.unavailable[0].reason
