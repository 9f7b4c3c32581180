"""Costs are what the servers counted."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any
from urllib.parse import urlsplit

import pytest

from bench import costs
from bench.costs import Plant, folded
from bench.figures import Scale
from bench.meter import Meter
from bench.side import SideFailed
from bench.workload import Prepared
from shared.spec import Source

ANSWER = {
    "ConsumedCapacity": [
        {"CapacityUnits": 8.0, "GlobalSecondaryIndexes": {"i": {"CapacityUnits": 3.0}}},
        {"CapacityUnits": 4.0},
    ]
}


class Server(BaseHTTPRequestHandler):
    """Answers everything alike, and says what it was sent."""

    protocol_version = "HTTP/1.1"
    seen: list[tuple[str, bytes]]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.seen.append((self.path, body))
        content = json.dumps(ANSWER).encode()
        self.send_response_only(418)
        self.send_header("X-Own", "kept")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


@pytest.fixture
def server() -> Iterator[HTTPServer]:
    Server.seen = []
    with HTTPServer(("127.0.0.1", 0), Server) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def post(url: str, body: bytes, **headers: str) -> Any:
    connection = HTTPConnection(urlsplit(url).netloc, timeout=5)
    connection.request("POST", "/a?b=c", body, headers)
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    return answer.status, answer.getheader("X-Own"), json.loads(content)


def test_a_meter_passes_on_and_counts(server: HTTPServer) -> None:
    with Meter(f"http://127.0.0.1:{server.server_port}") as meter:
        assert post(meter.url, b"\x00raw") == (418, "kept", ANSWER)
        assert Server.seen == [("/a?b=c", b"\x00raw")]
        counted = meter.take()
        assert (counted.requests, counted.table_units) == (1, 0)
        target = {"X-Amz-Target": "DynamoDB_20120810.TransactWriteItems"}
        post(meter.url, b'{"TransactItems": []}', **target)
        asked = json.loads(Server.seen[-1][1])
        assert asked == {"TransactItems": [], "ReturnConsumedCapacity": "INDEXES"}
        counted = meter.take()
        assert (counted.requests, counted.table_units, counted.index_units) == (1, 9.0, 3.0)
        assert meter.take().requests == 0


def test_scores_fold_as_asked() -> None:
    records = folded(100, 10).event(0)["Records"]
    players = [record["dynamodb"]["Keys"]["SK"]["S"] for record in records]
    assert len(set(players)) == 10
    assert {players.count(player) for player in players} == {10}
    # Mixed, as players play: no ten of one player come in a row.
    assert players[:10] != players[:1] * 10
    again = folded(100, 10).event(0)["Records"]
    assert not {record["eventID"] for record in records} & {record["eventID"] for record in again}


@pytest.fixture(scope="module")
def plant() -> Iterator[Plant]:
    with costs.plant() as running:
        yield running


@pytest.mark.slow
def test_each_figure_is_of_something_that_was_written(plant: Plant) -> None:
    alone, ten = (costs.write_units(plant, folding) for folding in (1, 10))
    assert alone.value == 4.0
    assert ten.value == pytest.approx(2.2)
    assert (ten.at_most, ten.is_met) == (2.2, True)
    figures = {f.name: f for name in ("audit", "cache") for f in costs.requests(plant, name)}
    assert set(figures) == {"audit, requests", "audit, archive", "cache, requests"}
    assert figures["audit, requests"].value == 1
    assert figures["cache, requests"].value >= 1
    kept = figures["audit, archive"]
    # Compressed, and no less than some digits for each record.
    assert 20 < kept.value < kept.detail["delivered bytes/record"]
    assert kept.detail["delivered bytes/record"] > 2_000
    assert kept.detail["images/record"] > 1.5


def test_a_consumer_that_asks_nothing_is_no_cheap_one(
    plant: Plant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(costs, "prepared", lambda *_: Prepared((), Source.STREAM))
    with pytest.raises(SideFailed, match="asked nothing"):
        costs.requests(plant, "search")
    monkeypatch.setattr(costs, "folded", lambda *_: Prepared((), Source.STREAM))
    with pytest.raises(SideFailed, match="no write units"):
        costs.write_units(plant, 10)


@pytest.mark.slow
def test_the_short_form_covers_every_consumer() -> None:
    names = [figure.name for figure in costs.measure(Scale.SHORT)]
    assert len(names) == len(set(names)) == 2 + 5 + 1
