"""Download the locked packages as wheels for Lambda: `python -m infra.aws.bundle.fetch FOLDER`.

By pip, with the lock's hashes, from whatever index the reader's own pip is set to. No Docker: a
wheel for the platform is all that is needed, and every dependency of a handler has one.
"""

import subprocess
import sys
from pathlib import Path

from infra.aws.bundle.build import PYTHON, TREE

LOCK = TREE / "requirements" / "runtime.txt"
# Amazon Linux 2023, on which Lambda runs this Python, has glibc 2.34.
PLATFORMS = ("manylinux_2_28_aarch64", "manylinux_2_17_aarch64", "manylinux2014_aarch64")


def command(folder: Path) -> list[str]:
    """The call of pip."""
    return [
        *(sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"),
        *("--require-hashes", "--only-binary", ":all:", "--no-deps"),
        *("--implementation", "cp", "--python-version", PYTHON),
        *(option for platform in PLATFORMS for option in ("--platform", platform)),
        *("--dest", str(folder), "--requirement", str(LOCK)),
    ]


def main() -> int:
    """Fill the folder anew, so that no wheel of an older lock is left in it."""
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.whl"):
        old.unlink()
    return subprocess.run(command(folder), check=False).returncode


if __name__ == "__main__":
    raise SystemExit(main())
