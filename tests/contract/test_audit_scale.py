"""The archive of 100,000 items is checked in little memory."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.support import archive
from tests.support import records as make
from tests.support.servers import aws_server

ITEMS = 100_000
BATCH = 5_000
MEGABYTES = 300

# In a process of its own, whose memory is its alone.
CHECK = """
import sys
from pathlib import Path
from shared.archive import Archive, ItemChain
items = changes = gaps = 0
for entry in Archive(sys.argv[1]).check():
    assert isinstance(entry, ItemChain), entry
    items, changes, gaps = items + 1, changes + len(entry.links), gaps + len(entry.gaps)
status = Path("/proc/self/status").read_text()
peak = next(line for line in status.splitlines() if line.startswith("VmHWM"))
print(items, changes, gaps, int(peak.split()[1]) // 1024)
"""


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_a_hundred_thousand_items_are_checked_in_bounded_memory() -> None:
    with aws_server() as servers, archive.clients_of(servers):
        bucket = archive.make_bucket()
        for start in range(0, 2 * ITEMS, BATCH):
            batch = []
            for number in range(start, start + BATCH):
                item = make.score(f"s-{number % ITEMS}")
                again = number >= ITEMS
                old = item if again else None
                new = {**item, "version": 2} if again else item
                batch.append(make.stream_record(old, new, sequence=number))
            assert not archive.write(bucket, batch).unavailable
        run = subprocess.run(
            [sys.executable, "-c", CHECK, bucket],
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
    assert run.returncode == 0, run.stderr
    items, changes, gaps, megabytes = map(int, run.stdout.split())
    assert (items, changes, gaps) == (ITEMS, 2 * ITEMS, 0)
    assert megabytes < MEGABYTES
    print(f"{items} items in {megabytes} MB")
