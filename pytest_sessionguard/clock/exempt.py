"""Who keeps real time while a virtual clock is in force.

Two kinds: tools that measure the tests themselves, and the parts of the standard library that wait in real time and
would wait for ever if their deadline stood still.
"""

from __future__ import annotations

from typing import Final

TOOLS: Final = (
    "_pytest",
    "pytest",
    "pluggy",
    "_hypothesis_pytestplugin",
    "hypothesis",
    "execnet",
    "xdist",
    "coverage",
    "pytest_cov",
    "pytest_timeout",
    "pytest_randomly",
    "pytest_rerunfailures",
    "pytest_benchmark",
    "pytest_html",
    "pytest_jsonreport",
    "pytest_reportlog",
    "allure_pytest",
    "allure_commons",
    "unittest",
    "timeit",
    "profile",
    "cProfile",
    "bdb",
    "pdb",
    "ipdb",
    "pudb",
    "IPython",
    "debugpy",
    "pydevd",
    "_pydevd_bundle",
    "_pydev_bundle",
    "pyinstrument",
    "viztracer",
    "yappi",
    "line_profiler",
    "scalene",
    "memray",
    "freezegun",
    "time_machine",
    "pytest_sessionguard",
)

# These count down to a deadline around a wait in C, which takes real time.
REAL_WAITS: Final = ("threading", "queue", "subprocess", "socketserver", "multiprocessing", "concurrent.futures")

# Of our own package only the reference system is a target; and a mock calls what it wraps for its user.
TARGETS: Final = ("pytest_sessionguard.reference", "unittest.mock")

# Of these, those whose waits are virtual where threads are; then what they call for others is told virtual time.
VIRTUAL_WITH_THREADS: Final = ("threading", "queue", "concurrent.futures", "socketserver")


class _Verdicts(dict[str, bool]):
    """Remember each verdict: one is asked for at every reading of the time."""

    def __init__(self, exempt: tuple[str, ...]) -> None:
        super().__init__()
        self._exempt = frozenset(exempt)

    def __missing__(self, module_name: str) -> bool:
        verdict = self[module_name] = not _within(module_name, TARGETS) and _within(module_name, self._exempt)
        return verdict


# Module name -> whether its code is shown the real time.
KEEPS_REAL_TIME: Final = _Verdicts(TOOLS + REAL_WAITS)
KEEPS_REAL_TIME_BESIDE_THREADS: Final = _Verdicts(
    TOOLS + tuple(name for name in REAL_WAITS if name not in VIRTUAL_WITH_THREADS)
)


def _within(module_name: str, packages: frozenset[str] | tuple[str, ...]) -> bool:
    parts = module_name.split(".")
    return any(".".join(parts[:length]) in packages for length in range(1, len(parts) + 1))
