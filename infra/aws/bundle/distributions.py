"""Where packages come from: wheels for Lambda's processors, or what is installed here.

Both give the same thing: for the name of a distribution, its files by their path.
"""

import platform
import re
import zipfile
from collections.abc import Iterator, Mapping
from importlib import metadata
from pathlib import Path
from typing import Protocol

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from shared.errors import InvalidSettings

# Of a distribution's own folder only what names it and its license is of use.
_KEPT_METADATA = re.compile(r"[^/]+\.dist-info/(METADATA|licenses/.*|LICENSE.*|COPYING.*|NOTICE.*)")


class Distributions(Protocol):
    """Packages that can go into a bundle."""

    def names_of(self, package: str) -> set[str]:
        """Distributions that hold the top-level `package`."""

    def files(self, name: str) -> Mapping[str, bytes]:
        """The files of a distribution, by their path below site-packages."""

    def requirements(self, name: str) -> list[str]:
        """What a distribution says it needs, as in its metadata."""


def is_carried(path: str) -> bool:
    """Whether a file of a distribution goes into a bundle."""
    if ".." in path or "__pycache__" in path or path.endswith((".pyc", ".pyi", "/py.typed")):
        return False
    if ".dist-info/" in path:
        return _KEPT_METADATA.fullmatch(path) is not None
    return ".data/" not in path


class Installed:
    """What is installed beside the interpreter that runs this: to try a bundle on this machine."""

    def __init__(self) -> None:
        """Look once: it reads every distribution's record."""
        self._packages = metadata.packages_distributions()
        self._files: dict[str, Mapping[str, bytes]] = {}

    def names_of(self, package: str) -> set[str]:
        """By what pip recorded."""
        names = self._packages.get(package, ())
        return {canonicalize_name(name) for name in names}

    def files(self, name: str) -> Mapping[str, bytes]:
        """By what pip recorded."""
        if name not in self._files:
            found = [path for path in metadata.files(name) or () if is_carried(str(path))]
            self._files[name] = {str(p): Path(str(p.locate())).read_bytes() for p in found}
        return self._files[name]

    def requirements(self, name: str) -> list[str]:
        """By its metadata."""
        return metadata.requires(name) or []


class Wheels:
    """A folder of wheels, as `python -m infra.aws.bundle.fetch` fills it."""

    def __init__(self, folder: Path) -> None:
        """Raises InvalidSettings if there is none."""
        self._paths = {
            canonicalize_name(path.name.partition("-")[0]): path
            for path in sorted(folder.glob("*.whl"))
        }
        self._files: dict[str, Mapping[str, bytes]] = {}
        if not self._paths:
            raise InvalidSettings(f"no wheels in {folder}", hint="fetch them: make wheels")

    def names_of(self, package: str) -> set[str]:
        """By the files of each wheel."""
        starts = (f"{package}/", f"{package}.")
        return {
            name
            for name in self._paths
            if any(path.startswith(starts) for path in self._listed(name))
        }

    def files(self, name: str) -> Mapping[str, bytes]:
        """Out of its wheel."""
        if name not in self._files:
            with zipfile.ZipFile(self._path(name)) as wheel:
                listed = [path for path in wheel.namelist() if not path.endswith("/")]
                self._files[name] = {p: wheel.read(p) for p in listed if is_carried(p)}
        return self._files[name]

    def requirements(self, name: str) -> list[str]:
        """By its metadata."""
        metadata_path = next(p for p in self._listed(name) if p.endswith(".dist-info/METADATA"))
        with zipfile.ZipFile(self._path(name)) as wheel:
            text = wheel.read(metadata_path).decode()
        head = text.partition("\n\n")[0].splitlines()
        return [line.partition(": ")[2] for line in head if line.startswith("Requires-Dist: ")]

    def _path(self, name: str) -> Path:
        path = self._paths.get(canonicalize_name(name))
        if path is None:
            raise InvalidSettings(f"no wheel of {name}", hint="fetch them again: make wheels")
        return path

    def _listed(self, name: str) -> list[str]:
        with zipfile.ZipFile(self._path(name)) as wheel:
            return wheel.namelist()


def _full_version(python: str) -> str:
    """This machine's own patch version where it is the version asked for, else a late one.

    Lambda keeps its patch versions up to date; a bundle that a test runs here may be on an early
    one.
    """
    ours = platform.python_version()
    return ours if ours.startswith(f"{python}.") else f"{python}.9"


def needed(
    distributions: Distributions, packages: set[str], python: str, without: frozenset[str]
) -> Iterator[str]:
    """The distributions of `packages` with all that they require, each once, in order.

    Args:
        distributions: where they come from.
        packages: top-level names that our code imports.
        python: version that will run them, such as `3.13`.
        without: distributions to leave out.
    """
    # Lambda, whatever machine builds.
    target = {
        "python_version": python,
        "python_full_version": _full_version(python),
        "sys_platform": "linux",
        "platform_system": "Linux",
        "platform_machine": "aarch64",
        "platform_python_implementation": "CPython",
        "implementation_name": "cpython",
        "os_name": "posix",
        "extra": "",
    }
    waiting = sorted(name for each in packages for name in distributions.names_of(each))
    done: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name in done or name in without:
            continue
        done.add(name)
        for text in distributions.requirements(name):
            requirement = Requirement(text)
            if requirement.marker is None or requirement.marker.evaluate(target):
                waiting.append(canonicalize_name(requirement.name))
    yield from sorted(done)
