"""Embedded servers with everything that a pipeline needs in them, for suites of this process."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from consumers.registry import REGISTRY
from infra.local.deployment import Deployment
from infra.local.resources import create_resources
from infra.local.servers import LocalServers
from shared.clients import forget_clients


@contextmanager
def embedded() -> Iterator[Deployment]:
    """Start the servers and make tables, queues and indexes.

    The process's environment leads there meanwhile, and is put back.
    """
    before = dict(os.environ)
    with LocalServers() as servers:
        ends = servers.endpoints
        os.environ.update(ends.environment())
        forget_clients()
        try:
            yield create_resources(
                REGISTRY,
                region=ends.region or "",
                aws_url=ends.aws_url or "",
                cache_url=ends.cache_url,
                search_url=ends.search_url,
            )
        finally:
            os.environ.clear()
            os.environ.update(before)
            forget_clients()
