"""Where the stories are that come with the package.

A wheel carries them inside the package; a checkout, and whoever installs it to work on it, has them beside it.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from pytest_sessionguard.errors import UsageError

PACKAGE: Final = Path(__file__).parent.parent


def folder(package: Path = PACKAGE) -> Path:
    """Return the folder of the shipped stories, from the working folder where they lie below it.

    Raises:
        UsageError: this installation has none.
    """
    for found in (package / "stories", package.parent / "scenarios"):
        if found.is_dir():
            below = os.path.relpath(found)
            return found if below.startswith("..") else Path(below)
    raise UsageError(f"no stories came with {package}: name a scenario file, or a folder of them")
