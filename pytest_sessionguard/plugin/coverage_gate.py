"""The coverage gates of a pytest run: judged once, when all is over, and told last.

Loaded only where the project's pyproject.toml has gates.  Nothing here starts a measurement or imports what is tested
before the tests do: what pytest-cov gathered, or what `coverage run` is gathering, is read at the very end.

What is known to lack something is never judged by its figures: a crashed worker, a worker that was not measured, a run
of some tests only.  Under `auto` a run that was never meant to be whole (some tests only, nothing measured) is told and
not held against anybody; under `on` it fails.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Generator, Iterable
from pathlib import Path
from typing import Any, Final

import pytest

from pytest_sessionguard.core import gates
from pytest_sessionguard.core.gate_account import Account
from pytest_sessionguard.core.gates import INCOMPLETE, MET, MISSED, Measurement, Verdict
from pytest_sessionguard.errors import UsageError
from pytest_sessionguard.plugin import options
from pytest_sessionguard.run import coverage_settings
from pytest_sessionguard.run.coverage_settings import CoverageSettings

PLUGIN: Final = "sessionguard-gate"
# What a worker tells at its end: whether it was measured, where its data is, how many tests it left out.
OUTPUT: Final = "sessionguard_gate"

UNMEASURED: Final = "nothing was measured: run pytest with --cov, or under `coverage run`"


def register(config: pytest.Config) -> None:
    """Put the gates in place, where the project has any.

    Raises:
        pytest.UsageError: every fault of the settings; or gates are asked for by name and there are none.
    """
    path = options.gate_file(config)
    try:
        settings = coverage_settings.load(path) if path.is_file() else None
    except UsageError as error:
        raise pytest.UsageError(str(error)) from None
    if settings is None:
        if options.gate(config) == "on":
            raise pytest.UsageError(f"--sessionguard-gate=on: {path} has no table [tool.sessionguard.coverage]")
        return
    plugin = WorkersPart(config) if hasattr(config, "workerinput") else Gate(config, settings)
    config.pluginmanager.register(plugin, PLUGIN)


class WorkersPart:
    """A worker's part: what its main process cannot see."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self.deselected = 0

    def pytest_deselected(self, items: Iterable[pytest.Item]) -> None:
        """Count; a worker selects for itself."""
        self.deselected += len(list(items))

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self) -> None:
        """Tell the main process; data is written now, since a worker may be ended before coverage.py would do it."""
        told: dict[str, Any] = {"deselected": self.deselected, "data": None}
        running = _running()
        if running is not None:
            running.save()
            told["data"] = str(running.get_data().data_filename())
        self.config.workeroutput[OUTPUT] = told  # type: ignore[attr-defined]  # xdist gives it to workers


