"""Who may import whom, and that the rules would notice."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.meta import project

RULES = project.pyproject()["tool"]["importlinter"]
CONTRACTS = {contract["id"]: contract for contract in RULES["contracts"]}


def check(tree: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run import-linter over the packages in `tree`, which come before the installed ones."""
    lint = "from importlinter.cli import lint_imports_command; lint_imports_command()"
    return subprocess.run(
        [sys.executable, "-c", lint, "--no-cache", "--no-logo", *arguments],
        cwd=tree,
        env={"PYTHONPATH": str(tree), "COLUMNS": "200", "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of the code, to be spoiled."""
    for package in project.PACKAGES:
        if (project.ROOT / package).is_dir():
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(project.ROOT / package, tmp_path / package, ignore=ignored)
    shutil.copy(project.ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def test_the_code_keeps_the_rules(tree: Path) -> None:
    # In a copy, so that the cache of a developer's own runs stays out of it.
    run = check(tree)
    assert run.returncode == 0, run.stdout + run.stderr
    assert f"Contracts: {len(CONTRACTS)} kept, 0 broken" in run.stdout


@pytest.mark.parametrize(
    ("contract", "file", "line", "told"),
    [
        ("layers", "shared/codec.py", "import consumers.registry", "shared"),
        ("layers", "consumers/audit/sink.py", "import infra", "infra"),
        ("layers", "infra/__init__.py", "import ops", "ops"),
        (
            "independent-consumers",
            "consumers/audit/projection.py",
            "import consumers.cache.projection",
            "consumers.audit is not allowed to import consumers.cache",
        ),
        (
            "independent-consumers",
            "consumers/totals/sink.py",
            "import consumers.registry",
            "consumers.totals is not allowed to import consumers.registry",
        ),
        ("light", "consumers/metrics/__init__.py", "import redis", "redis"),
        ("light", "consumers/search/projection.py", "def f(): import opensearchpy", "opensearchpy"),
        ("light", "consumers/cache/projection.py", "from shared import clients", "botocore"),
        ("light", "consumers/registry.py", "import botocore.session", "botocore"),
        ("stacks", "infra/aws/app.py", "import botocore.session", "botocore"),
        ("stacks", "dashboards/overview.py", "from shared import clients", "botocore"),
        ("light", "shared/records.py", "from aws_xray_sdk import core", "aws_xray_sdk"),
    ],
)
def test_a_broken_rule_is_noticed(
    tree: Path, contract: str, file: str, line: str, told: str
) -> None:
    path = tree / file
    path.write_text(path.read_text(encoding="utf-8") + f"\n{line}\n", encoding="utf-8")
    run = check(tree, "--contract", contract)
    assert run.returncode == 1, run.stdout + run.stderr
    assert "Contracts: 0 kept, 1 broken" in run.stdout
    assert told in run.stdout.partition("Broken contracts")[2]


def test_a_sink_may_import_its_client(tree: Path) -> None:
    """Only the SPEC of the package is light, not all that is in its folder."""
    path = tree / "consumers" / "cache" / "sink.py"
    path.write_text(path.read_text(encoding="utf-8") + "\nimport redis\n", encoding="utf-8")
    run = check(tree)
    assert run.returncode == 0, run.stdout + run.stderr


def test_every_package_is_under_the_rules() -> None:
    here = {name for name in project.PACKAGES if (project.ROOT / name).is_dir()}
    assert here == set(RULES["root_packages"])


def test_every_folder_of_code_is_a_package() -> None:
    """import-linter looks only into folders with an `__init__.py`."""
    folders = {path.parent for path in project.sources() if path.parent != project.ROOT}
    inside = {folder for folder in folders if folder.relative_to(project.ROOT).parts[0] != "bench"}
    assert not [project.relative(path) for path in inside if not (path / "__init__.py").is_file()]


def test_declarations_load_without_any_client() -> None:
    """What the import graph says, seen at run time, in an interpreter that has loaded nothing."""
    light = CONTRACTS["light"]
    modules = [name for name in light["source_modules"] if "*" not in name]
    modules += ["consumers.registry"]
    modules += [
        f"consumers.{path.parent.name}.projection"
        for path in sorted((project.ROOT / "consumers").glob("*/projection.py"))
    ]
    program = (
        "import importlib, sys\n"
        f"for name in {modules}: importlib.import_module(name)\n"
        f"print(*sorted({set(light['forbidden_modules'])} & set(sys.modules)))"
    )
    run = subprocess.run(
        [sys.executable, "-c", program],
        cwd=project.ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout.split() == []
