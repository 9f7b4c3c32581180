"""What a function finds in its environment, as Lambda's own runtime sets it.

Source: Lambda developer guide, "Defined runtime environment variables".
"""

import os
import sys
from collections.abc import Mapping
from pathlib import Path

import infra

ROOT = Path(infra.__path__[0]).parent
VERSION = "$LATEST"
# Of our own environment a worker gets these alone: where programs, certificates, and the
# caller's AWS configuration are.
_INHERITED = ("PATH", "HOME", "TMPDIR", "LD_LIBRARY_PATH", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE")


def lambda_environment(
    name: str, handler: str, environment: Mapping[str, str], memory_mb: int
) -> dict[str, str]:
    """The whole environment of a worker; `environment` is the function's own and goes last."""
    python = f"python{sys.version_info.major}.{sys.version_info.minor}"
    inherited = {key: os.environ[key] for key in _INHERITED if key in os.environ}
    return {
        **inherited,
        "LANG": "C.UTF-8",
        "TZ": ":UTC",
        "PYTHONPATH": str(ROOT),
        "LAMBDA_TASK_ROOT": str(ROOT),
        "AWS_EXECUTION_ENV": f"AWS_Lambda_{python}",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(memory_mb),
        "AWS_LAMBDA_FUNCTION_NAME": name,
        "AWS_LAMBDA_FUNCTION_VERSION": VERSION,
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{name}",
        "AWS_LAMBDA_LOG_STREAM_NAME": f"local/[{VERSION}]",
        "_HANDLER": handler,
        **environment,
    }
