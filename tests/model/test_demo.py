"""What the demo does when a step goes wrong; that it goes right is tests/e2e/test_whole_way.py."""

import pytest
import typer

from spikewright.gen import cli
from spikewright.gen.errors import ToolError
from spikewright.model.demo import Steps


@pytest.fixture
def command(monkeypatch):
    """Replaces every command by one that raises ``error``."""
    def replace(error: Exception) -> None:
        def run(name, **_arguments):
            raise error
        monkeypatch.setattr(cli, "run", run)
    return replace


def test_a_failed_check_is_remembered_and_the_report_still_made(command, tmp_path, capsys):
    command(typer.Exit(1))
    steps = Steps(tmp_path)
    steps.run("check", "runs/demo --lanes 4,2")
    steps.run("simulate", "runs/demo")
    assert steps.failed == ["check", "simulate"]
    assert set(steps.seconds) == {"check", "simulate"}
    assert "$ spikewright check runs/demo --lanes 4,2" in capsys.readouterr().err


def test_bad_input_stops_the_demo(command, tmp_path):
    command(ToolError("no usable yosys was found"))
    with pytest.raises(ToolError):
        Steps(tmp_path).run("build", "runs/demo")
