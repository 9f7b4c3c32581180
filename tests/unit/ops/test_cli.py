"""The command line teaches: every command explains itself, with examples that stay in shape."""

import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from ops.cli import COMMANDS, main

ROOT = Path(__file__).resolve().parents[3]
# A command that needs a running pipeline says how to start one.
NEEDS_PIPELINE = [["status"], ["traffic"], ["verify"], ["search", "x"], ["history", "x"]]


def test_help_names_every_command() -> None:
    shown = CliRunner().invoke(main, ["--help"])
    assert shown.exit_code == 0
    for name in COMMANDS:
        assert f"\n  {name} " in shown.output
    assert "\n    fanout demo  " in shown.output, "the examples keep their lines"


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself(name: str) -> None:
    shown = CliRunner().invoke(main, [name, "--help"])
    assert shown.exit_code == 0
    assert "\\b" not in shown.output
    assert f"\n    fanout {name}" in shown.output, "an example on a line of its own"
    command = main.get_command(click.Context(main), name)
    assert command is not None
    for option in command.params:
        if isinstance(option, click.Option) and option.name != "help":
            assert option.help, f"{name} --{option.name} has no help"


@pytest.mark.parametrize("arguments", NEEDS_PIPELINE)
def test_without_a_pipeline_the_next_step_is_told(arguments: list[str], tmp_path: Path) -> None:
    shown = CliRunner().invoke(main, [*arguments, "--state", str(tmp_path)])
    assert shown.exit_code == 2
    assert "fanout up" in shown.output


@pytest.mark.parametrize(
    "arguments", [["nonsense"], ["verify", "--nonsense"], ["demo", "--orders", "x"]]
)
def test_wrong_use_exits_with_2(arguments: list[str]) -> None:
    assert CliRunner().invoke(main, arguments).exit_code == 2


def test_help_is_quick_because_commands_are_loaded_when_used() -> None:
    code = "import sys, ops.cli; print('botocore' in sys.modules, 'infra.local' in sys.modules)"
    shown = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert shown.stdout.split() == ["False", "False"]
