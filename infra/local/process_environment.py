"""Lead boto in this process somewhere else, and back."""

import os
from collections.abc import Mapping

from shared.clients import forget_clients


class ProcessEnvironment:
    """Variables set for a while; afterwards the environment is as it was found."""

    def __init__(self) -> None:
        """Nothing is set yet."""
        self._before: dict[str, str | None] = {}

    def lead(self, environment: Mapping[str, str]) -> None:
        """Set variables, and make clients anew by them."""
        self._before = {name: os.environ.get(name) for name in environment}
        os.environ.update(environment)
        forget_clients()

    def restore(self) -> None:
        """Put back what was there before. Idempotent."""
        for name, value in self._before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
        self._before = {}
        forget_clients()
