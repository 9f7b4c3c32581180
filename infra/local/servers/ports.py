"""Ports of the loopback interface: choosing a free one, and knowing whose it is."""

import random
import socket
from pathlib import Path

from shared.errors import FanoutError

LOOPBACK = "127.0.0.1"
_LOWEST = 10_240
_TRIES = 200
_LISTEN = "0A"  # TCP_LISTEN in /proc/net/tcp


def free_port() -> int:
    """A port of 127.0.0.1 on which nothing listens now.

    Taken from below the kernel's range for outgoing connections: a client that keeps calling a
    server that is down could otherwise be given the server's own port, connect to itself, and
    keep the server from coming back.

    Raises FanoutError if none of many random ports is free.
    """
    outgoing = Path("/proc/sys/net/ipv4/ip_local_port_range").read_text(encoding="ascii")
    highest = max(int(outgoing.split()[0]), _LOWEST + 1_000)
    for _ in range(_TRIES):
        port = random.randrange(_LOWEST, highest)
        if is_free(port):
            return port
    raise FanoutError(
        f"no free port between {_LOWEST} and {highest} on {LOOPBACK}",
        hint="stop some of the servers of this machine",
    )


def is_free(port: int) -> bool:
    """Whether a server could listen on this port of 127.0.0.1 now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
        return True


def listens(pid: int, port: int) -> bool:
    """Whether this very process listens on this port of 127.0.0.1.

    An answering port proves little: two runs may have chosen the same one, and the loser's
    clients would write into the winner's tables.
    """
    address = f"0100007F:{port:04X}"  # as /proc/net/tcp writes it, bytes of the address reversed
    inodes = set()
    for line in Path("/proc/net/tcp").read_text(encoding="ascii").splitlines()[1:]:
        fields = line.split()
        if fields[1] == address and fields[3] == _LISTEN:
            inodes.add(f"socket:[{fields[9]}]")
    if not inodes:
        return False
    try:
        for descriptor in Path(f"/proc/{pid}/fd").iterdir():
            try:
                if str(descriptor.readlink()) in inodes:
                    return True
            except FileNotFoundError:
                continue  # closed between the listing and the look
    except (FileNotFoundError, PermissionError):
        return False  # the process has just ended
    return False
