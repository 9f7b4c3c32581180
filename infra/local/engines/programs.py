"""The real engines, each as the command that runs it; beside them, S3, SQS and SNS stay embedded.

Each is made to listen on 127.0.0.1 alone, and keeps its state in the folder it is given.
"""

import http.client
import shutil
from collections.abc import Collection, Sequence
from pathlib import Path

from infra.local.engines.fetch import jars, java
from infra.local.servers.ports import LOOPBACK
from infra.local.servers.programs import AWS, CACHE, answers
from infra.local.servers.server import Program

# A cold start of OpenSearch takes ten seconds, and a multiple of that where others work too.
REAL_READY_SECONDS = 180.0
REDIS = "redis-server"
_PROBE_SECONDS = 5.0
# The first compiler alone: no run here is long enough to win back what the second one costs.
_JVM = (
    "-Xms128m",
    "-Xmx640m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    # Otherwise they listen on IPv6 sockets, which serve IPv4 too and hide from /proc/net/tcp.
    "-Djava.net.preferIPv4Stack=true",
)


def real_programs(given: Collection[str] = ()) -> tuple[Program, ...]:
    """All servers of one machine, real where there is a real one; jars are fetched if needed.

    Redis is Debian's `redis-server` if it is on the PATH, else Valkey, the same as embedded.

    Args:
        given: which of `aws`, `cache` and `search` are elsewhere; DynamoDB belongs to `aws`.

    Raises EngineMissing, with what is missing.
    """
    programs: list[Program] = []
    if "aws" not in given:
        programs += (AWS, dynamodb())
    if "cache" not in given:
        programs.append(redis())
    if "search" not in given:
        programs.append(opensearch())
    return tuple(programs)


def dynamodb() -> Program:
    """DynamoDB Local, with its Streams. Raises EngineMissing."""
    program, folder = java(), jars("dynamodb")

    def command(port: int, place: Path) -> Sequence[str]:
        return [
            program,
            *_JVM,
            f"-Djava.library.path={folder}",
            *("-cp", f"{folder}/*"),
            _launcher("DynamoDbLauncher"),
            # Whoever signs with whatever key and region: one database.
            *("-sharedDb", "-dbPath", str(place)),
            *("-port", str(port)),
            "-disableTelemetry",
        ]

    return Program(
        name="dynamodb",
        command=command,
        environment=lambda _port, _folder: {"DDB_LOCAL_TELEMETRY": "0"},
        ready=_refuses_the_unsigned,
        url=AWS.url,
    )


def opensearch() -> Program:
    """A node of OpenSearch. Raises EngineMissing."""
    program, folder = java(), jars("search")

    def command(port: int, place: Path) -> Sequence[str]:
        arguments = (_launcher("SearchLauncher"), str(place), str(port))
        return [program, *_JVM, "-cp", f"{folder}/*", *arguments]

    return Program(
        name="search",
        command=command,
        ready=lambda port: answers(port, "/_cluster/health?wait_for_status=yellow&timeout=1s"),
        url=AWS.url,
    )


def redis() -> Program:
    """Redis, where it is installed; else the embedded Valkey."""
    program = shutil.which(REDIS)
    if program is None:
        return CACHE

    def command(port: int, place: Path) -> Sequence[str]:
        return [program, *CACHE.command(port, place)[1:]]

    return Program(name="cache", command=command, ready=CACHE.ready, url=CACHE.url)


def _launcher(name: str) -> str:
    return str(Path(__file__).with_name(f"{name}.java"))


def _refuses_the_unsigned(port: int) -> bool:
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=_PROBE_SECONDS)
    try:
        connection.request("GET", "/")
        return connection.getresponse().status == 400
    except http.client.HTTPException:
        return False
    finally:
        connection.close()
