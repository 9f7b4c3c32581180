"""What goes over the wire, and how an address is read."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.cache.connection import Endpoint, encode
from consumers.cache.single import unlink_command
from consumers.cache.sink import open_sink
from shared.cache_keys import keys_of
from shared.errors import InvalidSettings
from shared.settings import Settings


def test_a_command_is_an_array_of_bulk_strings() -> None:
    assert encode(b"UNLINK", b"a\r\n", b"") == b"*3\r\n$6\r\nUNLINK\r\n$3\r\na\r\n\r\n$0\r\n\r\n"


@given(st.lists(st.text(st.characters(codec="utf-8")), min_size=1, max_size=5))
def test_an_invalidation_is_such_a_command(entries: list[str]) -> None:
    keys = [key.encode() for entry in entries for key in keys_of(entry)]
    assert unlink_command(entries) == encode(b"UNLINK", *keys)


@pytest.mark.parametrize(
    ("url", "endpoint"),
    [
        ("redis://cache", Endpoint("cache")),
        ("redis://127.0.0.1:7000/3", Endpoint("127.0.0.1", 7000, 3)),
        ("redis://[::1]:7000", Endpoint("::1", 7000)),
        ("rediss://:s%40c@cache/", Endpoint("cache", password="s@c", tls=True)),
        ("rediss://me:p%3A@cache:1", Endpoint("cache", 1, 0, "me", "p:", tls=True)),
    ],
)
def test_an_address(url: str, endpoint: Endpoint) -> None:
    assert Endpoint.parse(url) == endpoint


@pytest.mark.parametrize(
    "url",
    [
        "",
        "cache:6379",
        "http://cache",
        "redis://",
        "redis://:s3cret@cache:port",
        "redis://:s3cret@cache:70000",
        "redis://:s3cret@cache/zero",
        "rediss://:s3cret@cache/0?ssl_cert_reqs=none",
    ],
)
def test_a_wrong_address_stops_with_what_to_set(url: str) -> None:
    with pytest.raises(InvalidSettings, match="FANOUT_CACHE_URL") as caught:
        open_sink(Settings(cache_url=url))
    assert "rediss://" in caught.value.hint
    assert "s3cret" not in str(caught.value)


def test_a_password_is_not_shown() -> None:
    assert "s3cret" not in repr(Endpoint.parse("redis://me:s3cret@cache"))
