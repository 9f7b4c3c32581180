"""One suite, two engines: tests run against the embedded servers and against the real ones.

A fixture with `params=ENGINES` asks for `real_servers` when its parameter says so. Leave the real
ones out with `-m "not real"`, or run nothing else with `-m real`.

What the machine lacks is named in the skip. There is no other skip: where Java and Maven are, an
engine that does not start is a failure.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from typing import Any

import pytest

from infra.local.engines.fetch import PROFILES, RegistryAway, jars, missing
from infra.local.engines.programs import REDIS, redis
from infra.local.servers import Engines, LocalServers
from infra.local.servers.programs import CACHE
from infra.local.servers.server import Program

EMBEDDED = str(Engines.EMBEDDED)
REAL = str(Engines.REAL)

# Whichever of them comes first fetches the engines and starts them, on a busy machine maybe.
ON_REAL_ENGINES = (pytest.mark.real, pytest.mark.registry, pytest.mark.timeout(600))
ENGINES = [EMBEDDED, pytest.param(REAL, marks=ON_REAL_ENGINES)]
CACHES = ["valkey", pytest.param("redis", marks=pytest.mark.real)]


def need_real_engines() -> None:
    """Have the real engines' jars here; skips if the machine or the registry cannot give them."""
    if lacking := missing():
        pytest.skip("; ".join(lacking))
    try:
        for profile in PROFILES:
            jars(profile)
    except RegistryAway as failure:
        pytest.skip(f"no Maven registry is reached: {failure.reason}")


def running_real_servers() -> Iterator[LocalServers]:
    """All servers, real where there is a real one; the body of a session fixture."""
    need_real_engines()
    with LocalServers(engines=Engines.REAL) as running:
        yield running


def chosen(request: pytest.FixtureRequest, embedded: str = "servers") -> Any:
    """The servers that the parameter of the asking fixture names."""
    return request.getfixturevalue("real_servers" if request.param == REAL else embedded)


def cache_program(name: str) -> Program:
    """The cache server of one of CACHES; skips without it."""
    if name == "valkey":
        return CACHE
    if shutil.which(REDIS) is None:
        pytest.skip(f"`{REDIS}` is not on the PATH; on Debian: apt-get install {REDIS}")
    return redis()