class Gate:
    """The main process's part."""

    def __init__(self, config: pytest.Config, settings: CoverageSettings) -> None:
        self.config = config
        self.settings = settings
        self.began_ns = time.time_ns()
        self.deselected = 0
        self.crashed: list[str] = []
        self.workers: dict[str, dict[str, Any]] = {}

    # -- what happens in between ------------------------------------------------------------------------------------

    def pytest_deselected(self, items: Iterable[pytest.Item]) -> None:
        """Count."""
        self.deselected += len(list(items))

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any, error: Any) -> None:
        """Note how a worker ended: of one that crashed nothing is left."""
        told = getattr(node, "workeroutput", {}).get(OUTPUT)
        if error or told is None:
            self.crashed.append(node.gateway.id)
        else:
            self.workers[node.gateway.id] = told

    # -- the end ----------------------------------------------------------------------------------------------------

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> Generator[None, None, None]:
        """Judge and tell, outside of all other plugins: they have gathered and told all they have by then."""
        yield
        if self.config.option.collectonly:
            return
        try:
            account, is_excused = self._account(session, exitstatus)
            self._report(account, is_excused)
            is_fine = account.status == MET or is_excused
        except UsageError as error:
            _tell(self.config, f"coverage gate: INCOMPLETE; {error}", "red")
            is_fine = False
        if not is_fine and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def _account(self, session: pytest.Session, exitstatus: int) -> tuple[Account, bool]:
        """Return the account, and whether what it lacks is not held against the run."""
        broken = [*self._broken(session, exitstatus)]
        partial = [*self._partial()]
        problems = [*broken, *partial]
        is_measured = True
        coverage: Verdict | None = None
        if self.settings.gate is not None:
            measured = Measurement(problems=tuple(problems)) if problems else self._measured()
            if measured is None:
                is_measured = False
                measured = Measurement(problems=(UNMEASURED,))
            coverage = self._judged(measured)
        # Behaviour comes second: it imports the target, and what that runs is no test's doing.
        account = Account(coverage=coverage, behaviour=self._behaviour(problems))
        unknown = [one for one in account.parts if one.status == INCOMPLETE and (is_measured or one is not coverage)]
        is_damaged = bool(broken) or (bool(unknown) and not partial)
        is_missed = any(one.status == MISSED for one in account.parts)
        is_excused = options.gate(self.config) == "auto" and not is_missed and not is_damaged
        return account, is_excused

    def _judged(self, measured: Measurement) -> Verdict:
        from pytest_sessionguard.run import changed_lines

        assert self.settings.gate is not None
        if measured.problems:
            return gates.judge(self.settings.gate, measured)
        return gates.judge(self.settings.gate, *changed_lines.with_changed(measured, self.settings))

    def _behaviour(self, problems: list[str]) -> tuple[Any, ...]:
        if self.settings.behaviour is None:
            return ()
        from pytest_sessionguard.run import behaviour_gate

        ledger: Any = self.config.pluginmanager.get_plugin("sessionguard-ledger")
        exercised: dict[str, set[str]] = {}
        for case in ledger.carried:
            exercised.setdefault(case["manager"], set()).update(case["behaviour"])
        manager = options.manager(self.config) or options.DEFAULT_TARGET
        return behaviour_gate.judge(
            self.settings.behaviour, exercised, self.settings.folder, manager=manager, problems=problems
        )

    # -- what may be missing ----------------------------------------------------------------------------------------

    def _broken(self, session: pytest.Session, exitstatus: int) -> Iterable[str]:
        """Give what went wrong, so that something is missing."""
        if self.crashed:
            names = ", ".join(sorted(self.crashed))
            yield f"worker {names} crashed" if len(self.crashed) == 1 else f"workers {names} crashed"
        if exitstatus == pytest.ExitCode.INTERRUPTED:
            yield "the run was interrupted"
        elif exitstatus == pytest.ExitCode.NO_TESTS_COLLECTED and not self._partial_words():
            yield "no test ran"
        elif exitstatus not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED, pytest.ExitCode.NO_TESTS_COLLECTED):
            yield f"the run broke off (exit status {int(exitstatus)})"
        if session.shouldfail:
            yield f"the run broke off, {session.shouldfail}"

    def _partial(self) -> Iterable[str]:
        words = self._partial_words()
        if words:
            yield f"only some of the tests ran ({', '.join(words)})"

    def _partial_words(self) -> list[str]:
        """Return what on the command line made this a run of some tests only.

        What the project's own settings leave out (addopts, a conftest) is no part of the whole.
        """
        option, given = self.config.option, _given(self.config)
        left_out = self.deselected or max((told["deselected"] for told in self.workers.values()), default=0)
        words = []
        for flags, shown in _SELECTING:
            if left_out and any(_is_flag(word, flags) for word in given):
                words.append(shown)
        if any(_is_flag(word, ("--ignore", "--ignore-glob")) for word in given):
            words.append("--ignore")
        if getattr(option, "lf", False):
            words.append("--last-failed")
        if getattr(option, "stepwise", False):
            words.append("--stepwise")
        if getattr(option, "setuponly", False) or getattr(option, "setupplan", False):
            words.append("--setup-only")
        return [*words, *_narrow_arguments(self.config)]

    # -- what was measured ------------------------------------------------------------------------------------------

    def _measured(self) -> Measurement | None:
        """Return what was measured; None: nothing was."""
        controller = getattr(self.config.pluginmanager.get_plugin("_cov"), "cov_controller", None)
        folder = self.settings.folder
        if controller is not None:
            from pytest_sessionguard.run import coverage_data

            failed = sorted(node.gateway.id for node in getattr(controller, "failed_workers", ()))
            problems = [f"no coverage data came from {', '.join(failed)}"] if failed else []
            return coverage_data.of_finished(controller.cov, folder, problems)
        running = _running()
        if running is None:
            return None
        from pytest_sessionguard.run import coverage_data

        data = {name: told["data"] for name, told in self.workers.items()}
        missing = sorted(name for name, path in data.items() if path is None or not Path(path).is_file())
        problems = []
        if missing:
            problems.append(
                f"no coverage data came from {', '.join(missing)}: measure subprocesses too, by "
                '[tool.coverage.run] patch = ["subprocess"], or use pytest-cov'
            )
            return Measurement(problems=tuple(problems))
        others = [path for path in data.values() if path is not None]
        return coverage_data.of_running(running, folder, since_ns=self.began_ns, others=others)

    # -- telling ----------------------------------------------------------------------------------------------------

    def _report(self, account: Account, is_excused: bool) -> None:
        from pytest_sessionguard.reports import gate_text, github

        if account.status != MET or self.config.get_verbosity() >= 0:
            for line in gate_text.lines(account):
                _tell(self.config, line)
        if os.environ.get("GITHUB_ACTIONS") == "true":
            prefix = github.prefix_of(self.settings.folder, os.environ.get("GITHUB_WORKSPACE"))
            for line in github.warnings(account, prefix=prefix):
                _tell(self.config, line)
            if os.environ.get("GITHUB_STEP_SUMMARY"):
                github.append_summary(account, Path(os.environ["GITHUB_STEP_SUMMARY"]))
        note = (
            " (not held against this run; --sessionguard-gate=on would)" if is_excused and account.status != MET else ""
        )
        _tell(self.config, gate_text.closing(account) + note, gate_text.COLOURS[account.status])


