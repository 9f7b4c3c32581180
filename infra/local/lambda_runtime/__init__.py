"""Lambda on one machine: its Runtime API, and handlers in processes of their own behind it."""

from infra.local.lambda_runtime.function import Function
from infra.local.lambda_runtime.invocation import Invocation, NotRun

__all__ = ["Function", "Invocation", "NotRun"]
