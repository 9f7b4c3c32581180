"""S3 goes away and comes back: changes wait, and none is missing afterwards."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from infra.local.servers import LocalServers
from shared.archive import Archive, ItemChain
from shared.errors import Unavailable
from tests.support import archive
from tests.support import records as make
from tests.support.servers import aws_server


@pytest.fixture
def servers() -> Iterator[LocalServers]:
    with aws_server() as servers, archive.clients_of(servers):
        yield servers


def test_an_outage_delays_and_never_drops(servers: LocalServers) -> None:
    bucket = archive.make_bucket()
    first = [make.stream_record(None, make.order(), sequence=1)]
    second = [make.stream_record(make.order(), make.order(version=2), sequence=2)]
    assert not archive.write(bucket, first).unavailable

    servers["aws"].stop()
    for _ in range(2):
        result = archive.write(bucket, second)
        assert isinstance(result.unavailable[0], Unavailable)
        assert not result.rejected
    with pytest.raises(Unavailable, match="listing the archive"):
        list(Archive(bucket).read())

    servers["aws"].start()
    assert not archive.write(bucket, second).unavailable
    (life,) = Archive(bucket).check()
    assert isinstance(life, ItemChain)
    assert [link.event_id for link in life.links] == ["event-1", "event-2"]
    assert not life.gaps
