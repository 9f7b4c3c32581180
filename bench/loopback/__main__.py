"""`python -m bench.loopback`: serve until stdin ends, as it does when the parent is gone."""

import json
import os
import socket
import sys
import threading
from collections.abc import Callable

from bench.loopback import resp, web
from bench.loopback.ledger import Ledger


def _listen(serve: Callable[[socket.socket, Ledger], None], ledger: Ledger) -> int:
    """Serve each connection in a thread of its own; returns the port."""
    listener = socket.create_server(("127.0.0.1", 0))

    def accept() -> None:
        while True:
            connection, _ = listener.accept()
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=serve, args=(connection, ledger), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    port: int = listener.getsockname()[1]
    return port


def main() -> None:
    """Serve."""
    ledger = Ledger()
    ports = {"http": _listen(web.serve, ledger), "cache": _listen(resp.serve, ledger)}
    sys.stdout.write(json.dumps(ports) + "\n")
    sys.stdout.flush()
    sys.stdin.buffer.read()
    os._exit(0)


main()
