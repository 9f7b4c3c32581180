"""What a slow reader does: it sits on what it has loaded, while the item changes."""

import random
import time
from typing import Any

from ops.traffic.reads import Source
from shared.cache_keys import Cached

# Longer than a change usually takes to reach the cache.
_LONGEST_SECONDS = 0.5


class SlowSource(Source):
    """A source whose answers take a while to arrive."""

    def load(self, kind: Cached, identity: str) -> Any:
        """The value as it was a moment ago."""
        value = super().load(kind, identity)
        time.sleep(random.uniform(0, _LONGEST_SECONDS))
        return value
