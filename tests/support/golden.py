"""Golden files of what is generated: compared, or written anew when asked to."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

WRITE = "FANOUT_GOLDEN"


def check(path: Path, document: Any) -> None:
    """Compare with the file; with FANOUT_GOLDEN=write put it there instead, for you to review."""
    text = json.dumps(document, indent=1, ensure_ascii=False) + "\n"
    if os.environ.get(WRITE) == "write":
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    assert path.is_file(), f"no {path}: write it with {WRITE}=write, and review it"
    assert json.loads(path.read_text(encoding="utf-8")) == document, (
        f"{path} is not what is made now: if that is meant, {WRITE}=write, and review the diff"
    )
