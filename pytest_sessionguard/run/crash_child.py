"""The child of a traced case: runs one plan, tells the tracer what was noted, leaves the record behind.

python -m pytest_sessionguard.run.crash_child ASKED TOLD
"""

from __future__ import annotations

import os
import pickle
import sys
from pathlib import Path

from pytest_sessionguard.crash.traced import MARKS
from pytest_sessionguard.run.crash_recording import MarkingWatch
from pytest_sessionguard.run.runner import Runner


def main(asked: str, told: str) -> None:
    """Run the plan that `asked` holds; write the recording to `told`, or how the case ended where it did not hold."""
    profile, plan, folder = pickle.loads(Path(asked).read_bytes())
    marks = os.open(os.environ[MARKS], os.O_WRONLY | os.O_APPEND)
    watch = MarkingWatch(folder, marks)
    case = Runner(profile).run(plan, watch=watch)
    held = case.status in ("held", "unproven") and not case.violations
    Path(told).write_bytes(pickle.dumps(watch.recorded if held else f"{case.status}: {case.reason}"))


if __name__ == "__main__":
    main(*sys.argv[1:])
