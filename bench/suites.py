"""The suites by name; each is imported only when it is asked for."""

import importlib
from collections.abc import Iterable

from bench.figures import Figure, Scale

# Each is `bench.<name>` with `measure(scale) -> list[Figure]`.
SUITES = (
    "decode",
    "core",
    "filters",
    "handlers",
    "cold_start",
    "pipeline",
    "verify",
    "costs",
)


def measure(name: str, scale: Scale) -> list[Figure]:
    """Measure one suite. Raises KeyError for a name that is none, ImportError for one not there."""
    if name not in SUITES:
        raise KeyError(name)
    figures: list[Figure] = importlib.import_module(f"bench.{name}").measure(scale)
    return figures


def unknown(names: Iterable[str]) -> list[str]:
    """Those of `names` that are no suite."""
    return [name for name in names if name not in SUITES]
