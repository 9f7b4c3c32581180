"""What every test may use: hypothesis profiles and the recorded material beside the repository."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from infra.local.servers import LocalServers
from tests.support.engines import ENGINES, chosen, running_real_servers

ROOT = Path(__file__).resolve().parent.parent

# No deadlines: a shared machine pauses any example now and then, and that is no fault of the code.
settings.register_profile("dev", deadline=None)
# In CI the same examples on every run, so that a red build is red for its author alone.
settings.register_profile(
    "ci", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("ci" if os.environ.get("CI") else "dev")


@pytest.fixture(scope="session")
def shared_testdata() -> Path:
    """The folder of material recorded from AWS, kept beside the repository; skips without it.

    For tests that check the whole of it. What must hold everywhere stands in our own form in
    `tests/`, so that a clone alone is enough to pass.
    """
    folder = ROOT.parent / "shared" / "testdata"
    if not folder.is_dir():
        pytest.skip(f"recorded material is not here: no folder {folder}")
    return folder


@pytest.fixture(scope="session")
def servers() -> Iterator[LocalServers]:
    """All embedded servers, started once for a whole run; each test takes names of its own."""
    with LocalServers() as running:
        yield running


@pytest.fixture(scope="session")
def real_servers() -> Iterator[LocalServers]:
    """DynamoDB Local, OpenSearch and Redis, started once for a whole run; skips without Java."""
    yield from running_real_servers()


@pytest.fixture(scope="session", params=ENGINES)
def either_servers(request: pytest.FixtureRequest) -> LocalServers:
    """The embedded servers, and then the real ones: a test that asks for it runs on both."""
    servers = chosen(request)
    assert isinstance(servers, LocalServers)
    return servers
