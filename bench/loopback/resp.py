"""A Redis that takes UNLINK and answers it at once.

A command is an array of bulk strings. None of ours holds a line break, so a command of n strings is
whole when 1 + 2n line breaks have come: counting them costs next to nothing, where parsing
a command of a thousand keys would cost more than some of what is measured.
"""

import socket

from bench.loopback.ledger import Ledger

_END = b"\r\n"
_CHUNK = 1 << 18
_HELLO = b"%3\r\n+server\r\n+redis\r\n+version\r\n+7.4.0\r\n+proto\r\n:3\r\n"


def serve(connection: socket.socket, ledger: Ledger) -> None:
    """Answer commands until the connection ends."""
    pending = b""
    with connection:
        while True:
            received = connection.recv(_CHUNK)
            if not received:
                return
            pending += received
            answers: list[bytes] = []
            while (end := _whole(pending)) is not None:
                command, pending = pending[:end], pending[end:]
                answers.append(_answer(command, ledger))
            if answers:
                connection.sendall(b"".join(answers))


def _whole(pending: bytes) -> int | None:
    """Where the first command ends; None if it has not come whole."""
    head = pending.find(_END)
    if head < 0:
        return None
    needed = 1 + 2 * int(pending[1:head])
    count = pending.count(_END)
    if count < needed:
        return None
    if count == needed and pending.endswith(_END):
        return len(pending)
    at = 0
    for _ in range(needed):
        at = pending.index(_END, at) + len(_END)
    return at


def _answer(command: bytes, ledger: Ledger) -> bytes:
    count, _, name = command[:64].split(_END)[:3]
    match name.upper():
        case b"UNLINK":
            ledger.add(command)
            return b":%d\r\n" % (int(count[1:]) - 1)
        case b"HELLO":
            return _HELLO
        case b"PING":
            return b"+PONG\r\n"
        case b"CLIENT":
            # SETINFO is courtesy; anything else of CLIENT is not known here, and clients go on.
            return b"+OK\r\n" if b"SETINFO" in command.upper() else b"-ERR unknown subcommand\r\n"
        case b"SELECT":
            return b"+OK\r\n"
    return b"-ERR unknown command\r\n"
