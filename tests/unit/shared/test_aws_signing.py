"""Every signature is the one that botocore would have made; credentials come and are renewed."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from unittest import mock

import botocore.auth
import botocore.credentials
import pytest
from botocore.awsrequest import AWSRequest
from hypothesis import given
from hypothesis import strategies as st

from shared.aws_signing import Credentials, authorization, credentials_source
from shared.errors import InvalidSettings, Unavailable
from tests.support.scripted_http import Reply, Request, scripted

words = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=40)
hosts = st.sampled_from(
    ["dynamodb.eu-west-1.amazonaws.com", "127.0.0.1:4566", "[::1]:8000", "db:1"]
)


FIRST, LAST = (datetime(year, 1, 1, tzinfo=None) for year in (2020, 2099))  # noqa: DTZ001 - UTC


def headers_of(host: str, target: str, moment: datetime) -> dict[str, str]:
    return {
        "content-type": "application/x-amz-json-1.0",
        "host": host,
        "x-amz-date": moment.strftime("%Y%m%dT%H%M%SZ"),
        "x-amz-target": target,
    }


def botocores(
    credentials: Credentials, region: str, service: str, headers: dict[str, str], body: bytes
) -> str:
    """botocore's Authorization header for the same POST at the same time."""
    moment = datetime.strptime(headers["x-amz-date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    unsigned = {
        name: value for name, value in headers.items() if name in {"content-type", "x-amz-target"}
    }
    request = AWSRequest("POST", f"http://{headers['host']}/", data=body, headers=unsigned)
    signer = botocore.auth.SigV4Auth(
        botocore.credentials.Credentials(*credentials), service, region
    )
    with mock.patch.object(botocore.auth, "get_current_datetime", return_value=moment):
        signer.add_auth(request)
    return str(request.headers["Authorization"])


calls = st.tuples(
    st.builds(Credentials, words, words, st.sampled_from(["", "a-token/+="])),
    words,
    st.just("dynamodb"),
    st.builds(headers_of, hosts, words, st.datetimes(FIRST, LAST)),
    st.binary(max_size=200),
)


@given(calls)
def test_a_signature_is_botocores(
    call: tuple[Credentials, str, str, dict[str, str], bytes],
) -> None:
    credentials, region, service, headers, body = call
    if credentials.token:
        headers = dict(sorted({**headers, "x-amz-security-token": credentials.token}.items()))
    made = authorization(credentials, region, service, headers, sha256(body).hexdigest())
    assert made == botocores(credentials, region, service, headers, body)


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """An environment that holds no credentials and leads to none."""
    for name in list(os.environ):
        if name.startswith("AWS_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
    monkeypatch.setenv("BOTO_CONFIG", os.devnull)
    return monkeypatch


def test_a_functions_own_credentials_need_no_botocore(bare: pytest.MonkeyPatch) -> None:
    bare.setenv("AWS_ACCESS_KEY_ID", "key")
    bare.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    with mock.patch("botocore.session.get_session", side_effect=AssertionError):
        assert credentials_source()() == Credentials("key", "secret", "")
        bare.setenv("AWS_SESSION_TOKEN", "token")
        assert credentials_source()() == Credentials("key", "secret", "token")


def test_without_credentials_nothing_is_opened(bare: pytest.MonkeyPatch) -> None:
    with pytest.raises(InvalidSettings, match="no AWS credentials"):
        credentials_source()


def test_credentials_in_the_environment_that_expire_are_read_again(
    bare: pytest.MonkeyPatch,
) -> None:
    def issue(number: int, minutes: int) -> None:
        bare.setenv("AWS_ACCESS_KEY_ID", f"key-{number}")
        bare.setenv("AWS_SECRET_ACCESS_KEY", "secret")
        bare.setenv("AWS_SESSION_TOKEN", "token")
        until = datetime.now(UTC) + timedelta(minutes=minutes)
        bare.setenv("AWS_CREDENTIAL_EXPIRATION", until.isoformat())

    # botocore renews what has less than ten minutes left.
    issue(1, 5)
    current = credentials_source()
    assert current().access_key == "key-1"
    issue(2, 60)
    assert current().access_key == "key-2"
    issue(3, 60)
    assert current().access_key == "key-2"


def issued(key: str, minutes: int) -> Reply:
    """Credentials as a container's local server gives them."""
    until = datetime.now(UTC) + timedelta(minutes=minutes)
    credentials = {
        "AccessKeyId": key,
        "SecretAccessKey": "secret",
        "Token": "token",
        "Expiration": until.isoformat(),
    }
    return Reply(body=json.dumps(credentials).encode())


def test_credentials_of_a_container_are_renewed(bare: pytest.MonkeyPatch) -> None:
    """As with SnapStart, where they come from a local server."""
    minutes = iter([5, 60])

    def issue(request: Request) -> Reply:
        return issued(f"key-{len(server.requests)}", next(minutes))

    with scripted(issue) as server:
        bare.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", f"{server.url}/credentials")
        current = credentials_source()
        assert current() == Credentials("key-2", "secret", "token")
        assert current() == Credentials("key-2", "secret", "token")
    assert len(server.requests) == 2


def test_credentials_that_cannot_be_renewed_are_waited_for(bare: pytest.MonkeyPatch) -> None:
    minutes = iter([1, 60])

    def issue(request: Request) -> Reply:
        if len(server.requests) == 2:
            return Reply(500)
        return issued("key", next(minutes))

    with scripted(issue) as server:
        bare.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", f"{server.url}/credentials")
        current = credentials_source()
        # In their last minutes they have to be renewed.
        with (
            mock.patch(
                "botocore.credentials.ContainerMetadataFetcher.RETRY_ATTEMPTS", 1, create=True
            ),
            mock.patch("botocore.utils.ContainerMetadataFetcher.RETRY_ATTEMPTS", 1),
            pytest.raises(Unavailable, match="could not be renewed") as caught,
        ):
            current()
        assert caught.value.hint
        assert current().token == "token"
