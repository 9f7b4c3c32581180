"""Archive objects are fetched once, unless they are not what their name says."""

from __future__ import annotations

from hashlib import sha256

import pytest

from ops.verify.downloads import Downloads
from shared.archive_format import object_key
from shared.archive_store import ObjectGone


class Store:
    """Objects, and how often each was fetched."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.fetched: list[str] = []

    def add(self, body: bytes) -> str:
        key = object_key(488888, "1", "2", sha256(body).hexdigest())
        self.objects[key] = body
        return key

    def __call__(self, bucket: str, key: str) -> bytes:
        assert bucket == "bucket"
        self.fetched.append(key)
        if key not in self.objects:
            raise ObjectGone(key)
        return self.objects[key]


@pytest.fixture
def store() -> Store:
    return Store()


def test_what_is_right_is_fetched_once(store: Store) -> None:
    bodies = [b"first", b"", b"third" * 1000]
    keys = [store.add(body) for body in bodies]
    with Downloads(store) as downloads:
        for _ in range(3):
            assert [downloads("bucket", key) for key in keys] == bodies
            assert [downloads("bucket", key) for key in reversed(keys)] == bodies[::-1]
    assert store.fetched == keys


def test_what_is_wrong_is_fetched_until_it_is_mended(store: Store) -> None:
    key = store.add(b"right")
    store.objects[key] = b"wrong"
    with Downloads(store) as downloads:
        assert [downloads("bucket", key), downloads("bucket", key)] == [b"wrong", b"wrong"]
        store.objects[key] = b"right"
        assert [downloads("bucket", key), downloads("bucket", key)] == [b"right", b"right"]
    assert len(store.fetched) == 3


def test_a_name_that_says_nothing_is_no_reason_to_keep_it(store: Store) -> None:
    store.objects["audit/other"] = b"whatever"
    with Downloads(store) as downloads:
        assert downloads("bucket", "audit/other") == downloads("bucket", "audit/other")
    assert len(store.fetched) == 2


def test_what_is_gone_is_gone(store: Store) -> None:
    with Downloads(store) as downloads, pytest.raises(ObjectGone):
        downloads("bucket", "audit/none")
