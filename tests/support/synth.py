"""Synthesis in tests: the stacks of a context, with packages that cost nothing to build."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path

from consumers.registry import REGISTRY
from infra.aws.app import synthesize
from infra.aws.checks.template import Templates
from infra.aws.packages import asset
from infra.aws.stage import Context
from shared.spec import ConsumerSpec

# Sinks that are there already: nothing is made that takes a network.
GIVEN_SINKS = {
    "searchUrl": "https://search.example.org",
    "cacheUrl": "rediss://cache.example.org:6379",
}


class EmptyPackages:
    """Packages without code, whose hash says the module alone: goldens do not change with code."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def code(self, module: str):
        folder = self._folder / module
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "handler.py").write_text("")
        return asset(folder, self.digest(module))

    def digest(self, module: str) -> str:
        return sha256(module.encode()).hexdigest()


def synth(
    folder: Path, context: Mapping[str, str], specs: Sequence[ConsumerSpec] = REGISTRY
) -> Templates:
    """The templates of a context, by the parts that they deploy."""
    return synthesize(
        Context.read(context), EmptyPackages(folder / "packages"), folder / "out", specs
    )
