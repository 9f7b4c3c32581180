"""The wires of all servers, in one thread, and how the workers come to use them."""

import asyncio
import random
import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Self
from urllib.parse import urlsplit, urlunsplit

from infra.local.deployment import Deployment
from ops.chaos import framing, refusals
from ops.chaos.framing import Request
from ops.chaos.wire import Dialect, Order, Wire

_START_SECONDS = 10.0


class _Aws:
    read_request = staticmethod(framing.read_http_request)
    read_answer = staticmethod(framing.read_http_answer)
    refuse = staticmethod(refusals.refuse_aws)
    fail = staticmethod(refusals.fail_aws)
    writer_of = staticmethod(refusals.aws_writer)

    def spare_some(self, _request: Request, _rng: random.Random) -> None:
        """A transaction is all or nothing."""


class _Search:
    read_request = staticmethod(framing.read_http_request)
    read_answer = staticmethod(framing.read_http_answer)
    refuse = staticmethod(refusals.refuse_search)
    fail = staticmethod(refusals.fail_search)
    spare_some = staticmethod(refusals.spare_some)

    def writer_of(self, request: Request) -> str | None:
        return "search" if request.method == "POST" else None


class _Cache:
    read_request = staticmethod(framing.read_redis_request)
    read_answer = staticmethod(framing.read_redis_answer)
    refuse = fail = staticmethod(refusals.refuse_cache)

    def writer_of(self, request: Request) -> str | None:
        return "cache" if request.method == "UNLINK" else None

    def spare_some(self, _request: Request, _rng: random.Random) -> None:
        """A command is all or nothing."""


class Switchboard:
    """Wires from enter to exit. `connect` may be called once, in between.

    Attributes:
        seen: the deployment from behind the wires, once connected.
    """

    seen: Deployment

    def __init__(self) -> None:
        """Nothing runs yet."""
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="wires", daemon=True)
        self._wires: dict[str, Wire] = {}

    def __enter__(self) -> Self:
        """Start the thread."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Drop all connections and end the thread."""
        self._do(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def connect(self, deployment: Deployment) -> Deployment:
        """Put a wire before each server; returns how the deployment looks from behind them."""
        dialects: dict[str, Dialect] = {"aws": _Aws(), "cache": _Cache(), "search": _Search()}
        if deployment.dynamodb_url:
            dialects["dynamodb"] = _Aws()
        seen = {}
        for name, dialect in dialects.items():
            url = getattr(deployment, f"{name}_url")
            parts = urlsplit(url)
            assert parts.port is not None, url
            wire = self._wires[name] = Wire(parts.port, dialect)
            self._do(wire.listen())
            netloc = f"{parts.hostname}:{wire.port}"
            seen[f"{name}_url"] = urlunsplit(parts._replace(netloc=netloc))
        self.seen = replace(deployment, **seen)
        return self.seen

    def spoil(self, name: str, order: Order, seconds: float) -> int:
        """Let the wire to a server carry out `order`; returns how many requests it touched.

        Ends with the last of the requests, or after `seconds` if so many do not come.
        """
        self._wires[name].tell(order)
        order.over.wait(seconds)
        order.over.set()
        self._wires[name].tell(None)
        return order.touched

    def is_told(self, name: str) -> bool:
        """Whether the wire to a server has an order now."""
        return self._wires[name].is_told

    def refuse(self, name: str, wait: Callable[[], object]) -> None:
        """Refuse connections to a server for as long as `wait` takes."""
        self._do(self._wires[name].refuse())
        try:
            wait()
        finally:
            self._do(self._wires[name].listen())

    async def _end(self) -> None:
        for wire in self._wires.values():
            await wire.refuse()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _do(self, coroutine: Any) -> None:
        asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(_START_SECONDS)
