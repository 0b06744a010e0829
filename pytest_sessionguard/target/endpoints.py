"""Where the backend of a manager is: told by the profile, or by a function of the profile's that starts one."""

from __future__ import annotations

import os
import re
from typing import Any, Final

from pytest_sessionguard.errors import UsageError
from pytest_sessionguard.target.imports import put_on_path
from pytest_sessionguard.target.making import named
from pytest_sessionguard.target.refusals import told, where
from pytest_sessionguard.target.shape import Profile

_ADDRESS: Final = re.compile(r"(?P<host>.+):(?P<port>\d{1,5})")

# What a function gave, for each process that asked: a backend is started once.
_GIVEN: Final[dict[tuple[int, Any], str]] = {}


def endpoint_of(profile: Profile) -> str | None:
    """Return `host:port` of the backend; None where the profile names none.

    Raises:
        UsageError: the function that is to give it cannot be imported, raised, or gave something else.
    """
    reference = profile.endpoint
    if reference is None or (isinstance(reference, str) and _ADDRESS.fullmatch(reference)):
        return reference
    key = os.getpid(), reference
    if key not in _GIVEN:
        put_on_path(profile.paths)
        start = named(reference, "endpoint")
        try:
            given = start()
        except Exception as error:
            place = where(error.__traceback__)
            raise UsageError(f"{profile.name}: endpoint raised {told(error)} at {place}") from error
        if not isinstance(given, str) or not _ADDRESS.fullmatch(given):
            raise UsageError(f"{profile.name}: endpoint gave {given!r}; expected a text such as 'localhost:6379'")
        _GIVEN[key] = given
    return _GIVEN[key]


def host_and_port(endpoint: str) -> tuple[str, int]:
    """Return the two parts of an address."""
    host, _, port = endpoint.rpartition(":")
    return host.strip("[]"), int(port)
