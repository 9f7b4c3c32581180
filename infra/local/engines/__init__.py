"""Real engines in place of the embedded servers: DynamoDB Local, OpenSearch, Redis.

Never needed: for contract tests, and for who wants to see the pipeline run on them.
"""

from infra.local.engines.fetch import EngineMissing
from infra.local.engines.programs import REAL_READY_SECONDS, real_programs

__all__ = ["REAL_READY_SECONDS", "EngineMissing", "real_programs"]
