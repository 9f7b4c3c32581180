"""Damaged and hostile records through the real handlers, on the embedded servers.

Whatever is in a batch: the handler answers that all is done, every record is written, of no concern
or parked whole, and the good ones among them have reached their destination.
"""

import itertools
import json
from collections import Counter
from collections.abc import Iterator
from importlib import import_module
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from redis import Redis

from consumers.registry import REGISTRY
from infra.local.servers import LocalServers
from shared.archive_compression import lines_of
from shared.archive_format import from_line
from shared.cache_keys import value_key
from shared.clients import aws_client
from shared.envelopes import Unreadable, read_records
from shared.errors import Malformed, NotAStream
from shared.payloads import payload_decoder
from shared.spec import Source
from tests.fuzz.account import parked_record
from tests.fuzz.material import Batch, with_good
from tests.support import strategies
from tests.support.archive import body_of, keys_in
from tests.support.search import ask_server
from tests.support.small_pipeline import SmallPipeline, small_pipeline

# Names of good records: none twice, also when an example is tried again.
_serials = itertools.count(10_000, 10)
_SETTINGS = settings(
    max_examples=30,
    # The same examples in every run; `make fuzz` looks for new ones.
    derandomize=True,
    deadline=None,
    # Shrinking repeats batches on servers; the seed of the bulk run is the quicker way to a cause.
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


@pytest.fixture(scope="module")
def pipeline(
    servers: LocalServers, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[SmallPipeline]:
    with small_pipeline(servers, tmp_path_factory.mktemp("bad-records")) as made:
        yield made


class Destination:
    """What has arrived, of one consumer, since it was last asked."""

    def __init__(self, pipeline: SmallPipeline, name: str) -> None:
        self._pipeline = pipeline
        self._name = name
        self._ends = pipeline.deployment
        self._seen = set(keys_in(self._ends.bucket)) if name == "audit" else set()
        self._log = pipeline.logs / f"{name}.log"
        self._printed = self._log.stat().st_size

    def prepare(self, good: str) -> None:
        if self._name == "cache":
            with Redis.from_url(self._ends.cache_url) as cache:
                cache.set(value_key(good), b"stale")

    def holds(self, good: str) -> bool:
        ends = self._ends
        match self._name:
            case "audit":
                keys = [
                    key
                    for key in keys_in(ends.bucket)
                    if key not in self._seen and key.startswith("audit/")
                ]
                lines = (line for key in keys for line in lines_of(body_of(ends.bucket, key)))
                return good in {from_line(line)["eventID"] for line in lines}
            case "metrics":
                printed = self._log.read_bytes()[self._printed :]
                return good in {
                    event_id
                    for line in printed.splitlines()
                    for event_id in json.loads(line).get("eventIds", ())
                }
            case "cache":
                with Redis.from_url(ends.cache_url) as cache:
                    return not cache.exists(value_key(good))
            case "search":
                found = ask_server(ends.search_url, "GET", f"/orders-000001/_doc/{good}")
                return bool(found["found"])
            case "totals":
                key = {"PK": {"S": good}}
                ledger = ends.ledger_table
                return "Item" in aws_client("dynamodb").get_item(TableName=ledger, Key=key)
        raise LookupError(f"say here how one sees what {self._name} has written")


def messages(pipeline: SmallPipeline, consumer: str) -> list[str]:
    """Take everything out of a consumer's queue, as text; what lies in S3 from there."""
    sqs, url = aws_client("sqs"), pipeline.deployment.queue_urls[consumer]
    found: list[str] = []
    while got := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
        for message in got:
            text = message["Body"]
            if '"pointer"' in text[-2_000:] and ',"record":' not in text:
                place = json.loads(text)["pointer"]
                text = body_of(place["bucket"], place["key"]).decode()
            found.append(text)
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    return found


def expected(name: str, batch: Batch) -> tuple[Counter[str], Counter[str]]:
    """(records that must be parked, records that may be, since their destination decides).

    What a consumer does not read may be damaged: tests/property/test_payloads.py has the limits.
    """
    project = import_module(f"consumers.{name}.projection").project
    (spec,) = (spec for spec in REGISTRY if spec.name == name)
    decode = None if spec.source is Source.STREAM else payload_decoder(spec.reads, spec.reads_old)
    must, may = Counter[str](), Counter[str]()
    records = read_records({"Records": batch.entries}, decode)
    for record, text in zip(records, batch.texts, strict=True):
        if isinstance(record, Unreadable):
            must[text] += 1
            continue
        try:
            if project(record) is not None:
                may[text] += 1
        except Malformed:
            must[text] += 1
    return must, may


@pytest.mark.parametrize("name", [spec.name for spec in REGISTRY])
@pytest.mark.parametrize("source", list(Source)[:2], ids=lambda source: source.name)
def test_every_record_is_written_or_parked_whole(
    pipeline: SmallPipeline, name: str, source: Source
) -> None:
    @_SETTINGS
    @given(strategies.batches(source))
    def check(entries: list[Any]) -> None:
        batch = with_good(Random(0), source, entries, next(_serials))
        good, texts = batch.good[name], batch.texts
        destination = Destination(pipeline, name)
        destination.prepare(good)

        answer = pipeline.invoke_with(name, {"Records": batch.entries})

        assert answer == {"batchItemFailures": []}, "nothing blocks"
        parked = Counter(parked_record(text, name) for text in messages(pipeline, name))
        must, may = expected(name, batch)
        assert not must - parked, "what cannot be used is parked"
        assert not parked - must - may, "nothing else is"
        assert not parked - Counter(texts), "whole, and once"
        assert destination.holds(good), "and the good one has arrived"

    check()


@pytest.mark.parametrize("name", [spec.name for spec in REGISTRY])
def test_what_is_no_batch_at_all_is_parked_whole(pipeline: SmallPipeline, name: str) -> None:
    @_SETTINGS
    @given(strategies.hostile_values)
    def check(event: Any) -> None:
        try:
            list(read_records(event))
        except NotAStream:
            assert pipeline.invoke_with(name, event) == {"batchItemFailures": []}
            (message,) = messages(pipeline, name)
            assert '"type":"NotAStream"' in message
            assert message.endswith(f',"event":{Batch([event]).texts[0]}}}')

    check()
