"""What the loopback servers remember of what they are sent."""

import json
import threading
from base64 import b64encode


class Ledger:
    """Counts writes; keeps their bodies while asked to. Shared by all connections."""

    def __init__(self) -> None:
        """Nothing yet, and nothing is kept."""
        self._lock = threading.Lock()
        self._keep = False
        self._calls = self._size = 0
        self._bodies: list[bytes] = []

    def add(self, body: bytes) -> None:
        """Note one write."""
        with self._lock:
            self._calls += 1
            self._size += len(body)
            if self._keep:
                self._bodies.append(body)

    def take(self, *, keep: bool) -> bytes:
        """Tell what came since the last time, as JSON, and start anew."""
        with self._lock:
            answer = {
                "calls": self._calls,
                "size": self._size,
                "bodies": [b64encode(body).decode() for body in self._bodies],
            }
            self._keep, self._calls, self._size, self._bodies = keep, 0, 0, []
        return json.dumps(answer).encode()
