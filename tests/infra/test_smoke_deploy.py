"""The stacks, deployed to the emulator by its CloudFormation, and the functions invoked there.

Proves that names, environment, packages, settings and filters fit the handlers, against real
servers. What an emulator cannot prove (rights, encryption, networks) docs/aws.md lists.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import urlopen

import pytest

from consumers.registry import REGISTRY
from infra.aws.app import synthesize
from infra.aws.checks.template import Templates
from infra.aws.names import Names
from infra.aws.stage import Context
from infra.local.servers import Endpoints, Given, LocalServers
from shared.cache_keys import value_key
from shared.filter_kinesis import compile_kinesis_filters
from shared.filters import compile_filters
from shared.spec import ConsumerSpec, Source
from tests.support import records, smoke
from tests.support.servers import client, eventually

ACCOUNT = "000000000000"
NAMES = Names("dev")
SPECS = {spec.name: spec for spec in REGISTRY}
each_consumer = pytest.mark.parametrize("name", list(SPECS))


@dataclass(frozen=True)
class Deployed:
    """The stacks on the emulator."""

    endpoints: Endpoints
    templates: Templates

    def aws(self, service: str) -> Any:
        return client(self.endpoints, service)

    def invoke(self, name: str, payload: dict[str, Any]) -> Any:
        answer = self.aws("lambda").invoke(
            FunctionName=NAMES.function(name), Payload=json.dumps(payload).encode()
        )
        body = answer["Payload"].read()
        assert "FunctionError" not in answer, body
        return json.loads(body)

    def letters(self, name: str) -> list[dict[str, Any]]:
        """Up to ten messages, taken out of the consumer's queue."""
        sqs = self.aws("sqs")
        url = sqs.get_queue_url(QueueName=NAMES.queue(name))["QueueUrl"]
        found = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])
        for message in found:
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return [json.loads(message["Body"]) for message in found]


@pytest.fixture(scope="module")
def deployed(
    servers: LocalServers, bundles: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Deployed]:
    """An AWS server of its own, since the stacks' names are not made for sharing one."""
    sinks = servers.endpoints
    given = Given(cache=sinks.cache_url, search=sinks.search_url)
    context = Context.read(
        {"searchUrl": sinks.search_url, "cacheUrl": sinks.cache_url, "alarmEmail": "a@example.org"}
    )
    out = tmp_path_factory.mktemp("smoke")
    templates = synthesize(context, smoke.HostPackages(bundles), out)
    with LocalServers(given=given) as own:
        endpoints = own.endpoints
        smoke.publish(client(endpoints, "s3"), out, ACCOUNT, "us-east-1")
        smoke.deploy(client(endpoints, "cloudformation"), client(endpoints, "s3"), templates, "dev")
        # The emulator's CloudFormation forgets ObjectLockEnabled (docs/aws.md).
        client(endpoints, "s3").put_object_lock_configuration(
            Bucket=NAMES.archive(ACCOUNT, "us-east-1"),
            ObjectLockConfiguration={"ObjectLockEnabled": "Enabled"},
        )
        yield Deployed(endpoints, templates)


def delivered(spec: ConsumerSpec, *items: dict[str, Any], sequence: int = 1) -> dict[str, Any]:
    """The event by which new items reach a consumer."""
    make = records.stream_record if spec.source is Source.STREAM else records.kinesis_record
    return records.event(
        *(make(new=item, sequence=sequence + place) for place, item in enumerate(items))
    )


@each_consumer
def test_no_queue_holds_anything_when_all_is_made(name: str, deployed: Deployed) -> None:
    """Or the alarm on dead letters would greet whoever has just deployed."""
    assert not deployed.letters(name)


@each_consumer
def test_a_function_takes_what_its_source_delivers(name: str, deployed: Deployed) -> None:
    event = delivered(SPECS[name], records.order("o-smoke"), records.score("s-smoke"))
    assert deployed.invoke(name, event) == {"batchItemFailures": []}


@each_consumer
def test_a_record_that_is_none_ends_in_its_own_queue(name: str, deployed: Deployed) -> None:
    event = delivered(SPECS[name], records.order("o-bad"))
    if SPECS[name].source is Source.STREAM:
        event["Records"][0]["dynamodb"] = "not a change"
    else:
        event["Records"][0]["kinesis"]["data"] = "bm90IGEgY2hhbmdl"
    assert deployed.invoke(name, event) == {"batchItemFailures": []}
    (letter,) = deployed.letters(name)
    assert letter["consumer"] == name
    assert letter["record"] == event["Records"][0]
    others = [other for other in SPECS if other != name]
    assert not any(deployed.letters(other) for other in others)


