"""What the AWS server promises about HTTP, seen from outside."""

from __future__ import annotations

import http.client
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from infra.local.servers import LocalServers
from infra.local.servers.ports import LOOPBACK
from tests.support.servers import aws_server, client, unique

_LISTENING = "0A"


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalServers]:
    with aws_server(tmp_path_factory.mktemp("http")) as servers:
        yield servers


@pytest.fixture(scope="module")
def s3(servers: LocalServers) -> Any:
    return client(servers.endpoints, "s3")


@pytest.fixture
def bucket(s3: Any) -> str:
    name = unique("http")
    s3.create_bucket(Bucket=name)
    return name


def test_it_listens_on_loopback_alone(servers: LocalServers) -> None:
    pid, port = servers["aws"].status().pid, servers["aws"].port
    heard = []
    for family in ("tcp", "tcp6"):
        for line in Path(f"/proc/{pid}/net/{family}").read_text().splitlines()[1:]:
            _, local, _, state, *_ = line.split()
            address, _, number = local.rpartition(":")
            if state == _LISTENING and int(number, 16) == port:
                heard.append(address)
    assert heard == [f"{int.from_bytes(socket.inet_aton(LOOPBACK), 'little'):08X}"]


def test_a_big_object_goes_in_and_out(s3: Any, bucket: str) -> None:
    # botocore sends the head first, and the body when it is told to.
    body = os.urandom(1 << 20) * 12
    s3.put_object(Bucket=bucket, Key="a b/ü", Body=body)
    assert s3.get_object(Bucket=bucket, Key="a b/ü")["Body"].read() == body
    assert s3.head_object(Bucket=bucket, Key="a b/ü")["ContentLength"] == len(body)


def test_a_body_that_breaks_off_changes_nothing(
    servers: LocalServers, s3: Any, bucket: str
) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"the whole")
    head = f"PUT /{bucket}/k HTTP/1.1\r\nHost: {LOOPBACK}\r\n"
    for framing, part in (
        ("Content-Length: 9", "half"),
        ("Transfer-Encoding: chunked", "4\r\nhalf"),
    ):
        with socket.create_connection((LOOPBACK, servers["aws"].port), timeout=20) as raw:
            raw.sendall(f"{head}{framing}\r\n\r\n{part}".encode())
            raw.shutdown(socket.SHUT_WR)
            raw.recv(1000)  # until it has noticed
        assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"the whole"


def test_a_chunked_body_is_stored_without_its_framing(
    servers: LocalServers, s3: Any, bucket: str
) -> None:
    connection = http.client.HTTPConnection(LOOPBACK, servers["aws"].port, timeout=20)
    connection.request("PUT", f"/{bucket}/k", iter([b"one ", b"two"]), encode_chunked=True)
    assert connection.getresponse().status == 200
    connection.close()
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"one two"
