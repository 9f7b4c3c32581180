"""Bad input ends whole in the queue of just the consumers that cannot use it; the rest goes on."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from consumers.registry import REGISTRY
from infra.local.servers import LocalServers
from shared.clients import aws_client
from shared.spec import Source
from tests.support.records import kinesis_entry, kinesis_record, order, score, stream_record
from tests.support.small_pipeline import SmallPipeline, small_pipeline

ALL = {"audit", "metrics", "cache", "search", "totals"}
Raw = dict[str, Any]
# Makes a record of the bad kind, for a consumer of that source.
Bad = Callable[[Source], Raw]


def _spoilt(item: Raw, spoil: Callable[[Raw], object]) -> Bad:
    """The INSERT of an item whose payload was spoilt."""

    def make(source: Source) -> Raw:
        record = stream_record(None, item, sequence=7, event_id="bad")
        if source is Source.STREAM:
            spoil(record)
            return record
        entry = kinesis_record(None, item, sequence=7, event_id="bad")
        payload = {**record, "tableName": "fanout", "userIdentity": None}
        del payload["dynamodb"]["SequenceNumber"]
        spoil(payload)
        data = kinesis_entry(json.dumps(payload).encode(), sequence=7)["kinesis"]["data"]
        entry["kinesis"]["data"] = data
        return entry

    return make


def _new(**attributes: Any) -> Callable[[Raw], object]:
    return lambda record: record["dynamodb"]["NewImage"].update(attributes)


def _without(name: str) -> Callable[[Raw], object]:
    return lambda record: record["dynamodb"].pop(name)


def _envelope(data: bytes) -> Bad:
    """A record whose bytes carry no change; a stream's record without its change."""

    def make(source: Source) -> Raw:
        if source is not Source.STREAM:
            return kinesis_entry(data, sequence=7)
        return {"eventSource": "aws:dynamodb", "eventName": "INSERT", "dynamodb": "damaged"}

    return make


def _no_base64(source: Source) -> Raw:
    entry = _envelope(b"")(source)
    if source is not Source.STREAM:
        entry["kinesis"]["data"] = "no*base64"
    return entry


_ORDER, _SCORE = order("bad"), score("bad")
CASES: dict[str, tuple[Bad, set[str]]] = {
    "totalAmount is a string": (
        _spoilt(_ORDER, _new(totalAmount={"S": "12.50 EUR"})),
        {"metrics", "search"},
    ),
    "Score is a string": (_spoilt(_SCORE, _new(Score={"S": "high"})), {"metrics", "totals"}),
    "no keys": (_spoilt(_ORDER, _without("Keys")), ALL),
    "no key attribute SK": (
        _spoilt(_SCORE, lambda record: record["dynamodb"]["Keys"].pop("SK")),
        {"audit", "totals"},
    ),
    "a binary that is no base64": (_spoilt(_ORDER, _new(photo={"B": "no*base64"})), set()),
    "an unknown type where nobody reads": (_spoilt(_ORDER, _new(mark={"XX": "a"})), set()),
    "an unknown type in the status": (
        _spoilt(_ORDER, _new(status={"XX": "a"})),
        {"metrics", "search"},
    ),
    "an unknown type in the score": (
        _spoilt(_SCORE, _new(Score={"XX": "1"})),
        {"metrics", "totals"},
    ),
    "a term of 40 kB": (_spoilt(_ORDER, _new(paymentMethod={"S": "x" * 40_000})), {"metrics"}),
    "an id of 40 kB in what support looks for": (
        _spoilt(_ORDER, _new(customerId={"S": "x" * 40_000})),
        {"search"},
    ),
    "a version that is none": (
        _spoilt(_SCORE, _new(version={"N": "-3"})),
        {"totals"},
    ),
    "an order without images": (
        _spoilt(_ORDER, _without("NewImage")),
        {"metrics", "cache", "search"},
    ),
    "a score without images": (
        _spoilt(_SCORE, _without("NewImage")),
        {"metrics", "totals"},
    ),
    "an eventName that is none": (
        _spoilt(_ORDER, lambda record: record.update(eventName="UPSERT")),
        ALL,
    ),
    "bytes that are no base64": (_no_base64, ALL),
    "bytes that are no UTF-8": (_envelope(b"\xff\xfe\x00"), ALL),
    "bytes that are no JSON": (_envelope(b'{"dynamodb": '), ALL),
    "JSON that is no change": (_envelope(b'{"hello": "world"}'), ALL),
}


@pytest.fixture(scope="module")
def pipeline(
    servers: LocalServers, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[SmallPipeline]:
    with small_pipeline(servers, tmp_path_factory.mktemp("bad-input")) as made:
        yield made


def parked(pipeline: SmallPipeline, consumer: str) -> list[Raw]:
    """Take everything out of a consumer's queue."""
    url = pipeline.deployment.queue_urls[consumer]
    found: list[Raw] = []
    while (
        messages := aws_client("sqs")
        .receive_message(QueueUrl=url, MaxNumberOfMessages=10)
        .get("Messages")
    ):
        for message in messages:
            found.append(json.loads(message["Body"]))
            aws_client("sqs").delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    return found


@pytest.mark.parametrize("case", CASES)
def test_only_who_cannot_use_it_parks_it(pipeline: SmallPipeline, case: str) -> None:
    make, cannot_use = CASES[case]
    who = set()
    for spec in REGISTRY:
        around = stream_record if spec.source is Source.STREAM else kinesis_record
        bad = make(spec.source)
        pipeline.invoke(
            spec.name,
            around(None, order(f"before-{case}"), sequence=1, event_id=f"1-{case}"),
            bad,
            around(None, score(f"after-{case}"), sequence=9, event_id=f"9-{case}"),
        )
        for message in parked(pipeline, spec.name):
            who.add(message["consumer"])
            assert message["consumer"] == spec.name
            assert message["record"] == bad, "the whole record, as it came"
            assert message["error"]["reason"]
            assert message["error"]["hint"], "says what to do"
    assert who == cannot_use


@pytest.mark.parametrize("event", [{}, {"Records": 1}, {"Records": [{"body": "x"}]}, [], None])
def test_what_is_no_event_is_parked_by_all(pipeline: SmallPipeline, event: Any) -> None:
    for spec in REGISTRY:
        assert pipeline.invoke_with(spec.name, event) == {"batchItemFailures": []}
        (message,) = parked(pipeline, spec.name)
        assert message["event"] == event
        assert message["error"]["type"] == "NotAStream"
        assert "event source mapping" in message["error"]["hint"] or message["error"]["hint"]


def test_what_is_too_big_for_the_queue_is_parked_whole(
    pipeline: SmallPipeline, tmp_path: Path
) -> None:
    del tmp_path
    bad = _spoilt(_ORDER, _new(totalAmount={"S": "x"}, note={"S": "y" * 390_000}))(Source.KINESIS)
    pipeline.invoke("search", bad)
    (message,) = parked(pipeline, "search")
    assert "record" not in message
    place = message["pointer"]
    kept = aws_client("s3").get_object(Bucket=place["bucket"], Key=place["key"])["Body"].read()
    assert json.loads(kept)["record"] == bad
