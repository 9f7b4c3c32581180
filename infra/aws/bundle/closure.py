"""Which files of ours and which packages of others a handler imports, read from the sources.

Also what it imports inside functions: that runs later, not never.
"""

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

# Of Python 3.14, which has no use for the package of the same content.
_STANDARD = sys.stdlib_module_names | {"compression"}


@dataclass(slots=True)
class Closure:
    """What a module needs.

    Attributes:
        files: of ours, by their path below the tree.
        packages: top-level names of others.
        services: AWS services whose clients are made; their models are needed.
    """

    files: dict[str, Path] = field(default_factory=dict)
    packages: set[str] = field(default_factory=set)
    services: set[str] = field(default_factory=set)


def closure(tree: Path, module: str, without: frozenset[str] = frozenset()) -> Closure:
    """Follow the imports of `module` below `tree`.

    Args:
        tree: the folder that holds our packages.
        module: dotted name of the handler's module.
        without: packages of others that this deployment never gets to import.
    """
    found = Closure()
    waiting = [module]
    seen: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        path = _file_of(tree, name)
        if path is None:
            continue
        found.files[path.relative_to(tree).as_posix()] = path
        if "." in name:
            waiting.append(name.rpartition(".")[0])
        for node in _run_time_nodes(ast.parse(path.read_text(encoding="utf-8"))):
            found.services.update(_services(node))
            for wanted in _imports(node):
                top = wanted.partition(".")[0]
                if (tree / top).is_dir():
                    waiting.append(wanted)
                elif top not in _STANDARD and top not in without:
                    found.packages.add(top)
    return found


def _file_of(tree: Path, name: str) -> Path | None:
    """The file of a module; None if the name is something inside a module."""
    base = tree / name.replace(".", "/")
    for path in (base.with_suffix(".py"), base / "__init__.py"):
        if path.is_file():
            return path
    return None


def _run_time_nodes(node: ast.AST) -> Iterator[ast.AST]:
    """Every node but those that only a type checker reads."""
    yield node
    children: list[ast.AST] = list(ast.iter_child_nodes(node))
    if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
        children = list(node.orelse)
    for child in children:
        yield from _run_time_nodes(child)


def _imports(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom) and node.module:
        yield node.module
        # `from a import b`: b may be a module itself.
        yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _services(node: ast.AST) -> Iterator[str]:
    """`aws_client("s3")` needs the model of s3; where botocore has to find it, others do too."""
    if isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
        name = ast.unparse(node.func).rpartition(".")[2]
        if name in {"aws_client", "JsonService", "find_endpoint"}:
            yield str(node.args[0].value)
