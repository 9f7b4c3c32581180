"""Each kind of damage to a projection that was whole: `verify` names the item and exits 1."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from redis import Redis

from consumers.search import index
from infra.local.servers import LocalServers
from ops.traffic import orders
from shared.archive import Archive, Change
from shared.cache_keys import Cached, entry_name, value_key
from shared.clients import aws_client
from shared.encoding import encode_image
from tests.support import archive, search
from tests.support.small_pipeline import SmallPipeline, small_pipeline
from tests.support.verifying import (
    an_order,
    found_by,
    lived_in,
    reads_of,
    servers_for_a_module,
    verify,
)

servers = pytest.fixture(scope="module")(servers_for_a_module)


@pytest.fixture
def pipeline(servers: LocalServers, tmp_path: Path) -> Iterator[SmallPipeline]:
    with small_pipeline(servers, tmp_path / "state") as made:
        lived_in(made)
        yield made


def index_request(pipeline: SmallPipeline, method: str, path: str, content: Any = None) -> Any:
    url = pipeline.deployment.search_url
    return search.ask_server(url, method, f"/{index.INDEX}/{path}", content)


def test_a_document_deleted(pipeline: SmallPipeline) -> None:
    order = an_order(pipeline)
    index_request(pipeline, "DELETE", f"_doc/{order['orderId']}")
    assert found_by(verify(pipeline)) == {("search", f"{order['PK']}|ORDER", "missing")}


def test_a_document_of_an_older_version(pipeline: SmallPipeline) -> None:
    order = an_order(pipeline)
    before = orders.edit(order, random.Random(1))
    pipeline.table.replace(order, before)
    assert pipeline.deliver(only=("audit", "metrics", "cache", "totals")) == 1
    (finding,) = verify(pipeline)["search"]["findings"]
    version = int(before["metadata"]["version"])
    assert finding["item"] == f"{order['PK']}|ORDER"
    assert finding["damage"] == "stale"
    assert f"version {version - 1}, the table version {version}" in finding["detail"]


def test_a_document_with_another_content(pipeline: SmallPipeline) -> None:
    order = an_order(pipeline)
    stored = index_request(pipeline, "GET", f"_doc/{order['orderId']}")
    version = f"version={stored['_version']}&version_type=external_gte"
    document = {**stored["_source"], "city": "Nowhere"}
    index_request(pipeline, "PUT", f"_doc/{order['orderId']}?{version}", document)
    results = verify(pipeline)
    assert found_by(results) == {("search", f"{order['PK']}|ORDER", "stale")}
    assert "has other city" in results["search"]["findings"][0]["detail"]
    assert "Nowhere" not in json.dumps(results), "what stands in a document may be personal"


def test_a_document_of_no_order(pipeline: SmallPipeline) -> None:
    index_request(pipeline, "PUT", "_doc/ghost-1", {"orderId": "ghost-1"})
    assert found_by(verify(pipeline)) == {("search", "ORDER#ghost-1|ORDER", "ghost")}


def test_a_removed_order_that_is_shown_again(pipeline: SmallPipeline) -> None:
    order = an_order(pipeline)
    pipeline.table.replace(order, None)
    pipeline.settle()
    assert found_by(verify(pipeline)) == set()
    index_request(pipeline, "PUT", f"_doc/{order['orderId']}", {"orderId": order["orderId"]})
    assert found_by(verify(pipeline)) == {("search", f"{order['PK']}|ORDER", "ghost")}


def test_an_order_hidden_by_a_tombstone(pipeline: SmallPipeline) -> None:
    order = an_order(pipeline)
    index_request(pipeline, "POST", f"_update/{order['orderId']}", {"doc": {"deleted": True}})
    assert found_by(verify(pipeline)) == {("search", f"{order['PK']}|ORDER", "missing")}


def test_an_order_that_cannot_be_indexed(pipeline: SmallPipeline) -> None:
    order = an_order(pipeline)
    broken = orders.edit(order, random.Random(1)) | {"totalAmount": "a lot"}
    pipeline.table.replace(order, broken)
    pipeline.settle()
    (finding,) = verify(pipeline, "--only", "search")["search"]["findings"]
    assert (finding["item"], finding["damage"]) == (f"{order['PK']}|ORDER", "stale")
    assert "totalAmount" in finding["detail"]


def changes_in(pipeline: SmallPipeline) -> dict[str, list[Change]]:
    """Archived changes by their object."""
    found: dict[str, list[Change]] = {}
    for entry in Archive(pipeline.deployment.bucket).read():
        assert isinstance(entry, Change)
        found.setdefault(entry.object_key, []).append(entry)
    return found


@pytest.mark.parametrize("place", [0, 1, -1])
def test_an_archive_object_deleted(pipeline: SmallPipeline, place: int) -> None:
    by_object = changes_in(pipeline)
    assert len(by_object) >= 3
    gone = list(by_object)[place]
    archive.remove(pipeline.deployment.bucket, gone)
    remaining = {c.item_key for key, made in by_object.items() if key != gone for c in made}
    # An item of which nothing is left, neither in the table nor in the archive, nobody can miss.
    kept = set(keys_of(pipeline)) | remaining
    expected = {"|".join(c.item_key) for c in by_object[gone] if c.item_key in kept}
    findings = verify(pipeline)["audit"]["findings"]
    assert {finding["item"] for finding in findings} == expected
    assert {f["damage"] for f in findings} <= {"gap", "stale", "missing", "ghost"}


def keys_of(pipeline: SmallPipeline) -> Iterator[tuple[str, str]]:
    client = aws_client("dynamodb")
    for item in client.scan(TableName=pipeline.deployment.table)["Items"]:
        yield item["PK"]["S"], item["SK"]["S"]


def test_an_archive_object_with_other_bytes(pipeline: SmallPipeline) -> None:
    bucket = pipeline.deployment.bucket
    key = archive.keys_in(bucket)[0]
    archive.put(bucket, key, archive.body_of(bucket, key)[:-7] + b"damaged")
    findings = verify(pipeline)["audit"]["findings"]
    assert [f["item"] for f in findings if f["damage"] == "corrupt"] == [key]
    # What was in it is missed, as if it were gone.
    assert {f["damage"] for f in findings} > {"corrupt"}


def update(
    pipeline: SmallPipeline, table: str, key: dict[str, str], change: str, value: Any
) -> None:
    aws_client("dynamodb").update_item(
        TableName=table,
        Key=encode_image(key),
        UpdateExpression=change,
        ExpressionAttributeNames={"#n": "total"} if "#n" in change else {"#v": "value"},
        ExpressionAttributeValues=encode_image({":x": value}),
    )


def a_score(pipeline: SmallPipeline) -> tuple[str, str]:
    """(PK, SK) of a score that exists."""
    return next(key for key in sorted(keys_of(pipeline)) if key[0].startswith("SCORE#"))


def test_a_total_changed(pipeline: SmallPipeline) -> None:
    user = a_score(pipeline)[1].removeprefix("USER#")
    key = {"PK": f"TOTAL#{user}", "SK": "TOTAL"}
    update(pipeline, pipeline.deployment.table, key, "SET #n = #n + :x", 1)
    pipeline.settle()
    assert found_by(verify(pipeline)) == {("totals", f"TOTAL#{user}|TOTAL", "wrong")}


def test_a_total_deleted(pipeline: SmallPipeline) -> None:
    user = a_score(pipeline)[1].removeprefix("USER#")
    key = {"PK": f"TOTAL#{user}", "SK": "TOTAL"}
    table = pipeline.deployment.table
    aws_client("dynamodb").delete_item(TableName=table, Key=encode_image(key))
    pipeline.settle()
    assert found_by(verify(pipeline)) == {("totals", f"TOTAL#{user}|TOTAL", "missing")}


def test_a_ledger_entry_changed(pipeline: SmallPipeline) -> None:
    name = "|".join(a_score(pipeline))
    key = {"PK": f"APPLIED#{name}"}
    update(pipeline, pipeline.deployment.ledger_table, key, "SET #v = #v + :x", 1)
    assert found_by(verify(pipeline)) == {("totals", name, "wrong")}


def test_a_ledger_entry_deleted(pipeline: SmallPipeline) -> None:
    name = "|".join(a_score(pipeline))
    ledger = pipeline.deployment.ledger_table
    key = encode_image({"PK": f"APPLIED#{name}"})
    aws_client("dynamodb").delete_item(TableName=ledger, Key=key)
    assert found_by(verify(pipeline)) == {("totals", name, "missing")}


@pytest.mark.parametrize("name", ["SCORE#ghost|USER#player-000", "SHA256#0123", "%7C|"])
def test_a_live_ledger_entry_of_no_score(pipeline: SmallPipeline, name: str) -> None:
    entry = {
        "PK": f"APPLIED#{name}",
        "user": "player-000",
        "value": 5,
        "version": 1,
        "live": True,
    }
    ledger = pipeline.deployment.ledger_table
    aws_client("dynamodb").put_item(TableName=ledger, Item=encode_image(entry))
    assert found_by(verify(pipeline)) == {("totals", name, "ghost")}


def test_a_score_that_cannot_be_added_up(pipeline: SmallPipeline) -> None:
    key = a_score(pipeline)
    score = pipeline.table.read(key)
    assert score is not None
    broken = {**score, "Score": "many", "version": score["version"] + 1}
    pipeline.table.replace(score, broken)
    pipeline.settle()
    findings = found_by(verify(pipeline, "--only", "totals"))
    assert ("totals", "|".join(key), "wrong") in findings


def test_an_item_written_behind_its_back(pipeline: SmallPipeline) -> None:
    order, score_key = an_order(pipeline), a_score(pipeline)
    score = pipeline.table.read(score_key)
    assert score is not None
    pipeline.table.replace(order, orders.edit(order, random.Random(2)))
    pipeline.table.replace(score, {**score, "Score": 77777, "version": score["version"] + 1})
    assert pipeline.skip() == 2
    user = score_key[1].removeprefix("USER#")
    assert found_by(verify(pipeline)) == {
        ("audit", f"{order['PK']}|ORDER", "stale"),
        ("audit", "|".join(score_key), "stale"),
        ("search", f"{order['PK']}|ORDER", "stale"),
        ("totals", "|".join(score_key), "stale"),
        ("totals", f"TOTAL#{user}|TOTAL", "wrong"),
    }


def test_items_made_and_removed_behind_its_back(pipeline: SmallPipeline) -> None:
    order, score_key = an_order(pipeline), a_score(pipeline)
    score = pipeline.table.read(score_key)
    assert score is not None
    fresh = {**order, "PK": "ORDER#secret", "orderId": "secret"}
    pipeline.table.create(fresh)
    pipeline.table.replace(order, None)
    pipeline.table.replace(score, None)
    assert pipeline.skip() == 3
    user = score_key[1].removeprefix("USER#")
    found = found_by(verify(pipeline))
    assert found >= {
        ("audit", "ORDER#secret|ORDER", "missing"),
        ("audit", f"{order['PK']}|ORDER", "ghost"),
        ("audit", "|".join(score_key), "ghost"),
        ("search", "ORDER#secret|ORDER", "missing"),
        ("search", f"{order['PK']}|ORDER", "ghost"),
        ("totals", "|".join(score_key), "ghost"),
        ("totals", f"TOTAL#{user}|TOTAL", "wrong"),
    }
    assert len(found) == 7


def test_a_stale_cache_entry(pipeline: SmallPipeline) -> None:
    order, reads = an_order(pipeline), reads_of(pipeline)
    assert reads.order(order["orderId"]) == order
    pipeline.table.replace(order, orders.edit(order, random.Random(3)))
    pipeline.deliver(only=("audit", "metrics", "search", "totals"))
    results = verify(pipeline)
    assert found_by(results) == {("cache", f"order:{order['orderId']}", "stale")}
    assert "example.org" not in json.dumps(results)


def test_cache_entries_of_every_kind(pipeline: SmallPipeline) -> None:
    order, reads = an_order(pipeline), reads_of(pipeline)
    score_key = a_score(pipeline)
    score_id, user = score_key[0].removeprefix("SCORE#"), score_key[1].removeprefix("USER#")
    reads.order(order["orderId"])
    reads.customer_orders(order["customerId"])
    reads.score(score_id)
    reads.total(user)
    reads.score("no-such-score")
    results = verify(pipeline)
    assert found_by(results) == set()
    cached = results["cache"]["checked"]
    assert cached >= 5
    # The same changes, and none of them reaches the cache.
    moved = {**orders.edit(order, random.Random(4)), "customerId": "cust-moved"}
    pipeline.table.replace(order, moved)
    score = pipeline.table.read(score_key)
    assert score is not None
    pipeline.table.replace(score, {**score, "Score": 1, "version": score["version"] + 1})
    pipeline.table.create({**score, "PK": "SCORE#no-such-score", "version": 1})
    while pipeline.deliver(only=("audit", "metrics", "search", "totals")):
        pass
    assert found_by(verify(pipeline)) == {
        ("cache", entry_name(Cached.ORDER, order["orderId"]), "stale"),
        ("cache", entry_name(Cached.CUSTOMER_ORDERS, order["customerId"]), "stale"),
        ("cache", entry_name(Cached.SCORE, score_id), "stale"),
        ("cache", entry_name(Cached.SCORE, "no-such-score"), "stale"),
        ("cache", entry_name(Cached.TOTAL, user), "stale"),
    }


def test_cache_entries_that_no_reader_made(pipeline: SmallPipeline) -> None:
    with Redis.from_url(pipeline.deployment.cache_url) as cache:
        cache.set(value_key("order:gone"), orjson.dumps({"PK": {"S": "ORDER#gone"}}))
        cache.set(value_key("order:odd"), b"\x80 no JSON")
        cache.set(value_key("score:odd"), b'"text"')
        cache.set("another application's", b"whatever")
        cache.set("{not:ours}", b"whatever")
    assert found_by(verify(pipeline)) == {
        ("cache", "order:gone", "ghost"),
        ("cache", "order:odd", "corrupt"),
        ("cache", "score:odd", "ghost"),
    }


def business_lines(log: Path) -> list[bytes]:
    lines = log.read_bytes().splitlines(keepends=True)
    return [line for line in lines if b'"Fanout/Business"' in line]


def test_a_metrics_document_removed(pipeline: SmallPipeline) -> None:
    log = pipeline.logs / "metrics.log"
    gone = business_lines(log)[2]
    log.write_bytes(log.read_bytes().replace(gone, b"", 1))
    expected = {("metrics", item, "missing") for item in orjson.loads(gone)["items"]}
    assert found_by(verify(pipeline)) == expected


def test_a_metrics_value_changed(pipeline: SmallPipeline) -> None:
    log = pipeline.logs / "metrics.log"
    line = next(line for line in business_lines(log) if b'"ScoreValue"' in line)
    document = orjson.loads(line)
    values = document["ScoreValue"]
    first = values if isinstance(values, list) else [values]
    document["ScoreValue"] = [first[0] + 1, *first[1:]]
    log.write_bytes(log.read_bytes().replace(line, orjson.dumps(document) + b"\n", 1))
    assert found_by(verify(pipeline)) == {("metrics", document["items"][0], "wrong")}


def test_metrics_of_changes_that_never_were(pipeline: SmallPipeline) -> None:
    log = pipeline.logs / "metrics.log"
    document = orjson.loads(business_lines(log)[0])
    document["eventIds"] = [f"invented-{number}" for number in range(len(document["items"]))]
    with log.open("ab") as end:
        end.write(orjson.dumps(document) + b"\n")
    expected = {("metrics", item, "wrong") for item in document["items"]}
    assert found_by(verify(pipeline)) == expected


def test_a_document_of_metrics_that_is_none_of_ours(pipeline: SmallPipeline) -> None:
    log = pipeline.logs / "metrics.log"
    document = orjson.loads(business_lines(log)[0])
    del document["eventIds"]
    with log.open("ab") as end:
        end.write(orjson.dumps(document) + b"\n")
    (finding,) = verify(pipeline)["metrics"]["findings"]
    assert finding["damage"] == "corrupt"


def test_metrics_printed_twice_are_explained(pipeline: SmallPipeline) -> None:
    log = pipeline.logs / "metrics.log"
    repeated = business_lines(log)[0]
    with log.open("ab") as end:
        end.write(repeated)
    results = verify(pipeline)
    assert found_by(results) == set()
    assert "printed twice" in results["metrics"]["note"]
