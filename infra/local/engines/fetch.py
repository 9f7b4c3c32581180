"""Brings the engines that are written in Java onto this machine, once, through Maven.

`pom.xml` pins their versions. The jars of each engine go into a folder of their own under the
user's cache folder; its name follows from `pom.xml`, so that another version is another folder.
"""

import fcntl
import hashlib
import os
import platform
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from shared.errors import FanoutError

POM = Path(__file__).with_name("pom.xml")
PROFILES = ("dynamodb", "search")
"""The Maven profile of each Java engine."""

# A slow line brings 100 MB in that time.
_FETCH_SECONDS = 600
_TOLD_LINES = 3
# How Maven says that a repository gave no answer; that something is not in it, it says otherwise.
_AWAY = ("Could not transfer", "failed to transfer", "offline mode")
_COPY = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies"
# DynamoDB Local keeps its tables in SQLite, whose library it brings for these machines alone.
_DYNAMODB_MACHINES = frozenset({"x86_64", "amd64"})


class EngineMissing(FanoutError):
    """A real engine cannot be had on this machine; `reason` names what is missing."""


class FetchFailed(EngineMissing):
    """Maven is there, but did not bring the engine."""


class RegistryAway(FetchFailed):
    """No Maven repository could be reached."""


def java() -> str:
    """The `java` to run engines with. Raises EngineMissing."""
    return _program("java", "a JDK of version 17 or newer", "openjdk-17-jdk-headless")


def missing() -> list[str]:
    """What this machine lacks for the Java engines, each as a sentence; empty if nothing."""
    found = []
    for look in (java, _maven, _check_machine):
        try:
            look()
        except EngineMissing as error:
            found.append(error.reason)
    return found


def jars(profile: str) -> Path:
    """The folder with an engine's jars; fetched if it is not there yet.

    Raises EngineMissing if Java or Maven is not there, FetchFailed if Maven failed, RegistryAway
    if that is because it reached no repository.
    """
    java()
    if profile == "dynamodb":
        _check_machine()
    # The plugin's version is part of what is fetched, and stands here.
    digest = hashlib.sha256(POM.read_bytes() + _COPY.encode()).hexdigest()[:12]
    engines = _cache_folder() / "engines"
    folder = engines / f"{profile}-{digest}"
    if folder.is_dir():
        return folder
    maven = _maven()
    engines.mkdir(parents=True, exist_ok=True)
    with (engines / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two runs would fetch it twice, at the same time
        if not folder.is_dir():
            _fetch(maven, profile, folder)
    return folder


def _fetch(maven: str, profile: str, folder: Path) -> None:
    draft = Path(tempfile.mkdtemp(prefix="fetching-", dir=folder.parent))
    try:
        _run(
            [
                *(maven, "--quiet", "--batch-mode", "--file", str(POM)),
                *(f"--activate-profiles={profile}", _COPY),
                *(f"-DoutputDirectory={draft}", "-DincludeScope=runtime"),
            ]
        )
        draft.rename(folder)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _run(command: Sequence[str]) -> None:
    hint = "it needs a Maven repository that mirrors Maven Central: see your settings.xml"
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=_FETCH_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise RegistryAway(f"Maven was not done in {_FETCH_SECONDS} s", hint=hint) from error
    if done.returncode != 0:
        said = done.stdout.decode("utf-8", "replace").strip()
        kind = RegistryAway if any(words in said for words in _AWAY) else FetchFailed
        first = "\n".join(said.splitlines()[:_TOLD_LINES])
        raise kind(f"Maven ended with code {done.returncode} and says:\n{first}", hint=hint)


def _maven() -> str:
    return _program("mvn", "Maven", "maven")


def _program(name: str, what: str, package: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise EngineMissing(
            f"real engines need {what}: `{name}` is not on the PATH",
            hint=f"on Debian: apt-get install {package}; the embedded servers need none of it",
        )
    return found


def _check_machine() -> None:
    machine = platform.machine().lower()
    if machine not in _DYNAMODB_MACHINES:
        raise EngineMissing(
            f"DynamoDB Local has no SQLite library for a machine of type {machine}",
            hint="use the embedded servers, or name an endpoint of your own",
        )


def _cache_folder() -> Path:
    # As the XDG Base Directory Specification says: a relative path is to be ignored.
    named = Path(os.environ.get("XDG_CACHE_HOME", ""))
    return (named if named.is_absolute() else Path.home() / ".cache") / "fanout"
