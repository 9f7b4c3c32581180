"""The code of the functions, as CDK takes it."""

from pathlib import Path
from typing import Protocol

from aws_cdk import AssetHashType
from aws_cdk import aws_lambda as lambda_

from infra.aws.bundle.build import TREE, Bundle, content, write
from infra.aws.bundle.distributions import Wheels
from infra.aws.stage import Context

WHEELS = TREE / "build" / "wheels"
BUNDLES = TREE / "build" / "bundles"


class Packages(Protocol):
    """Where a function's code comes from."""

    def code(self, module: str) -> lambda_.Code:
        """The package whose handler is `handler` in `module`."""

    def digest(self, module: str) -> str:
        """Hash of that package."""


class BuiltPackages:
    """Built from the sources and the fetched wheels."""

    def __init__(self, context: Context, wheels: Path = WHEELS, bundles: Path = BUNDLES) -> None:
        """Raises InvalidSettings if the wheels have not been fetched."""
        self._wheels = Wheels(wheels)
        self._tracing = context.tracing
        self._folder = bundles
        self._built: dict[str, Bundle] = {}

    def code(self, module: str) -> lambda_.Code:
        """Build it; the same sources and locks give the same hash, so nothing is deployed anew."""
        bundle = self._bundle(module)
        return asset(bundle.folder, bundle.digest)

    def digest(self, module: str) -> str:
        """Of what `code` gives."""
        return self._bundle(module).digest

    def _bundle(self, module: str) -> Bundle:
        if module not in self._built:
            files, names = content(module, self._wheels, tracing=self._tracing)
            self._built[module] = write(self._folder / module, files, names)
        return self._built[module]


def asset(folder: Path, digest: str) -> lambda_.Code:
    """A folder whose hash we know better than CDK, which would look at file modes and times."""
    return lambda_.Code.from_asset(
        str(folder), asset_hash=digest, asset_hash_type=AssetHashType.CUSTOM
    )
