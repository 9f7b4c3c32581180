"""What holds for every file: size, names, and no word that belongs to one machine."""

from __future__ import annotations

import re

from tests.meta import project

LONGEST_FILE = 250
LONGEST_HANDLER = 40
# Their last letters stand in brackets so that this file passes its own check.
REGISTRIES = "pyp[i]|pythonhoste[d]|npmj[s]|mave[n]|golan[g]|crate[s]"
REGISTRY_HOST = re.compile(
    rf"//[a-z0-9.-]*(?:{REGISTRIES}|debia[n])[a-z0-9.-]*"
    rf"|\b(?:[a-z0-9-]+\.)*(?:{REGISTRIES})\.(?:com|io|org)\b",
    re.IGNORECASE,
)
MACHINE_PATH = re.compile(r"(?:^|[^\w.])/(?:work|farm|root|home/\w+|tmp/\w+)/", re.MULTILINE)
VAGUE_NAME = re.compile(r"(?:^|_)(?:helpers?|managers?|utils?)(?:_|$)")


def lines(text: str) -> int:
    return len(text.splitlines())


def found(pattern: re.Pattern[str]) -> list[str]:
    return [
        f"{path}:{lines(text[: hit.start() + 1])}: {hit.group().strip()}"
        for path, text in project.texts()
        for hit in pattern.finditer(text)
    ]


def test_no_source_file_is_longer_than_one_subject_needs() -> None:
    long = {
        project.relative(path): lines(path.read_text(encoding="utf-8"))
        for path in project.sources()
    }
    assert not {path: count for path, count in long.items() if count > LONGEST_FILE}


def test_handlers_only_wire() -> None:
    handlers = [path for path in project.sources() if path.name == "handler.py"]
    long = {project.relative(path): lines(path.read_text(encoding="utf-8")) for path in handlers}
    assert not {path: count for path, count in long.items() if count > LONGEST_HANDLER}


def test_no_package_registry_is_named() -> None:
    assert not found(REGISTRY_HOST)


def test_no_path_of_one_machine_is_named() -> None:
    assert not found(MACHINE_PATH)


def test_no_module_has_a_name_that_says_nothing() -> None:
    paths = [project.relative(path) for path in project.files(".py")]
    parts = ((path, part) for path in paths for part in path.removesuffix(".py").split("/"))
    assert not sorted({path for path, part in parts if VAGUE_NAME.search(part)})


def test_the_checks_see_what_they_look_for() -> None:
    host = "https:" + "//files.python" + "hosted.org/packages"
    assert REGISTRY_HOST.search(host)
    assert REGISTRY_HOST.search("see registry." + "npm" + "js.org")
    assert not REGISTRY_HOST.search("http" + "://127.0.0.1:4566, a crates.iota")
    assert MACHINE_PATH.search("cd /" + "root/fanout")
    assert not MACHINE_PATH.search("tests/work/a, ./home/x, /var/lib/fanout/")
    assert VAGUE_NAME.search("batch_helpers")
    assert not VAGUE_NAME.search("utility_bill")


def test_the_tree_is_read() -> None:
    paths = {path for path, _ in project.texts()}
    assert {"LICENSE", "Makefile", "pyproject.toml", ".ci/run", "tests/conftest.py"} <= paths
    assert not [path for path in paths if path.startswith((".venv/", ".git/"))]
