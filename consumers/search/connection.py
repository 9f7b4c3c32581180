"""One kept-alive HTTP connection to OpenSearch.

Why `http.client` and not opensearch-py: any part of that imports all of it, 140 ms of a cold
start (on top of this consumer's other imports; median of five on two cores), and urllib3 alone
is 65 ms, against 25 ms for this. What it gives that a bulk request needs is little: TLS with the
system's authorities, TCP_NODELAY and keep-alive are in the standard library; its retries would
hide from the runtime what the runtime decides; its connection pool is for many threads, and an
invocation has one; its SigV4 is botocore's, which `signing` calls itself.
"""

from base64 import b64encode
from collections.abc import Callable, Mapping
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from time import monotonic
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from shared.errors import InvalidSettings, Unavailable

CONNECT_SECONDS = 2.0
JSON = "application/json"
NDJSON = "application/x-ndjson"

# (method, whole URL, headers, body) -> all headers, signed.
Signer = Callable[[str, str, Mapping[str, str], bytes], Mapping[str, str]]


class Answer(NamedTuple):
    """What the server answered."""

    status: int
    body: bytes


class Connection:
    """Sends requests, one at a time. Connects when first used and again whenever it must."""

    __slots__ = ("_base", "_headers", "_http", "_path", "_sign")

    def __init__(self, url: str, sign: Signer | None = None) -> None:
        """`url` is http:// or https://, with user:password@ if the server wants them.

        Raises InvalidSettings, which quotes none of the URL, if it is no such URL.
        """
        try:
            parts = urlsplit(url)
            host, port = parts.hostname, parts.port
            if parts.scheme not in {"http", "https"} or not host or parts.query or parts.fragment:
                raise ValueError("not the base URL of a server")
        except ValueError:
            raise InvalidSettings(
                "the URL of OpenSearch is none that the search consumer can use",
                hint="set FANOUT_SEARCH_URL to http[s]://[user:password@]host[:port][/path]",
            ) from None
        secure = parts.scheme == "https"
        self._http = (HTTPSConnection if secure else HTTPConnection)(host, port)
        self._path = parts.path.rstrip("/")
        self._base = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
        self._headers = {}
        if parts.username:
            user = f"{unquote(parts.username)}:{unquote(parts.password or '')}".encode()
            self._headers["Authorization"] = f"Basic {b64encode(user).decode()}"
        self._sign = sign

    def request(
        self,
        method: str,
        path: str,
        body: bytes = b"",
        *,
        seconds: float,
        content: str = JSON,
        repeatable: bool = True,
    ) -> Answer:
        """Send one request and read the whole answer, whatever its status.

        Args:
            method: such as POST.
            path: with its query, percent-encoded.
            body: sent as it is.
            seconds: for each wait on the server; connecting has a limit of its own.
            content: type of the body.
            repeatable: asking twice does no harm. A server may close a kept connection just
                as a request goes out (after Lambda froze us, it has): such a one is sent again.

        Raises Unavailable if no answer came; whether the request took effect is then unknown.
        """
        path = self._path + path
        headers: Mapping[str, str] = {**self._headers, "Content-Type": content}
        if self._sign is not None:
            headers = self._sign(method, self._base + path, headers, body)
        kept = self._http.sock is not None
        end = monotonic() + seconds
        try:
            return self._exchange(method, path, body, headers, seconds)
        except (OSError, HTTPException) as error:
            if not (kept and repeatable) or isinstance(error, TimeoutError):
                raise _unanswered(error) from error
        try:
            return self._exchange(method, path, body, headers, max(end - monotonic(), 0.001))
        except (OSError, HTTPException) as error:
            raise _unanswered(error) from error

    def _exchange(
        self, method: str, path: str, body: bytes, headers: Mapping[str, str], seconds: float
    ) -> Answer:
        http = self._http
        try:
            if http.sock is None:
                http.timeout = min(seconds, CONNECT_SECONDS)
                http.connect()
            http.sock.settimeout(seconds)
            http.request(method, path, body, headers)
            response = http.getresponse()
            return Answer(response.status, response.read())
        except BaseException:
            # Half an answer may be on its way: only a new connection starts in step.
            http.close()
            raise

    def close(self) -> None:
        """Let go of the connection; the next request opens another."""
        self._http.close()


def _unanswered(error: Exception) -> Unavailable:
    return Unavailable(
        f"OpenSearch did not answer: {type(error).__name__}",
        hint="check that it runs, that FANOUT_SEARCH_URL is right and that it can be reached "
        "from here; nothing is lost, the records are retried",
    )
