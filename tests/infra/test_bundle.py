"""Packages of functions: complete, small, and the same whenever they are built."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from consumers.registry import REGISTRY
from infra.aws.bundle import fetch
from infra.aws.bundle.build import TREE, content, digest, write
from infra.aws.bundle.closure import closure
from infra.aws.bundle.distributions import Installed, Wheels, is_carried
from infra.aws.packages import BuiltPackages
from infra.aws.stage import Context
from shared.errors import InvalidSettings
from tests.support.smoke import HOST_PYTHON, HostPackages

MODULES = [f"consumers.{spec.name}.handler" for spec in REGISTRY]
SERVING = ["infra.aws.functions.heartbeat", "infra.aws.functions.search_setup"]
# Every import of the package's own, lazy ones too, in an interpreter that has nothing else.
PROGRAM = """
import importlib, pathlib, sys
folder, module = sys.argv[1:]
sys.path.insert(0, folder)
handler = importlib.import_module(module).handler
assert callable(handler)
for path in sorted(pathlib.Path(folder).rglob("*.py")):
    name = path.relative_to(folder).with_suffix("").as_posix().replace("/", ".")
    if name.partition(".")[0] in {"consumers", "infra", "shared"}:
        importlib.import_module(name.removesuffix(".__init__"))
foreign = [m for m in list(sys.modules.values())
           if "site-packages" in (getattr(m, "__file__", None) or "")]
assert not foreign, foreign
from botocore.session import get_session
for service in sys.stdin.read().split():
    get_session().create_client(service, region_name="eu-central-1")
print("fine")
"""


@pytest.fixture(scope="module")
def packages(bundles: Path) -> HostPackages:
    return HostPackages(bundles)


@pytest.mark.parametrize("module", MODULES + SERVING)
def test_a_handler_imports_in_a_clean_interpreter(module: str, packages: HostPackages) -> None:
    bundle = packages.bundle(module)
    services = closure(TREE, module).services
    run = subprocess.run(
        [sys.executable, "-I", "-S", "-c", PROGRAM, str(bundle.folder), module],
        input=" ".join(sorted(services)),
        env={"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert run.stdout == "fine\n", run.stderr


def test_a_package_lacks_what_its_handler_does_not_import(packages: HostPackages) -> None:
    audit, cache = (packages.bundle(f"consumers.{name}.handler") for name in ("audit", "cache"))
    assert not (audit.folder / "redis").exists()
    assert (cache.folder / "redis").is_dir()
    assert not (cache.folder / "consumers" / "audit").exists()
    assert not (cache.folder / "aws_xray_sdk").exists(), "tracing is off"
    models = {path.name for path in (audit.folder / "botocore" / "data").iterdir() if path.is_dir()}
    assert models == {"s3", "sqs"}
    assert all(packages.bundle(module).size < 16 * 2**20 for module in MODULES)


def test_tracing_brings_its_sdk() -> None:
    installed = Installed()
    files, names = content(MODULES[0], installed, tracing=True, python=HOST_PYTHON)
    assert "aws-xray-sdk" in names
    assert any(path.startswith("botocore/data/xray/") for path in files)


def test_the_hash_is_that_of_the_content(tmp_path: Path) -> None:
    made = {"b.py": b"2", "a.py": b"1"}
    first = write(tmp_path / "x", made, ())
    again = write(tmp_path / "y", dict(reversed(made.items())), ())
    assert first.digest == again.digest == digest(made)
    assert digest({**made, "a.py": b"0"}) != first.digest
    assert digest({"ab.py": b"", "c": b""}) != digest({"ab.p": b"", "yc": b""})


def test_building_twice_gives_the_same(packages: HostPackages, tmp_path: Path) -> None:
    again = HostPackages(tmp_path).bundle(MODULES[1])
    assert again.digest == packages.bundle(MODULES[1]).digest


def test_an_import_of_nothing_known_is_refused(tmp_path: Path) -> None:
    package = tmp_path / "mine"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "handler.py").write_text("def handler(e, c):\n    import no_such_package\n")
    with pytest.raises(InvalidSettings, match="imports no_such_package"):
        content("mine.handler", Installed(), python=HOST_PYTHON, tree=tmp_path)


def test_what_only_types_need_is_not_followed(tmp_path: Path) -> None:
    package = tmp_path / "mine"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "other.py").write_text('aws_client("sqs")\n')
    (package / "unused.py").write_text("import redis\n")
    (package / "handler.py").write_text(
        "from typing import TYPE_CHECKING\n"
        "if TYPE_CHECKING:\n    import mine.unused\n"
        "def f():\n    from mine import other\n"
    )
    found = closure(tmp_path, "mine.handler")
    assert sorted(found.files) == ["mine/__init__.py", "mine/handler.py", "mine/other.py"]
    assert (found.packages, found.services) == (set(), {"sqs"})


@pytest.mark.parametrize(
    ("path", "carried"),
    [
        ("orjson/__init__.py", True),
        ("orjson/__init__.pyi", False),
        ("orjson/__pycache__/x.cpython-313.pyc", False),
        ("orjson-3.13.0.dist-info/METADATA", True),
        ("orjson-3.13.0.dist-info/licenses/LICENSE-MIT", True),
        ("orjson-3.13.0.dist-info/RECORD", False),
        ("../../../bin/jp.py", False),
        ("jmespath-1.1.0.data/scripts/jp.py", False),
    ],
)
def test_what_is_carried(path: str, carried: bool) -> None:
    assert is_carried(path) is carried


def test_without_wheels_it_says_how_to_get_them(tmp_path: Path) -> None:
    with pytest.raises(InvalidSettings, match="no wheels in"):
        Wheels(tmp_path)


@pytest.mark.registry
@pytest.mark.slow
def test_a_package_for_lambda_s_processors(tmp_path: Path) -> None:
    """Wheels for arm64 by the locked hashes, built twice to the same hash."""
    wheels = tmp_path / "wheels"
    run = subprocess.run(
        fetch.command(wheels), capture_output=True, text=True, timeout=110, check=False
    )
    assert run.returncode == 0, run.stderr
    built = [BuiltPackages(Context(), wheels, tmp_path / name) for name in ("one", "two")]
    for module in MODULES:
        first, second = (packages.digest(module) for packages in built)
        assert first == second
        folder = tmp_path / "one" / module
        binaries = [path.name for path in folder.rglob("*.so")]
        assert binaries
        assert all("aarch64" in name for name in binaries)
