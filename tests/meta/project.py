"""What the project-wide checks look at: the tree, its files and what pyproject.toml says."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("bench", "consumers", "dashboards", "infra", "ops", "shared")
# Hidden folders hold tools' caches and Fanout's own state; these two are ours.
OURS = frozenset({".ci", ".github"})
GENERATED = frozenset({"__pycache__", "build", "dist", "node_modules", "target"})
TEXT = frozenset(
    {"", ".cfg", ".css", ".html", ".in", ".ini", ".java", ".js", ".json", ".jsonl", ".lua", ".md"}
    | {".py", ".sh", ".sql", ".svg", ".toml", ".txt", ".xml", ".yaml", ".yml"}
)


def files(*suffixes: str, under: Path = ROOT) -> Iterator[Path]:
    """Every file of the project below `under`, of these suffixes if any are given, in order."""
    for path in sorted(under.iterdir()):
        if path.is_dir():
            hidden = path.name.startswith(".") and path.name not in OURS
            if not hidden and path.name not in GENERATED and path.suffix != ".egg-info":
                yield from files(*suffixes, under=path)
        elif not suffixes or path.suffix in suffixes:
            yield path


def texts() -> Iterator[tuple[str, str]]:
    """Path from the root and content of every text file."""
    for path in files(*TEXT):
        try:
            yield relative(path), path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue  # no text: what a fuzzer has found worth keeping


def sources() -> list[Path]:
    """Every Python file that is no test."""
    return [path for path in files(".py") if path.relative_to(ROOT).parts[0] != "tests"]


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def pyproject() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
