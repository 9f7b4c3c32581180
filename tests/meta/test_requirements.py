"""pyproject.toml, the locks and the imports say the same."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterable, Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.meta import project

LOCKS = ("runtime", "local", "dev")
PINNED = re.compile(r"^(?P<name>[a-z0-9][a-z0-9-]*)==(?P<version>[^ ;]+)(?: ;[^\\]*)? \\$")
# Of Python 3.14, used where it is there.
STANDARD = sys.stdlib_module_names | {"compression"}
FIRST_PARTY = {*project.PACKAGES, "bench", "tests"}
# Which lock must hold what a folder imports. Anything else runs with everything installed.
LOCK_OF = {
    "consumers": "runtime",
    "shared": "runtime",
    "dashboards": "runtime",
    "infra/local": "local",
    "ops": "local",
    "infra/aws": "dev",
}


def lock(name: str) -> str:
    return (project.ROOT / "requirements" / f"{name}.txt").read_text(encoding="utf-8")


def pins(name: str) -> dict[str, str]:
    found = (PINNED.match(line) for line in lock(name).splitlines())
    return {pin["name"]: pin["version"] for pin in found if pin}


def direct(name: str) -> list[Requirement]:
    """What pyproject.toml asks for, as far as the lock `name` must hold it."""
    declared = project.pyproject()
    asked = list(declared["project"]["dependencies"])
    if name != "runtime":
        asked += declared["project"]["optional-dependencies"]["local"]
        asked += declared["dependency-groups"]["build"]
    if name == "dev":
        asked += declared["project"]["optional-dependencies"]["aws"]
        asked += declared["project"]["optional-dependencies"]["dev"]
    parsed = [Requirement(line) for line in asked]
    return [requirement for requirement in parsed if requirement.name != "fanout"]


def run_time_nodes(node: ast.AST) -> Iterator[ast.AST]:
    """Every node but those that only a type checker reads."""
    yield node
    children: Iterable[ast.AST] = ast.iter_child_nodes(node)
    if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
        children = node.orelse
    for child in children:
        yield from run_time_nodes(child)


def imported(folder: str) -> dict[str, Path]:
    """Top-level names that a folder imports from elsewhere, each with one file that does."""
    names: dict[str, Path] = {}
    if not (project.ROOT / folder).is_dir():
        return names
    for path in project.files(".py", under=project.ROOT / folder):
        for node in run_time_nodes(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names |= {alias.name.split(".")[0]: path for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
                names[node.module.split(".")[0]] = path
    return {name: path for name, path in names.items() if name not in STANDARD | FIRST_PARTY}


@pytest.mark.parametrize("name", LOCKS)
def test_every_direct_dependency_is_pinned_within_its_range(name: str) -> None:
    pinned = pins(name)
    for requirement in direct(name):
        version = pinned.get(canonicalize_name(requirement.name))
        assert version is not None, f"{requirement} is not in the lock: make lock"
        assert requirement.specifier.contains(version), f"{requirement}, but {version}: make lock"


@pytest.mark.parametrize("name", LOCKS)
def test_every_line_of_a_lock_is_a_pin_a_hash_or_a_comment(name: str) -> None:
    text = lock(name)
    line_is_known = re.compile(r"    --hash=sha256:[0-9a-f]{64}( \\)?|    #.*")
    odd = [
        line
        for line in text.splitlines()
        if not PINNED.match(line) and not line_is_known.fullmatch(line)
    ]
    assert not odd
    for block in re.split(r"\n(?=[a-z0-9])", text.rstrip()):
        assert "--hash=sha256:" in block, f"no hash: {block}"


def test_the_locks_agree_and_each_contains_the_one_before() -> None:
    runtime, local, dev = (pins(name) for name in LOCKS)
    assert runtime.items() <= local.items() <= dev.items()
    assert runtime


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_names_no_place_to_fetch_from(name: str) -> None:
    assert "//" not in lock(name)


def test_the_build_backend_is_the_locked_one() -> None:
    declared = project.pyproject()
    assert declared["build-system"]["requires"] == declared["dependency-groups"]["build"]


@pytest.mark.parametrize(("folder", "name"), LOCK_OF.items(), ids=LOCK_OF)
def test_what_is_imported_is_asked_for(folder: str, name: str) -> None:
    """An import that only a transitive dependency brings breaks when that one moves on."""
    asked = {canonicalize_name(requirement.name) for requirement in direct(name)}
    distributions = packages_distributions()
    missing = {
        module: project.relative(path)
        for module, path in imported(folder).items()
        if not asked & set(map(canonicalize_name, distributions.get(module, ())))
    }
    assert not missing, f"not among the dependencies that {folder} may count on"


def test_imports_for_types_alone_ask_for_nothing() -> None:
    code = "if TYPE_CHECKING:\n  import a\nelse:\n  import b\ndef f():\n  import c"
    nodes = run_time_nodes(ast.parse(code))
    seen = [node.names[0].name for node in nodes if isinstance(node, ast.Import)]
    assert seen == ["b", "c"]
