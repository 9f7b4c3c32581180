"""The documents hold together: links lead somewhere, the changelog and the license are there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.meta import project

FENCE = re.compile(r"^(?P<fence>```+|~~~+).*?^(?P=fence)\s*$", re.MULTILINE | re.DOTALL)
CODE = re.compile(r"`[^`\n]*`")
LINK = re.compile(r"\]\(\s*<?(?P<target>[^)\s>]+)>?(?:\s+\"[^\"]*\")?\s*\)")
IMAGE = re.compile(r"<(?:img|source|a)\b[^>]*?\b(?:src|srcset|href)=\"(?P<target>[^\"\s]+)\"")
HEADING = re.compile(r"^#{1,6}\s+(?P<title>.+?)\s*#*$", re.MULTILINE)
ELSEWHERE = re.compile(r"[a-z][a-z0-9+.-]*:")


def documents() -> list[Path]:
    return list(project.files(".md"))


def anchors(markdown: str) -> set[str]:
    """The ids that GitHub gives the headings."""
    found: dict[str, int] = {}
    ids = set()
    for hit in HEADING.finditer(FENCE.sub("", markdown)):
        title = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", hit["title"])
        slug = re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")
        count = found[slug] = found.get(slug, -1) + 1
        ids.add(f"{slug}-{count}" if count else slug)
    return ids


def broken_links(document: Path) -> Iterator[str]:
    text = document.read_text(encoding="utf-8")
    prose = CODE.sub("", FENCE.sub("", text))
    for hit in [*LINK.finditer(prose), *IMAGE.finditer(prose)]:
        target = hit["target"]
        if ELSEWHERE.match(target):
            continue
        path, _, anchor = target.partition("#")
        aim = (document.parent / path).resolve() if path else document
        if not aim.exists():
            yield f"{target}: no such file"
        elif anchor and aim.suffix == ".md" and anchor not in anchors(aim.read_text("utf-8")):
            yield f"{target}: no such heading"


@pytest.mark.parametrize("document", documents(), ids=project.relative)
def test_links_lead_somewhere(document: Path) -> None:
    assert not list(broken_links(document))


def test_a_broken_link_is_seen(tmp_path: Path) -> None:
    (tmp_path / "there.md").write_text("# One thing\n\n## `code` & more\n\n## One thing\n")
    document = tmp_path / "links.md"
    document.write_text(
        "[a](there.md) [b](there.md#one-thing) [c](there.md#one-thing-1) [d](#self)\n"
        '[e](gone.md) [f](there.md#code--more) ![g](gone.png "title") `[h](code.md)`\n'
        "```\n[i](fenced.md)\n```\n# Self\n"
        '[j](https://example.org/x) [k](there.md#two) <img src="no.svg">\n'
    )
    assert sorted(broken_links(document)) == [
        "gone.md: no such file",
        "gone.png: no such file",
        "no.svg: no such file",
        "there.md#two: no such heading",
    ]


def test_the_changelog_has_a_place_for_what_comes() -> None:
    changelog = (project.ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert re.search(r"^## \[Unreleased\]$", changelog, re.MULTILINE)


def test_the_license_is_the_one_that_is_declared() -> None:
    license_text = (project.ROOT / "LICENSE").read_text(encoding="utf-8")
    assert project.pyproject()["project"]["license"] == "Apache-2.0"
    assert "Apache License" in license_text
    assert "Version 2.0, January 2004" in license_text


def test_every_make_target_explains_itself() -> None:
    makefile = (project.ROOT / "Makefile").read_text(encoding="utf-8")
    phony = re.search(r"^\.PHONY: (?P<targets>.+)$", makefile, re.MULTILINE)
    assert phony
    explained = set(re.findall(r"^([a-z-]+):.*## \S", makefile, re.MULTILINE))
    assert set(phony["targets"].split()) == explained
