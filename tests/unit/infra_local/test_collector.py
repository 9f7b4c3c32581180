"""The collector looks seldom while a stream is read, and as before afterwards."""

import gc

from infra.local.collector import YOUNG, SeldomCollected


def test_the_collector_is_left_as_it_was() -> None:
    before = gc.get_threshold()
    collector = SeldomCollected()
    collector.restore()
    assert gc.get_threshold() == before
    collector.begin()
    collector.begin()
    assert gc.get_threshold() == (YOUNG, *before[1:])
    assert gc.isenabled()
    collector.restore()
    collector.restore()
    assert gc.get_threshold() == before
