"""The destinations of the benchmarks: servers on loopback, in a process of their own.

They answer at once and store nothing, so that what is measured is the handler. Asked to, they keep
what they are sent for a comparison.
"""

import http.client
import json
import subprocess
import sys
from base64 import b64decode
from dataclasses import dataclass
from typing import Self

_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Sent:
    """What the servers were sent since they were last asked.

    Attributes:
        calls: requests and commands that write.
        size: their bytes, without HTTP's headers.
        bodies: each of them, if the servers were to keep them.
    """

    calls: int
    size: int
    bodies: list[bytes]


class Loopback:
    """The running servers; they end with this process, whatever becomes of it."""

    def __init__(self) -> None:
        """Start them, and wait for their ports."""
        self._child = subprocess.Popen(
            [sys.executable, "-m", "bench.loopback"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert self._child.stdout is not None
        try:
            ports = json.loads(self._child.stdout.readline())
        except ValueError:
            self.close()
            raise RuntimeError(
                "the loopback servers did not start: see their error above"
            ) from None
        self._port: int = ports["http"]
        self.http_url = f"http://127.0.0.1:{ports['http']}"
        self.cache_url = f"redis://127.0.0.1:{ports['cache']}/0"

    def take(self, *, keep: bool = False) -> Sent:
        """What was sent since the last time; from now on bodies are kept, or not."""
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=_SECONDS)
        try:
            connection.request("GET", f"/-/take?keep={int(keep)}")
            answer = json.loads(connection.getresponse().read())
        finally:
            connection.close()
        return Sent(answer["calls"], answer["size"], [b64decode(text) for text in answer["bodies"]])

    def close(self) -> None:
        """Stop the servers."""
        assert self._child.stdin is not None
        assert self._child.stdout is not None
        self._child.stdin.close()
        self._child.stdout.close()
        self._child.wait(_SECONDS)

    def __enter__(self) -> Self:
        """The servers run already."""
        return self

    def __exit__(self, *_: object) -> None:
        """Stop them."""
        self.close()
