"""Replacing functions of the emulator, and saying so clearly when it no longer has them."""

from collections.abc import Callable
from importlib.metadata import version
from types import ModuleType
from typing import Any


class EmulatorChanged(Exception):
    """The installed ministack lacks something that we rely on."""


def original(module: ModuleType, name: str) -> Any:
    """A function or dictionary of an emulator's module.

    Raises EmulatorChanged if there is none of that name.
    """
    try:
        return getattr(module, name)
    except AttributeError:
        raise EmulatorChanged(
            f"{module.__name__} of ministack {version('ministack')} has no {name}: "
            "install the version that pyproject.toml names"
        ) from None


def replace(module: ModuleType, name: str, wrap: Callable[[Any], Any]) -> None:
    """Put `wrap(original)` in the place of a module's function."""
    setattr(module, name, wrap(original(module, name)))
