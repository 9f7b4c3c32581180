"""The servers of one machine, as one thing to start, look at and stop."""

import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import Self

from infra.local.endpoints import endpoint_variables
from infra.local.servers.programs import PROGRAMS
from infra.local.servers.server import READY_SECONDS, Program, Server, ServerStatus
from infra.local.servers.state import StateFolder
from shared.errors import FanoutError

REGION = "us-east-1"
# Letters and digits alone: DynamoDB Local takes no other.
DUMMY_KEY = "fanoutlocal"
_ENGINES = "engines"
AWS_ITSELF = "aws"
"""Given as `Given.aws`: the real AWS, with the caller's own credentials and region."""


class Engines(StrEnum):
    """What the servers that we start are."""

    EMBEDDED = "embedded"
    """From PyPI alone."""
    REAL = "real"
    """DynamoDB Local, OpenSearch and Redis; needs Java and Maven. S3, SQS, SNS stay embedded."""


class OtherEngines(FanoutError):
    """The state folder belongs to another kind of engines."""


@dataclass(frozen=True, slots=True)
class Given:
    """Endpoints to use instead of a server of ours; a server whose endpoint is given is not
    started.

    Attributes:
        aws: URL of another emulator, or `AWS_ITSELF`.
        cache: `redis://` or `rediss://` URL.
        search: `http://` or `https://` URL of an OpenSearch.
        dynamodb: URL of DynamoDB and its Streams, where `aws` is given and has none.
    """  # noqa: D205

    aws: str | None = None
    cache: str | None = None
    search: str | None = None
    dynamodb: str | None = None


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Where the three are, and how to sign in.

    Attributes:
        aws_url: endpoint for every AWS service but those named here; None for AWS's own.
        cache_url: `redis://host:port/database`.
        search_url: base URL of OpenSearch, without a slash at the end.
        region: of all AWS clients; None for the caller's own.
        access_key: dummy credentials, which an emulator takes; None for the caller's own.
        secret_key: belongs to `access_key`.
        dynamodb_url: endpoint for DynamoDB and its Streams, if that is another server.
    """

    aws_url: str | None
    cache_url: str
    search_url: str
    region: str | None = REGION
    access_key: str | None = DUMMY_KEY
    secret_key: str | None = DUMMY_KEY
    dynamodb_url: str | None = None

    def aws_url_of(self, service: str) -> str | None:
        """The endpoint of one AWS service, by boto's name for it."""
        return self.dynamodb_url if self.dynamodb_url and "dynamodb" in service else self.aws_url

    def environment(self) -> Mapping[str, str]:
        """The variables by which an AWS SDK in a process of ours finds the AWS server."""
        values = {
            "AWS_REGION": self.region,
            "AWS_DEFAULT_REGION": self.region,
            "AWS_ACCESS_KEY_ID": self.access_key,
            "AWS_SECRET_ACCESS_KEY": self.secret_key,
        }
        endpoints = (
            endpoint_variables(self.aws_url, self.dynamodb_url or "") if self.aws_url else {}
        )
        return endpoints | {name: value for name, value in values.items() if value is not None}


class LocalServers:
    """The embedded servers, started together and supervised.

    ```python
    with LocalServers(state=Path("state")) as servers:
        use(servers.endpoints)
    ```

    With a state folder, what AWS acknowledged is there again in the next run; cache and embedded
    search start empty, as projections do. Without one, everything is temporary and removed at the
    end. All servers end with this process, however it ends.
    """

    def __init__(
        self,
        state: Path | None = None,
        given: Given | None = None,
        engines: Engines = Engines.EMBEDDED,
    ) -> None:
        self._state = state
        self._given = given or Given()
        self._engines = engines
        self._folder: StateFolder | None = None
        self._servers: dict[str, Server] = {}

    def __enter__(self) -> Self:
        """Start all servers in parallel and wait until each answers.

        Raises StateTaken if another process uses the state folder, OtherEngines if its state is of
        other engines, ServerFailed if a server does not come up, EngineMissing if a real one
        cannot be had; then none is left running.
        """
        programs, ready_seconds = self._programs()
        self._folder = StateFolder(self._state)
        folder = self._folder.path
        self._claim(folder)
        self._servers = {
            program.name: Server(
                program, folder / program.name, folder / "logs", ready_seconds=ready_seconds
            )
            for program in programs
        }
        try:
            with ThreadPoolExecutor(max_workers=len(programs) or 1) as pool:
                starts = [pool.submit(server.start) for server in self._servers.values()]
            for start in starts:
                start.result()
        except BaseException:
            self.close()
            raise
        return self

    def _claim(self, folder: Path) -> None:
        """Note whose state it is: a table of one engine and the archive of another are no pair."""
        note = folder / _ENGINES
        kept = note.read_text(encoding="ascii") if note.exists() else ""
        if not kept and (folder / "aws").exists():
            kept = Engines.EMBEDDED  # by a version that knew no other
        if kept and kept != self._engines:
            self.close()
            raise OtherEngines(
                f"{folder} holds the state of {kept} engines",
                hint=f"choose another state folder, or start it with --engines {kept}",
            )
        note.write_text(self._engines, encoding="ascii")

    def _programs(self) -> tuple[tuple[Program, ...], float]:
        """What is to be started, less what is given; and how long each may take, in seconds."""
        given = {name for name, url in asdict(self._given).items() if url is not None}
        if self._engines is Engines.EMBEDDED:
            return tuple(each for each in PROGRAMS if each.name not in given), READY_SECONDS
        from infra.local.engines import REAL_READY_SECONDS, real_programs

        return real_programs(given), REAL_READY_SECONDS

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop everything."""
        self.close()

    def close(self) -> None:
        """Stop all servers and let go of the state folder. Idempotent."""
        for server in reversed(self._servers.values()):
            server.stop()
        self._servers = {}
        if self._folder is not None:
            self._folder.close()
            self._folder = None

    @property
    def folder(self) -> Path:
        """The state folder, also for what others want to keep beside the servers."""
        if self._folder is None:
            raise ValueError("the servers are not started: use `with LocalServers(...) as servers`")
        return self._folder.path

    @property
    def endpoints(self) -> Endpoints:
        """Where clients find the servers, ours or given. Stable while we run."""
        given_aws = self._given.aws
        aws_itself = given_aws == AWS_ITSELF
        return Endpoints(
            aws_url=None if aws_itself else given_aws or self["aws"].url,
            cache_url=self._given.cache or self["cache"].url,
            search_url=self._given.search or self["search"].url,
            region=os.environ.get("AWS_REGION") if aws_itself else REGION,
            access_key=None if aws_itself else DUMMY_KEY,
            secret_key=None if aws_itself else DUMMY_KEY,
            dynamodb_url=self["dynamodb"].url
            if "dynamodb" in self._servers
            else self._given.dynamodb,
        )

    def __getitem__(self, name: str) -> Server:
        """One of our servers, by its program's name: to stop it and start it again."""
        return self._servers[name]

    def status(self) -> tuple[ServerStatus, ...]:
        """What each of our servers does now."""
        return tuple(server.status() for server in self._servers.values())
