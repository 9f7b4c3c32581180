"""Where consumers read: what is refused before any stack is made."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from consumers.registry import REGISTRY
from infra.aws import sources
from infra.aws.names import Names
from infra.aws.stage import Context
from shared.errors import InvalidSettings, InvalidSpec
from shared.spec import Grant, Source

SPECS = {spec.name: spec for spec in REGISTRY}


def test_the_registry_is_fine() -> None:
    sources.check(REGISTRY)


def test_a_third_reader_of_the_stream_is_refused_with_its_name_and_the_remedy() -> None:
    crowd = [replace(spec, source=Source.STREAM) for spec in REGISTRY[:3]]
    with pytest.raises(InvalidSpec) as refusal:
        sources.check(crowd)
    for spec in crowd:
        assert spec.name in refusal.value.reason
    assert "Source.KINESIS" in refusal.value.hint


@pytest.mark.parametrize("source", [Source.KINESIS, Source.KINESIS_FANOUT])
def test_kinesis_has_its_limits_too(source: Source) -> None:
    most = sources.MOST_READERS[source]
    made = [
        replace(SPECS["metrics"], name=f"m{number}", source=source) for number in range(most + 1)
    ]
    sources.check(made[:-1])
    with pytest.raises(InvalidSpec, match=f"{most + 1} consumers read"):
        sources.check(made)


@pytest.mark.parametrize("name", ["cache", "search", "totals"])
def test_a_setting_without_the_right_to_go_there_is_refused(name: str) -> None:
    with pytest.raises(InvalidSpec, match="has no rights there") as refusal:
        sources.check([replace(SPECS[name], grants=())])
    assert SPECS[name].grants[0].name in refusal.value.hint


def test_kinesis_patterns_are_wrapped_and_the_stream_s_are_not() -> None:
    for spec in REGISTRY:
        for pattern, deployed in zip(spec.filters, sources.filters(spec), strict=True):
            expected = json.loads(pattern)
            if spec.source is not Source.STREAM:
                expected = {"data": expected}
            assert json.loads(deployed) == expected


def test_an_invalid_filter_and_a_short_record_age_never_become_a_spec() -> None:
    with pytest.raises(InvalidSpec, match="filter"):
        replace(SPECS["cache"], filters=('{"dynamodb": "x"}',))
    with pytest.raises(InvalidSpec, match="record_age_seconds"):
        replace(SPECS["cache"], record_age_seconds=30)
    with pytest.raises(InvalidSpec, match="alarms"):
        replace(SPECS["cache"], alarms=())


def test_a_bucket_s_name_fits() -> None:
    longest = "a" * 24
    assert Names("dev").failure_bucket(longest)
    with pytest.raises(InvalidSpec, match="too long for S3"):
        Names("production").failure_bucket(longest)


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"stage": "test"}, "stage is dev or prod"),
        ({"tabelArn": "x"}, "no such key: tabelArn"),
        ({"tableArn": "arn:aws:dynamodb:x:1:table/t"}, "tableStreamArn"),
        ({"vpcId": "vpc-1"}, "come together"),
        ({"searchDomainArn": "arn:aws:es:x:1:domain/d"}, "needs searchUrl"),
        ({"topicArn": "alarms"}, "topicArn is no ARN"),
    ],
)
def test_a_context_that_cannot_work_is_refused(values: dict[str, str], told: str) -> None:
    with pytest.raises(InvalidSettings, match=told):
        Context.read(values)


def test_a_context_is_read_from_texts() -> None:
    context = Context.read({"tracing": "1", "consumers": "audit,totals", "stage": "prod"})
    assert (context.tracing, context.consumers) == (True, ("audit", "totals"))
    assert context.sizes.keep


def test_every_grant_is_one_that_roles_know() -> None:
    granted: set[Grant] = {grant for spec in REGISTRY for grant in spec.grants}
    assert granted == set(Grant)
