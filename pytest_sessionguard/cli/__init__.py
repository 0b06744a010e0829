"""The command line: the door that is not pytest.

Exit statuses: 0 all held; 1 something was violated; 2 the user's mistake, nothing was run; 3 nothing violated but
something unproven, or interrupted; 4 a fault of sessionguard itself.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

import click

from pytest_sessionguard import __version__, catalog
from pytest_sessionguard.cli import statuses

_COMMANDS = "pytest_sessionguard.cli.commands"


class _Folder(click.Group):
    """A group whose commands are the files of a folder."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [name.replace("_", "-") for name in catalog.names(_COMMANDS)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        name = cmd_name.replace("-", "_")
        if name not in catalog.names(_COMMANDS):
            return None
        command: click.Command = catalog.load(_COMMANDS, name).COMMAND
        return command


@click.group(
    cls=_Folder,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Example: sessionguard run scenarios --manager shop.sessionguard.toml",
)
@click.version_option(__version__, prog_name="sessionguard")
def sessionguard() -> None:
    """Test session systems in virtual time, against a model of what they promise."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit with its status."""
    sys.exit(statuses.of(lambda: sessionguard.main(args=arguments, prog_name="sessionguard", standalone_mode=False)))
