"""Endpoints are botocore's, whatever the environment says."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from botocore import UNSIGNED
from botocore.config import Config
from botocore.session import get_session

from shared.aws_endpoints import Endpoint, find_endpoint, read_endpoint
from shared.errors import InvalidSettings

NAMES = {"dynamodb": "dynamodb", "streams.dynamodb": "dynamodbstreams"}
REGIONS = sorted(
    region
    for partition in get_session().get_available_partitions()
    for region in get_session().get_available_regions("dynamodb", partition)
)


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in list(os.environ):
        if name.startswith("AWS_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    # botocore itself reads this one alone.
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")


def url_of(endpoint: Endpoint) -> str:
    return f"{'https' if endpoint.secure else 'http'}://{endpoint.authority}"


@pytest.mark.parametrize(
    ("service", "regions"),
    [("dynamodb", REGIONS), ("streams.dynamodb", ["us-east-1", "us-gov-west-1", "cn-north-1"])],
)
def test_every_region_is_where_botocore_finds_it(
    service: str, regions: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert {"us-east-1", "us-gov-west-1", "cn-north-1"} <= set(regions)
    session = get_session()
    for region in regions:
        monkeypatch.setenv("AWS_REGION", region)
        endpoint, found = find_endpoint(service)
        client = session.create_client(NAMES[service], region_name=region)
        assert (url_of(endpoint), found) == (client.meta.endpoint_url, region)


def test_a_plain_region_asks_nobody() -> None:
    with mock.patch("botocore.session.get_session", side_effect=AssertionError):
        assert url_of(find_endpoint("dynamodb")[0]) == "https://dynamodb.eu-west-1.amazonaws.com"


@pytest.mark.parametrize(
    ("variable", "value", "host"),
    [
        ("AWS_USE_FIPS_ENDPOINT", "true", "dynamodb-fips.eu-west-1.amazonaws.com"),
        ("AWS_USE_DUALSTACK_ENDPOINT", "true", "dynamodb.eu-west-1.api.aws"),
    ],
)
def test_other_kinds_of_endpoint_are_botocores(
    variable: str, value: str, host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, value)
    assert find_endpoint("dynamodb")[0] == Endpoint(secure=True, host=host, port=443)


def test_a_configuration_file_is_heard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "config").write_text("[default]\nendpoint_url = http://127.0.0.1:4000\n")
    assert url_of(find_endpoint("dynamodb")[0]) == "http://127.0.0.1:4000"
    # The environment goes before the file.
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:5000")
    assert url_of(find_endpoint("dynamodb")[0]) == "http://127.0.0.1:5000"
    monkeypatch.setenv("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true")
    assert url_of(find_endpoint("dynamodb")[0]) == "https://dynamodb.eu-west-1.amazonaws.com"


S3_REGIONS = ["eu-west-1", "us-east-1", "us-gov-west-1", "cn-north-1", "us-iso-east-1"]


@pytest.mark.parametrize("variable", ["", "AWS_USE_FIPS_ENDPOINT", "AWS_USE_DUALSTACK_ENDPOINT"])
def test_s3_is_where_botocore_sends_requests(
    variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if variable:
        monkeypatch.setenv(variable, "true")
    config = Config(
        signature_version=UNSIGNED,
        s3={"addressing_style": "path", "us_east_1_regional_endpoint": "regional"},
    )
    session = get_session()
    for region in S3_REGIONS:
        if region == "cn-north-1" and "FIPS" in variable:
            continue  # there are none
        monkeypatch.setenv("AWS_REGION", region)
        endpoint, found = find_endpoint("s3")
        client: Any = session.create_client("s3", region_name=region, config=config)
        sent = client.generate_presigned_url("head_bucket", {"Bucket": "bucket"})
        assert (f"{url_of(endpoint)}/bucket", found) == (sent, region)


def test_s3s_own_variable_goes_before_the_general_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:5000")
    assert url_of(find_endpoint("s3")[0]) == "http://127.0.0.1:5000"
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:6000")
    assert url_of(find_endpoint("s3")[0]) == "http://127.0.0.1:6000"


def test_s3_in_a_configuration_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = tmp_path / "config"
    config.write_text("[profile mine]\nendpoint_url = http://127.0.0.1:4000\n")
    monkeypatch.setenv("AWS_PROFILE", "mine")
    assert url_of(find_endpoint("s3")[0]) == "http://127.0.0.1:4000"
    config.write_text("[profile mine]\nendpoint_url = http://127.0.0.1:4000/path\n")
    with pytest.raises(InvalidSettings, match="no URL that Fanout can use"):
        find_endpoint("s3")


@pytest.mark.parametrize("region", ["", "no region", "evil.example/"])
def test_what_is_no_region_is_refused(region: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.setenv(name, region)
    with pytest.raises(InvalidSettings) as caught:
        find_endpoint("dynamodb")
    assert "AWS_REGION" in caught.value.hint


@pytest.mark.parametrize(
    ("url", "authority"),
    [
        ("https://host", "host"),
        ("https://host:443/", "host"),
        ("http://HOST:80", "host"),
        ("http://host:443", "host:443"),
        ("http://[::1]:8000", "[::1]:8000"),
    ],
)
def test_a_host_is_named_as_it_is_signed(url: str, authority: str) -> None:
    assert read_endpoint(url).authority == authority


@pytest.mark.parametrize(
    "url",
    ["host:80", "ftp://host", "http://", "http://host/path", "http://host?x=1", "http://host:x",
     "http://user:secret@host", "http://hö"],
)  # fmt: skip
def test_what_is_no_server_is_refused(url: str) -> None:
    with pytest.raises(InvalidSettings) as caught:
        read_endpoint(url)
    assert url not in str(caught.value)
