"""What the stacks hold, compared with the declarations that they are made from."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from aws_cdk import aws_s3 as s3

from consumers.registry import REGISTRY
from infra.aws.app import build
from infra.aws.catalogue import COLUMNS
from infra.aws.checks.template import Templates, of_type, role_name, statements, text, texts
from infra.aws.names import Names
from infra.aws.stage import Context
from shared import entities
from shared.alarms import Signal
from shared.settings import COMMON_SETTINGS, variable_of
from shared.spec import ConsumerSpec, Grant, Source
from tests.infra.conftest import GIVEN
from tests.meta.test_docs import anchors
from tests.support.synth import GIVEN_SINKS, EmptyPackages, synth

RUNBOOK = Path(__file__).resolve().parents[2] / "docs" / "runbook.md"
each_consumer = pytest.mark.parametrize("spec", REGISTRY, ids=lambda spec: spec.name)
each_stage = pytest.mark.parametrize("stage", ["dev", "prod", "given"])


def one(templates: Templates, kind: str, start: str = "") -> dict[str, Any]:
    found = [p for name, p in of_type(templates, kind) if name.startswith(start)]
    assert len(found) == 1, (kind, start, len(found))
    return found[0]


def function_of(templates: Templates, spec: ConsumerSpec) -> dict[str, Any]:
    return one(templates, "AWS::Lambda::Function", f"{spec.name.title()}Function")


def mapping_of(templates: Templates, spec: ConsumerSpec) -> dict[str, Any]:
    return one(templates, "AWS::Lambda::EventSourceMapping", f"{spec.name.title()}Mapping")


def declared_alarms(spec: ConsumerSpec) -> set[str]:
    return {alarm.name for alarm in spec.alarms} | {burn.name for burn in spec.burn_rates}


@each_consumer
def test_a_function_is_what_its_spec_says(spec: ConsumerSpec, dev: Templates) -> None:
    made = function_of(dev, spec)
    assert made["Handler"] == f"consumers.{spec.name}.handler.handler"
    assert (made["MemorySize"], made["Timeout"]) == (spec.memory_mb, spec.timeout_seconds)
    assert made["Architectures"] == ["arm64"]
    assert made.get("ReservedConcurrentExecutions", 0) == spec.concurrency
    told = set(made["Environment"]["Variables"])
    assert told >= {variable_of(name) for name in (*COMMON_SETTINGS, *spec.settings)}


@each_stage
@each_consumer
def test_a_mapping_is_what_its_spec_says(
    spec: ConsumerSpec, stage: str, request: pytest.FixtureRequest
) -> None:
    made = mapping_of(request.getfixturevalue(stage), spec)
    assert made["BatchSize"] == spec.batch_size
    assert made["MaximumBatchingWindowInSeconds"] == spec.window_seconds
    assert made["MaximumRetryAttempts"] == spec.retries
    assert made["MaximumRecordAgeInSeconds"] == spec.record_age_seconds
    assert made["ParallelizationFactor"] == spec.parallelization
    assert made["BisectBatchOnFunctionError"] is True
    source = text(made["EventSourceArn"])
    if spec.source is Source.KINESIS_FANOUT:
        assert "ConsumerARN" in source
    elif stage == "given":
        key = "tableStreamArn" if spec.source is Source.STREAM else "kinesisStreamArn"
        assert source == GIVEN[key]
    else:
        assert ("StreamArn" in source) == (spec.source is Source.STREAM)
        assert ("Changes" in source) == (spec.source is Source.KINESIS)


@each_consumer
def test_every_alarm_says_its_threshold_and_what_missing_data_means(
    spec: ConsumerSpec, dev: Templates
) -> None:
    alarms = {p["AlarmName"]: p for _, p in of_type(dev, "AWS::CloudWatch::Alarm")}
    for declared in spec.alarms:
        made = alarms[Names("dev").alarm(spec.name, declared.name)]
        assert made["Threshold"] == declared.threshold
        assert made["TreatMissingData"] == declared.missing.value
        assert made["EvaluationPeriods"] == declared.periods
        assert made["DatapointsToAlarm"] == declared.breaching
        assert made["ComparisonOperator"].startswith("Less" if declared.below else "Greater")
        if declared.signal is Signal.RECORDS_DROPPED:
            (dimension,) = made["Dimensions"]
            assert f"{spec.name.title()}Mapping" in text(dimension["Value"])


@each_consumer
def test_a_burn_rate_is_two_windows_that_agree(spec: ConsumerSpec, dev: Templates) -> None:
    alarms = {p["AlarmName"]: p for _, p in of_type(dev, "AWS::CloudWatch::Alarm")}
    composites = {p["AlarmName"]: p for _, p in of_type(dev, "AWS::CloudWatch::CompositeAlarm")}
    for burn in spec.burn_rates:
        name = Names("dev").alarm(spec.name, burn.name)
        rule = composites[name]["AlarmRule"]
        assert rule == f'ALARM("{name}-long") AND ALARM("{name}-short")'
        for window, seconds in (("long", burn.long_seconds), ("short", burn.short_seconds)):
            made = alarms[f"{name}-{window}"]
            assert made["Period"] == seconds
            assert made["ExtendedStatistic"] == f"PR(:{spec.freshness.within_ms})"
            late = (100 - made["Threshold"]) / 100
            assert late / (1 - spec.freshness.target) == pytest.approx(burn.rate)
            assert "AlarmActions" not in made


def test_one_composite_a_consumer_over_all_of_its_alarms(dev: Templates) -> None:
    composites = {p["AlarmName"]: p for _, p in of_type(dev, "AWS::CloudWatch::CompositeAlarm")}
    for spec in REGISTRY:
        rule = composites[Names("dev").alarm(spec.name, "all")]["AlarmRule"]
        for name in declared_alarms(spec):
            assert f'ALARM("{Names("dev").alarm(spec.name, name)}")' in rule


def test_every_runbook_link_has_its_section() -> None:
    there = anchors(RUNBOOK.read_text(encoding="utf-8"))
    for spec in REGISTRY:
        assert declared_alarms(spec) <= there


def test_the_table_is_that_of_the_design(dev: Templates, prod: Templates) -> None:
    for templates, kept in ((dev, False), (prod, True)):
        table = one(templates, "AWS::DynamoDB::Table", "Table")
        assert table["StreamSpecification"] == {"StreamViewType": "NEW_AND_OLD_IMAGES"}
        assert table["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"] is True
        precision = table["KinesisStreamSpecification"]["ApproximateCreationDateTimePrecision"]
        assert precision == "MICROSECOND"
        indexes = {index["IndexName"] for index in table["GlobalSecondaryIndexes"]}
        wanted = (entities.CUSTOMER_INDEX, entities.STATUS_INDEX, entities.LEADERBOARD_INDEX)
        assert indexes == {name for name, *_ in wanted}
        assert table.get("DeletionProtectionEnabled", False) is kept
        ledger = one(templates, "AWS::DynamoDB::Table", "Ledger")
        assert "StreamSpecification" not in ledger, "the ledger has no stream, or totals would loop"


def test_the_archive_is_locked_and_logged(dev: Templates) -> None:
    archive = one(dev, "AWS::S3::Bucket", "Archive")
    assert archive["ObjectLockEnabled"] is True
    assert archive["VersioningConfiguration"] == {"Status": "Enabled"}
    assert archive["LoggingConfiguration"]["LogFilePrefix"] == "archive/"
    assert archive["LifecycleConfiguration"]["Rules"]
    audit = next(spec for spec in REGISTRY if Grant.ARCHIVE_WRITE in spec.grants)
    told = function_of(dev, audit)["Environment"]["Variables"]
    assert told[variable_of("archive_lock_days")] == "1"


def test_the_catalogue_has_the_columns_of_a_line() -> None:
    """A line, written by the consumer that writes them."""
    from consumers.audit.projection import project
    from shared.envelopes import read_records
    from shared.records import Record
    from tests.support.records import event, order, stream_record

    changed = event(stream_record(order(), order(version=2)))
    changed["Records"][0]["userIdentity"] = {"type": "Service", "principalId": "dynamodb"}
    (record,) = read_records(changed)
    assert isinstance(record, Record)
    made = project(record)
    assert made is not None
    assert {name.lower() for name in json.loads(made.line)} == set(COLUMNS)


def test_partitions_are_where_the_archive_puts_its_objects(dev: Templates) -> None:
    from shared.archive_format import partition

    table = one(dev, "AWS::Glue::Table")["TableInput"]
    place = text(table["Parameters"]["storage.location.template"])
    filled = place.replace("${date}", "2025-10-09").replace("${hour}", "08")
    assert filled.endswith(f"/audit/{partition(488_912)}/") or partition(0) not in filled
    assert filled.endswith("/audit/date=2025-10-09/hour=08/")


def test_what_is_given_is_not_made(given: Templates) -> None:
    assert "sinks" not in given
    kinds = {made["Type"] for template in given.values() for made in template["Resources"].values()}
    assert not kinds & {
        "AWS::Kinesis::Stream",
        "AWS::SNS::Topic",
        "AWS::OpenSearchService::Domain",
        "AWS::ElastiCache::ServerlessCache",
        "AWS::EC2::VPC",
    }
    (ledger,) = [name for name, _ in of_type(given, "AWS::DynamoDB::Table")]
    assert ledger.startswith("Ledger")


def test_rights_lead_to_what_is_given(given: Templates) -> None:
    """The given keys, streams, table, bucket and domain, each for those who use them."""
    roles = {spec.name: role_name(function_of(given, spec)) for spec in REGISTRY}

    def allowed(consumer: str, action: str) -> list[str]:
        found: list[str] = []
        for statement in statements(given, roles[consumer]):
            if action in texts(statement["Action"]):
                found += texts(statement["Resource"])
        return found

    assert GIVEN["tableStreamArn"] in allowed("audit", "dynamodb:GetRecords")
    assert GIVEN["kinesisStreamArn"] in allowed("search", "kinesis:GetRecords")
    assert GIVEN["tableArn"] in allowed("totals", "dynamodb:UpdateItem")
    assert f"{GIVEN['searchDomainArn']}/orders-write/_bulk" in allowed("search", "es:ESHttpPost")
    assert any("shop-archive/audit/*" in where for where in allowed("audit", "s3:PutObject"))
    decrypt = {name: set(allowed(name, "kms:Decrypt")) for name in roles}
    assert GIVEN["tableKeyArn"] in decrypt["audit"] & decrypt["totals"]
    assert GIVEN["kinesisKeyArn"] in decrypt["metrics"] & decrypt["cache"] & decrypt["search"]
    assert all(GIVEN["archiveKeyArn"] in keys for keys in decrypt.values())
    assert GIVEN["kinesisKeyArn"] not in decrypt["audit"] | decrypt["totals"]
    for name in ("cache", "search"):
        there = function_of(given, next(spec for spec in REGISTRY if spec.name == name))
        assert there["VpcConfig"]["SecurityGroupIds"] == [GIVEN["securityGroupId"]]
        assert allowed(name, "ec2:CreateNetworkInterface")
    assert not allowed("audit", "ec2:CreateNetworkInterface")
    assert all(allowed(name, "xray:PutTraceSegments") for name in roles)


def test_a_given_table_is_fed_by_a_command_that_is_told(tmp_path: Path) -> None:
    table = {key: GIVEN[key] for key in ("tableArn", "tableStreamArn")}
    made = synth(tmp_path, {**table, **GIVEN_SINKS})
    told = text(made["data"]["Outputs"]["FeedTheStream"]["Value"])
    assert "enable-kinesis-streaming-destination --table-name shop " in told
    assert "=MICROSECOND" in told


def test_some_consumers_alone(tmp_path: Path) -> None:
    made = synth(tmp_path, {"consumers": "audit,totals"})
    assert "sinks" not in made
    kinds = [resource["Type"] for resource in made["data"]["Resources"].values()]
    assert "AWS::Kinesis::Stream" not in kinds
    mappings = [name for name, _ in of_type(made, "AWS::Lambda::EventSourceMapping")]
    assert mappings == ["AuditMapping", "TotalsMapping"]


def test_cdk_nag_is_asked(tmp_path: Path) -> None:
    """A bucket that its rules do not like stops the synthesis."""
    app = build(Context.read(GIVEN_SINKS), EmptyPackages(tmp_path / "p"), tmp_path / "out")
    s3.Bucket(app.node.find_child("data"), "Bare")
    with pytest.raises(RuntimeError, match="AwsSolutions-S1"):
        app.synth()