# What selects on a command line, where it did leave tests out -> how it is told.
_SELECTING: Final = (
    (("-k",), "-k"),
    (("-m",), "-m"),
    (("--deselect",), "--deselect"),
    (
        ("--splits", "--group", "--shard-id", "--num-shards", "--test-group", "--picked", "--testmon"),
        "one part of many",
    ),
)


def _running() -> Any:
    """Return the measurement that is under way in this process, or None; never loads coverage.py for it."""
    if "coverage" not in sys.modules:
        return None
    from pytest_sessionguard.run import coverage_data

    return coverage_data.current()


def _given(config: pytest.Config) -> list[str]:
    """Return the words of the command line, up to `--`, and of the environment's."""
    words = [str(word) for word in config.invocation_params.args]
    return [*os.environ.get("PYTEST_ADDOPTS", "").split(), *words]


def _is_flag(word: str, flags: tuple[str, ...]) -> bool:
    """Say whether a word is one of the flags, alone or with its value."""
    for flag in flags:
        if word == flag or word.startswith(f"{flag}=") or (len(flag) == 2 and word.startswith(flag)):
            return True
    return False


def _narrow_arguments(config: pytest.Config) -> list[str]:
    """Return the arguments by which only some of the tests were asked for."""
    if config.args_source is not config.ArgsSource.ARGS:
        return []
    narrow = [word for word in config.args if "::" in word]
    asked = [(config.invocation_params.dir / word.partition("::")[0]).resolve() for word in config.args]
    start = config.inipath.parent if config.inipath is not None else config.rootpath
    whole = [path.resolve() for word in config.getini("testpaths") for path in start.glob(str(word))]
    if whole:
        if any(not any(path == one or one in path.parents for one in asked) for path in whole):
            narrow = narrow or list(config.args)
    elif asked and all(path.is_file() for path in asked):
        narrow = narrow or list(config.args)
    return narrow


def _tell(config: pytest.Config, line: str, colour: str = "") -> None:
    reporter: Any = config.pluginmanager.get_plugin("terminalreporter")
    if reporter is None:
        sys.stderr.write(f"{line}\n")
    else:
        reporter.write_line(line, **({colour: True} if colour else {}))
