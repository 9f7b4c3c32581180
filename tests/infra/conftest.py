"""The stacks, synthesized once for all tests of them."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path

import pytest

from infra.aws.checks.template import Templates
from tests.support.synth import synth

DEV = {"stage": "dev", "alarmEmail": "oncall@example.org"}
GIVEN = {
    "stage": "prod",
    "tableArn": "arn:aws:dynamodb:eu-central-1:123456789012:table/shop",
    "tableStreamArn": "arn:aws:dynamodb:eu-central-1:123456789012:table/shop/stream/2026",
    "tableKeyArn": "arn:aws:kms:eu-central-1:123456789012:key/table",
    "kinesisStreamArn": "arn:aws:kinesis:eu-central-1:123456789012:stream/shop-changes",
    "kinesisKeyArn": "arn:aws:kms:eu-central-1:123456789012:key/kinesis",
    "archiveBucket": "shop-archive",
    "archiveKeyArn": "arn:aws:kms:eu-central-1:123456789012:key/archive",
    "searchUrl": "https://search.example.org",
    "searchDomainArn": "arn:aws:es:eu-central-1:123456789012:domain/shop",
    "cacheUrl": "rediss://cache.example.org:6379",
    "cacheCluster": "1",
    "vpcId": "vpc-0123456789abcdef0",
    "subnetIds": "subnet-0123456789abcdef0,subnet-0123456789abcdef1",
    "securityGroupId": "sg-0123456789abcdef0",
    "topicArn": "arn:aws:sns:eu-central-1:123456789012:pager",
    "repository": "https://example.org/fanout/blob/main",
    "tracing": "1",
}


@pytest.fixture(scope="session")
def dev(tmp_path_factory: pytest.TempPathFactory) -> Templates:
    """Everything made by us, small."""
    return synth(tmp_path_factory.mktemp("dev"), DEV)


@pytest.fixture(scope="session")
def prod(tmp_path_factory: pytest.TempPathFactory) -> Templates:
    """Everything made by us, to last."""
    return synth(tmp_path_factory.mktemp("prod"), {"stage": "prod"})


@pytest.fixture(scope="session")
def given(tmp_path_factory: pytest.TempPathFactory) -> Templates:
    """Beside what is in production already."""
    return synth(tmp_path_factory.mktemp("given"), GIVEN)


@pytest.fixture
def spoiled(dev: Templates) -> Templates:
    """A copy of dev, for a test to break."""
    return deepcopy(dict(dev))


@pytest.fixture(scope="session")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where packages for this machine are built."""
    return tmp_path_factory.mktemp("bundles")
