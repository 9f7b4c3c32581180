"""Fetching the real engines: once, pinned, and with a clear word on what is missing."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from infra.local.deployment import Deployment
from infra.local.endpoints import endpoint_variables
from infra.local.engines import fetch
from infra.local.engines.fetch import EngineMissing, FetchFailed, jars, missing
from infra.local.engines.programs import real_programs
from infra.local.servers import Endpoints, Engines, Given, LocalServers
from infra.local.servers.stack import OtherEngines
from tests.support.engines import need_real_engines

ROOT = Path(__file__).resolve().parents[3]
NOWHERE = Given("http://127.0.0.1:1", "redis://127.0.0.1:1", "http://127.0.0.1:1")


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is all of the PATH, with a `java`; the cache folder is empty."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    script(folder / "java", "exit 0")
    return folder


def script(file: Path, *lines: str) -> None:
    file.write_text("\n".join(("#!/bin/sh", *lines, "")))
    file.chmod(0o755)


def maven(folder: Path, *lines: str) -> Path:
    """A `mvn` that writes down how often it ran, makes one jar, and then does `lines`."""
    count = folder / "count"
    script(
        folder / "mvn",
        f"echo run >> {count}",
        'for each in "$@"; do case $each in -DoutputDirectory=*)',
        '  echo jar > "${each#-DoutputDirectory=}/engine.jar";; esac; done',
        *lines,
    )
    return count


def test_without_java_the_error_names_it(path: Path) -> None:
    (path / "java").unlink()
    with pytest.raises(EngineMissing, match="`java` is not on the PATH") as caught:
        jars("search")
    assert "apt-get install openjdk" in str(caught.value)
    assert any("java" in each for each in missing())


def test_without_maven_the_error_names_it(path: Path) -> None:
    with pytest.raises(EngineMissing, match="`mvn` is not on the PATH"):
        jars("search")
    assert [each for each in missing() if "mvn" in each]


def test_another_machine_has_no_dynamodb_local(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.machine", lambda: "aarch64")
    with pytest.raises(EngineMissing, match="machine of type aarch64"):
        jars("dynamodb")


def test_an_engine_is_fetched_once(path: Path) -> None:
    count = maven(path)
    folder = jars("search")
    assert [each.name for each in folder.iterdir()] == ["engine.jar"]
    assert jars("search") == folder
    assert jars("dynamodb") != folder
    assert count.read_text() == "run\n" * 2


def test_another_version_is_another_folder(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    maven(path)
    before = jars("search")
    changed = tmp_path / "pom.xml"
    changed.write_text(fetch.POM.read_text().replace("2.19", "2.20"))
    monkeypatch.setattr(fetch, "POM", changed)
    assert jars("search") != before


def test_a_fetch_that_failed_leaves_nothing_and_says_why(path: Path, tmp_path: Path) -> None:
    maven(path, "echo 'Could not transfer artifact'", "exit 1")
    with pytest.raises(FetchFailed, match="Could not transfer artifact"):
        jars("search")
    assert [each.name for each in (tmp_path / "cache/fanout/engines").iterdir()] == ["lock"]
    maven(path)
    assert jars("search").is_dir()


@pytest.mark.parametrize("said", ["Could not transfer artifact x", "x failed to transfer from y"])
def test_a_registry_out_of_reach_is_skipped_by_name(
    path: Path, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    maven(path, f"echo '{said}'", "exit 1")
    with pytest.raises(pytest.skip.Exception, match="no Maven registry is reached"):
        need_real_engines()


def test_a_missing_version_is_no_reason_to_skip(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    maven(path, "echo 'Could not find artifact x'", "exit 1")
    with pytest.raises(FetchFailed):
        need_real_engines()


def test_versions_are_pinned() -> None:
    versions = re.findall(r"<version>([^<]+)</version>", fetch.POM.read_text())
    assert "2.19.1.0" in versions
    assert all(re.fullmatch(r"\d+(\.\d+)*", version) for version in versions)


def test_what_is_given_is_neither_fetched_nor_started(path: Path) -> None:
    assert real_programs({"aws", "cache", "search"}) == ()
    with LocalServers(given=NOWHERE, engines=Engines.REAL) as servers:
        assert servers.status() == ()
        assert servers.endpoints.dynamodb_url is None


def test_the_command_line_says_what_is_missing(path: Path, tmp_path: Path) -> None:
    (path / "java").unlink()
    done = subprocess.run(
        [sys.executable, "-m", "ops.cli", "up", "--engines", "real", "--state", str(tmp_path)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode != 0
    assert "`java` is not on the PATH" in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


def test_a_state_folder_belongs_to_one_kind_of_engines(tmp_path: Path) -> None:
    with LocalServers(tmp_path, NOWHERE, Engines.REAL):
        pass
    with LocalServers(tmp_path, NOWHERE, Engines.REAL):
        pass
    with (
        pytest.raises(OtherEngines, match="holds the state of real engines"),
        LocalServers(tmp_path, NOWHERE),
    ):
        pass
    with LocalServers(tmp_path, NOWHERE, Engines.REAL):
        pass  # and it is not locked either


def test_dynamodb_has_variables_of_its_own() -> None:
    assert endpoint_variables("http://a", "http://d") == {
        "AWS_ENDPOINT_URL": "http://a",
        "AWS_ENDPOINT_URL_DYNAMODB": "http://d",
        "AWS_ENDPOINT_URL_DYNAMODB_STREAMS": "http://d",
    }
    alone = endpoint_variables("http://a")
    assert set(alone.values()) == {"http://a"}, "the user's own must not lead elsewhere"
    ends = Endpoints("http://a", "", "", dynamodb_url="http://d")
    assert ends.environment()["AWS_ENDPOINT_URL_DYNAMODB"] == "http://d"
    deployment = Deployment(*("r", "http://a", "", "", "", "", "", "", ""), dynamodb_url="http://d")
    assert deployment.aws_environment()["AWS_ENDPOINT_URL_DYNAMODB_STREAMS"] == "http://d"
    assert deployment.aws_environment()["AWS_ENDPOINT_URL"] == "http://a"
