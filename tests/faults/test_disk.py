"""A full disk under the checkpoints: the very error, the old checkpoint stays, and it passes."""

from pathlib import Path

import pytest

from infra.local.mapping.checkpoint import Checkpoint, CheckpointFolder
from ops.chaos.disk import fill_disk
from shared.errors import Unavailable

ARN = "arn:aws:dynamodb:eu-west-1:000000000000:table/orders/stream/2026-01-01T00:00:00.000"


def test_nothing_is_saved_while_the_disk_is_full(tmp_path: Path) -> None:
    ours = CheckpointFolder(tmp_path, "audit", ARN)
    theirs = CheckpointFolder(tmp_path, "search", ARN)
    for folder in (ours, theirs):
        folder.save("shard-1", Checkpoint(mark="1"))
        folder.save("shard-2", Checkpoint(mark="2"))

    def meanwhile() -> None:
        with pytest.raises(Unavailable, match="No space left on device"):
            ours.save("shard-1", Checkpoint(mark="10"))
        theirs.save("shard-1", Checkpoint(mark="10"))
        # A run that begins now waits for the disk; it does not take the checkpoint for damaged.
        with pytest.raises(Unavailable):
            CheckpointFolder(tmp_path, "audit", ARN).load("shard-1")

    assert fill_disk(tmp_path, "audit", meanwhile) == 2
    assert ours.load("shard-1") == Checkpoint(mark="1")
    ours.save("shard-1", Checkpoint(mark="11"))
    assert ours.load("shard-1") == Checkpoint(mark="11")
    assert ours.load("shard-2") == Checkpoint(mark="2")
    assert {path.suffix for path in tmp_path.rglob("*") if path.is_file()} == {".json"}


def test_room_is_made_again_whatever_happens(tmp_path: Path) -> None:
    folder = CheckpointFolder(tmp_path, "audit", ARN)
    folder.save("shard-1", Checkpoint(mark="1"))

    def meanwhile() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fill_disk(tmp_path, "audit", meanwhile)
    folder.save("shard-1", Checkpoint(mark="2"))


def test_without_checkpoints_nothing_is_hit(tmp_path: Path) -> None:
    assert fill_disk(tmp_path, "audit", lambda: None) == 0
