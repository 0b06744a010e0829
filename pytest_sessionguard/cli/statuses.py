"""Whose fault it was, as an exit status, and what is said of it."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from typing import Any, Final

import click

from pytest_sessionguard.errors import UsageError

HELD: Final = 0
VIOLATED: Final = 1
USAGE: Final = 2
UNPROVEN: Final = 3
OURS: Final = 4

ISSUES: Final = "a fault of sessionguard itself, not of the target: please report it with the lines above"


def of(command: Callable[[], Any]) -> int:
    """Run the command and return its exit status; errors are told on standard error.

    A command returns its status, or nothing where all went well.
    """
    try:
        status = command()
    except click.ClickException as error:
        error.show()
        return USAGE
    except UsageError as error:
        click.echo(str(error), err=True)
        return USAGE
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted", err=True)
        return UNPROVEN
    except BrokenPipeError:
        # The reader went away (`| head`): what was to be said has no listener.
        return UNPROVEN
    except Exception:  # noqa: BLE001 - whatever it is, it is ours to answer for
        click.echo(traceback.format_exc(), err=True)
        click.echo(ISSUES, err=True)
        return OURS
    return status if isinstance(status, int) else HELD
