"""Each way to deploy something wrong is noticed: a template is broken, and the checks say it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from consumers.registry import REGISTRY
from infra.aws import checks
from infra.aws.checks.template import Templates
from infra.aws.names import Names
from shared.errors import InvalidSettings, InvalidSpec
from shared.spec import Source
from tests.support.synth import synth

Spoil = Callable[[dict[str, Any]], None]
SPECS = {spec.name: spec for spec in REGISTRY}


def found(templates: Templates) -> list[str]:
    return list(checks.faults(templates, REGISTRY, Names("dev")))


def resource(templates: Templates, kind: str, name: str = "") -> dict[str, Any]:
    """The properties of the first resource of a type whose logical id starts with `name`."""
    for template in templates.values():
        for logical, made in template["Resources"].items():
            if made["Type"] == kind and logical.startswith(name):
                return made["Properties"]
    raise AssertionError(f"no {kind} {name}")


def remove(templates: Templates, kind: str, name: str) -> None:
    for template in templates.values():
        for logical, made in list(template["Resources"].items()):
            if made["Type"] == kind and logical.startswith(name):
                del template["Resources"][logical]


MAPPING = "AWS::Lambda::EventSourceMapping"
QUEUE = "AWS::SQS::Queue"


def third_reader(t: dict[str, Any]) -> None:
    stream = resource(t, MAPPING, "Audit")["EventSourceArn"]
    resource(t, MAPPING, "Metrics")["EventSourceArn"] = stream


def unwrapped(t: dict[str, Any]) -> None:
    (pattern,) = SPECS["search"].filters
    resource(t, MAPPING, "Search")["FilterCriteria"] = {"Filters": [{"Pattern": pattern}]}


def invalid_filter(t: dict[str, Any]) -> None:
    broken = {"Filters": [{"Pattern": '{"dynamodb": {"Keys": "ORDER"}}'}]}
    resource(t, MAPPING, "Totals")["FilterCriteria"] = broken


def no_network_right(t: dict[str, Any]) -> None:
    policy = resource(t, "AWS::IAM::Role", "Cache")["Policies"][0]["PolicyDocument"]
    policy["Statement"] = [
        each for each in policy["Statement"] if "ec2:CreateNetworkInterface" not in each["Action"]
    ]


def add_statement(role: str, action: str, where: Any) -> Spoil:
    def spoil(t: dict[str, Any]) -> None:
        policy = resource(t, "AWS::IAM::Role", role)["Policies"][0]["PolicyDocument"]
        policy["Statement"].append({"Effect": "Allow", "Action": action, "Resource": where})

    return spoil


def setting(kind: str, name: str, key: str, value: Any) -> Spoil:
    def spoil(t: dict[str, Any]) -> None:
        properties = resource(t, kind, name)
        if value is None:
            del properties[key]
        else:
            properties[key] = value

    return spoil


def drop(kind: str, name: str) -> Spoil:
    return lambda t: remove(t, kind, name)


CASES: dict[str, tuple[Spoil, str]] = {
    "a third reader of the stream": (third_reader, "3 readers, and it serves 2"),
    "a filter that is none": (invalid_filter, "totals: its filter is refused by Lambda"),
    "a Kinesis filter that is not wrapped": (unwrapped, "search: its filter is not wrapped"),
    "a filter left out": (
        setting(MAPPING, "Cache", "FilterCriteria", None),
        "cache: 1 filters declared, 0 deployed",
    ),
    "no right to be in the VPC": (no_network_right, "is in a VPC, and may not ec2:Assign"),
    "no dead-letter queue": (drop(QUEUE, "Audit"), "audit: no dead-letter queue"),
    "dead letters that expire too soon": (
        setting(QUEUE, "Audit", "MessageRetentionPeriod", 345_600),
        "audit: its dead letters are not kept for 14 days",
    ),
    "failures that nobody announces": (
        setting("AWS::S3::Bucket", "SearchFailures", "NotificationConfiguration", {}),
        "search: what Lambda gives up on is not announced",
    ),
    "failures whose notice goes nowhere": (
        drop("AWS::Events::Rule", "SearchFailure"),
        "search: what Lambda gives up on is not announced",
    ),
    "a queue that takes no notice": (
        drop("AWS::SQS::QueuePolicy", "SearchLetters"),
        "search: its dead-letter queue does not let anything be announced",
    ),
    "no on-failure destination": (
        setting(MAPPING, "Metrics", "DestinationConfig", {}),
        "metrics: what Lambda gives up on goes nowhere",
    ),
    "no alarm": (drop("AWS::CloudWatch::Alarm", "CacheErrors"), "cache: no alarm errors"),
    "no burn-rate alarm": (
        drop("AWS::CloudWatch::CompositeAlarm", "CacheFreshnessFastBurn"),
        "cache: no alarm freshness-fast-burn",
    ),
    "an alarm that nobody hears": (
        setting("AWS::CloudWatch::Alarm", "TotalsThrottles", "AlarmActions", None),
        "totals: nobody hears of its alarm throttles",
    ),
    "an alarm without a way on": (
        setting("AWS::CloudWatch::Alarm", "TotalsErrors", "AlarmDescription", "totals: errors"),
        "totals: its alarm errors does not say what it means",
    ),
    "a record age that Lambda refuses": (
        setting(MAPPING, "Audit", "MaximumRecordAgeInSeconds", 30),
        "audit: record age 30 s",
    ),
    "a mapping that does not ask what failed": (
        setting(MAPPING, "Audit", "FunctionResponseTypes", None),
        "audit: its mapping does not ask which records failed",
    ),
    "a mapping without metrics": (
        setting(MAPPING, "Audit", "MetricsConfig", None),
        "its alarm on dropped records is blind",
    ),
    "a table in the clear": (
        setting("AWS::DynamoDB::Table", "Table", "SSESpecification", None),
        "no encryption, SSESpecification",
    ),
    "a stream in the clear": (
        setting("AWS::Kinesis::Stream", "", "StreamEncryption", None),
        "no encryption, StreamEncryption",
    ),
    "a bucket in the clear": (
        setting("AWS::S3::Bucket", "Archive", "BucketEncryption", None),
        "no encryption, BucketEncryption",
    ),
    "a queue in the clear": (
        setting(QUEUE, "Cache", "SqsManagedSseEnabled", None),
        "no encryption, SqsManagedSseEnabled",
    ),
    "a topic in the clear": (
        setting("AWS::SNS::Topic", "", "KmsMasterKeyId", None),
        "no encryption, KmsMasterKeyId",
    ),
    "a domain in the clear": (
        setting("AWS::OpenSearchService::Domain", "", "EncryptionAtRestOptions", None),
        "no encryption, EncryptionAtRestOptions",
    ),
    "a cache in the clear": (
        setting("AWS::ElastiCache::ServerlessCache", "", "KmsKeyId", None),
        "no encryption, KmsKeyId",
    ),
    "a bucket that speaks without TLS": (
        drop("AWS::S3::BucketPolicy", "Archive"),
        "takes requests without TLS",
    ),
    "a right to everything": (
        add_statement("Audit", "s3:*", "*"),
        "allows s3:*: name the actions",
    ),
    "a right on everything": (
        add_statement("Metrics", "s3:GetObject", "*"),
        "allows s3:GetObject on everything",
    ),
    "a write beside the own target": (
        add_statement("Metrics", "dynamodb:PutItem", "arn:aws:dynamodb:x:1:table/other"),
        "metrics may dynamodb:PutItem on arn:aws:dynamodb:x:1:table/other, which is not its own",
    ),
    "a write into another consumer's queue": (
        add_statement("Cache", "sqs:SendMessage", {"Fn::GetAtt": ["AuditLetters", "Arn"]}),
        "cache may sqs:SendMessage on <AuditLetters.Arn>, which is not its own",
    ),
    "an update of any item": (
        add_statement("Totals", "dynamodb:UpdateItem", "arn:aws:dynamodb:x:1:table/shop"),
        "totals may update items that are no totals",
    ),
    "an action that nobody has judged": (
        add_statement("Audit", "s3:DeleteObject", "arn:aws:s3:::bucket/audit/*"),
        "allows s3:DeleteObject, of which",
    ),
}


@pytest.mark.parametrize("name", ["dev", "prod", "given"])
def test_what_we_synthesize_is_right(name: str, request: pytest.FixtureRequest) -> None:
    """As it comes out; synthesizing has asked the same, or there were no templates."""
    templates = request.getfixturevalue(name)
    stage = "dev" if name == "dev" else "prod"
    assert not list(checks.faults(templates, REGISTRY, Names(stage)))


@pytest.mark.parametrize("case", CASES)
def test_what_is_broken_is_named(case: str, spoiled: dict[str, Any]) -> None:
    spoil, told = CASES[case]
    assert not found(spoiled)
    spoil(spoiled)
    assert any(told in fault for fault in found(spoiled)), found(spoiled)


def test_a_fault_stops_the_synthesis(spoiled: dict[str, Any]) -> None:
    third_reader(spoiled)
    with pytest.raises(InvalidSettings, match="3 readers"):
        checks.require(spoiled, REGISTRY, Names("dev"))


CODE: dict[str, tuple[str, object, str]] = {
    "filters are not wrapped": (
        "infra.aws.sources.filters",
        lambda spec: list(spec.filters),
        "its filter is not wrapped in data",
    ),
    "nobody may be in the VPC": (
        "infra.aws.permissions.network_statements",
        lambda: iter(()),
        "its function is in a VPC, and may not",
    ),
    "no alarms are made": (
        "infra.aws.alarms.build",
        lambda *_: [],
        "no alarm heartbeat-missing",
    ),
    "failures are not announced": (
        "infra.aws.consumer._announce",
        lambda *_: None,
        "what Lambda gives up on is not announced",
    ),
}


@pytest.mark.parametrize("case", CODE)
def test_a_fault_in_the_stacks_code_stops_the_synthesis(
    case: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    place, broken, told = CODE[case]
    monkeypatch.setattr(place, broken)
    with pytest.raises(InvalidSettings, match=told):
        synth(tmp_path, {"stage": "dev"})


def test_a_third_reader_stops_the_synthesis(tmp_path: Path) -> None:
    specs = [replace(spec, source=Source.STREAM) for spec in REGISTRY]
    with pytest.raises(InvalidSpec, match=r"5 consumers read STREAM .*, and it serves 2"):
        synth(tmp_path, {"stage": "dev"}, specs)


def test_a_consumer_that_was_forgotten_is_noticed(dev: Templates) -> None:
    specs = (*REGISTRY, replace(SPECS["search"], name="forgotten"))
    assert "forgotten: no event source mapping" in list(checks.faults(dev, specs, Names("dev")))