def test_recorded_events_are_taken(deployed: Deployed, shared_testdata: Path) -> None:
    """Every recorded batch, by a consumer of its source: written or parked, never refused."""
    by_source = {"aws:dynamodb": "audit", "aws:kinesis": "search"}
    taken = 0
    for entry in json.loads((shared_testdata / "events" / "index.json").read_text()):
        try:
            recorded = json.loads((shared_testdata / "events" / entry["file"]).read_text())
        except json.JSONDecodeError:
            continue  # what is no JSON never becomes an event
        listed = recorded.get("Records") if isinstance(recorded, dict) else None
        if not listed or not isinstance(listed[0], dict):
            continue
        name = by_source.get(str(listed[0].get("eventSource")))
        if name is not None:
            assert deployed.invoke(name, recorded) == {"batchItemFailures": []}, entry["file"]
            taken += 1
    assert taken >= 5
    for name in by_source.values():
        while deployed.letters(name):
            pass


def test_what_was_delivered_is_in_every_projection(deployed: Deployed) -> None:
    from redis import Redis

    redis = Redis.from_url(deployed.endpoints.cache_url)
    redis.set(value_key("order:o-kept"), "stale")
    order, score = records.order("o-kept"), records.score("s-kept", "u-kept")
    for name, spec in SPECS.items():
        answer = deployed.invoke(name, delivered(spec, order, score, sequence=50))
        assert answer == {"batchItemFailures": []}
    listed = deployed.aws("s3").list_objects_v2(
        Bucket=NAMES.archive(ACCOUNT, "us-east-1"), Prefix="audit/"
    )
    assert listed["KeyCount"] >= 1
    total = deployed.aws("dynamodb").get_item(
        TableName=NAMES.of("table"), Key=records.raw_image({"PK": "TOTAL#u-kept", "SK": "TOTAL"})
    )
    assert total["Item"]["scores"] == {"N": "1"}
    assert redis.get(value_key("order:o-kept")) is None
    where = f"{deployed.endpoints.search_url}/orders/_doc/o-kept"
    with urlopen(where, timeout=10) as answer:  # made by the stack's own custom resource
        assert json.loads(answer.read())["_source"]["orderId"] == "o-kept"


def test_the_heartbeat_s_writer_writes(deployed: Deployed) -> None:
    deployed.invoke("heartbeat", {})
    key = records.raw_image({"PK": "HEARTBEAT#0", "SK": "HEARTBEAT"})
    item = deployed.aws("dynamodb").get_item(TableName=NAMES.of("table"), Key=key)["Item"]
    assert int(item["writtenAt"]["N"]) > 0


@each_consumer
def test_the_deployed_filter_lets_through_what_the_handler_serves(
    name: str, deployed: Deployed
) -> None:
    spec = SPECS[name]
    (mapping,) = deployed.aws("lambda").list_event_source_mappings(
        FunctionName=NAMES.function(name)
    )["EventSourceMappings"]
    patterns = [each["Pattern"] for each in mapping.get("FilterCriteria", {}).get("Filters", [])]
    stream = spec.source is Source.STREAM
    compiled = compile_filters(patterns) if stream else compile_kinesis_filters(patterns)
    assert compiled.matches(delivered(spec, records.heartbeat())["Records"][0])
    other = {"PK": "ELSE#1", "SK": "ELSE"}
    assert compiled.matches(delivered(spec, other)["Records"][0]) == (not spec.filters)


def test_failures_are_announced_in_the_consumer_s_queue(deployed: Deployed) -> None:
    """As Lambda does with a batch it gives up: an object in the bucket, a notice in the queue."""
    bucket = f"{NAMES.failure_bucket('search')}-{ACCOUNT}-us-east-1"
    key = "aws/lambda/esm/shardId-1/failure.json"
    deployed.aws("s3").put_object(Bucket=bucket, Key=key, Body=b"{}")
    notices = eventually(
        lambda: [letter for letter in deployed.letters("search") if "pointer" in letter],
        "the notice arrives",
    )
    assert notices == [
        {"fanout": "failed/1", "consumer": "search", "pointer": {"bucket": bucket, "key": key}}
    ]


def test_alarms_and_dashboards_are_there(deployed: Deployed) -> None:
    cloudwatch = deployed.aws("cloudwatch")
    names = {
        alarm["AlarmName"]
        for page in cloudwatch.get_paginator("describe_alarms").paginate()
        for alarm in page["MetricAlarms"]
    }
    for spec in REGISTRY:
        assert {NAMES.alarm(spec.name, alarm.name) for alarm in spec.alarms} <= names
    made = {entry["DashboardName"] for entry in cloudwatch.list_dashboards()["DashboardEntries"]}
    assert {NAMES.dashboard(subject) for subject in ("overview", "business", *SPECS)} <= made


def test_only_what_is_listed_was_left_out(deployed: Deployed) -> None:
    page = Path(__file__).resolve().parents[2] / "docs" / "aws.md"
    left_out = {
        resource["Type"]
        for template in deployed.templates.values()
        for resource in template["Resources"].values()
    } & set(smoke.UNKNOWN)
    assert left_out
    assert all(f"`{kind}`" in page.read_text(encoding="utf-8") for kind in left_out)
    assert urlsplit(deployed.endpoints.aws_url or "").hostname == "127.0.0.1"
