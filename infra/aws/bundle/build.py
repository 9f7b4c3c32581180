"""A function's package: a folder whose content, and so whose hash, depends on nothing but its
sources, the locked packages and what is said here.
"""  # noqa: D205

import hashlib
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from infra.aws.bundle.closure import closure
from infra.aws.bundle.distributions import Distributions, needed
from shared.errors import InvalidSettings

TREE = Path(__file__).resolve().parents[3]
# The newest Python that the project is tested on. Lambda: runtime `python3.13`, arm64.
PYTHON = "3.13"
TRACING_PACKAGE = "aws_xray_sdk"
# Lambda's limit for code and layers, unpacked.
MAX_BYTES = 250 * 1024 * 1024

_SERVICE_MODEL = re.compile(r"botocore/data/(?P<service>[^/]+)/.+")
# Examples for documentation, and waiters and pages of services that are not called that way.
_UNUSED = re.compile(r"botocore/data/.*/examples-1\.json(\.gz)?|.*/tests?/.*")


@dataclass(frozen=True, slots=True)
class Bundle:
    """A finished package.

    Attributes:
        folder: what is to be zipped.
        digest: SHA-256 over the names and contents of its files.
        distributions: whose packages are in it.
        size: bytes, unpacked.
    """

    folder: Path
    digest: str
    distributions: tuple[str, ...]
    size: int


def content(
    module: str,
    distributions: Distributions,
    *,
    tracing: bool = False,
    python: str = PYTHON,
    tree: Path = TREE,
) -> tuple[dict[str, bytes], tuple[str, ...]]:
    """The files of the package for the handler in `module`, and the distributions they are of.

    Raises InvalidSettings if a package that is imported is in none of `distributions`.
    """
    without = frozenset() if tracing else frozenset({TRACING_PACKAGE})
    wanted = closure(tree, module, without)
    if TRACING_PACKAGE in wanted.packages:
        wanted.services.add("xray")
    packages = wanted.packages - ({"backports"} if python >= "3.14" else set())
    if missing := sorted(name for name in packages if not distributions.names_of(name)):
        raise InvalidSettings(
            f"{module} imports {', '.join(missing)}, of which there is no package to bundle",
            hint="add it to dependencies in pyproject.toml, then: make lock wheels",
        )
    names = tuple(needed(distributions, packages, python, frozenset()))
    files = {path: source.read_bytes() for path, source in wanted.files.items()}
    for name in names:
        files |= {
            path: body
            for path, body in distributions.files(name).items()
            if _is_used(path, wanted.services)
        }
    return files, names


def write(folder: Path, files: Mapping[str, bytes], names: tuple[str, ...]) -> Bundle:
    """Write a package into `folder`, anew. Raises InvalidSettings if Lambda would refuse it."""
    size = sum(map(len, files.values()))
    if size > MAX_BYTES:
        raise InvalidSettings(
            f"the package has {size:,} bytes, and Lambda takes {MAX_BYTES:,}",
            hint="see which distribution is so large, and whether the handler needs it",
        )
    shutil.rmtree(folder, ignore_errors=True)
    for path, body in files.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(body)
        target.chmod(0o755 if path.endswith(".so") else 0o644)
    return Bundle(folder, digest(files), names, size)


def digest(files: Mapping[str, bytes]) -> str:
    """One hash for names and contents, whatever their order."""
    whole = hashlib.sha256()
    for path in sorted(files):
        whole.update(f"{path}\0{len(files[path])}\0".encode())
        whole.update(files[path])
    return whole.hexdigest()


def _is_used(path: str, services: set[str]) -> bool:
    if _UNUSED.fullmatch(path):
        return False
    model = _SERVICE_MODEL.fullmatch(path)
    return model is None or model["service"] in services
