"""`--sessionguard-check`: every property that the profile claims is a pytest item, and one search serves them all.

Loaded when it is asked for.  The search runs with the first of the items, for those that are left after `-k`
and the like; under pytest-xdist each worker that is given one of them searches, all with one seed.
"""

from __future__ import annotations

import random
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from pytest_sessionguard.core import durations
from pytest_sessionguard.core.result import Result
from pytest_sessionguard.errors import HarnessError, SessionguardError, UsageError, Violation
from pytest_sessionguard.explore.examples import opened
from pytest_sessionguard.plugin import options
from pytest_sessionguard.run import shared_finds
from pytest_sessionguard.run.checker import BUDGET_S, Settings, check
from pytest_sessionguard.run.found import FOLDER
from pytest_sessionguard.run.runner import claims
from pytest_sessionguard.target.profile import Profile, load, refused_for_check

_SEEDS: Final = 1 << 32
_ITEMS: Final = pytest.StashKey["CheckedProfile"]()


def add(session: pytest.Session, config: pytest.Config, items: list[pytest.Item]) -> None:
    """Add an item for each property.

    Raises:
        pytest.UsageError: there is no such profile, or it must not be searched; or a wrong seed or budget.
    """
    target = options.profile(config)
    try:
        profile = load(target)
        refused = refused_for_check(profile)
        if refused:
            raise UsageError("\n".join(f"{target}: {refusal}" for refusal in refused))
        node = CheckedProfile.from_parent(session, name=target, nodeid=target)
        node.prepare(profile, target)
    except UsageError as error:
        raise pytest.UsageError(str(error)) from None
    config.stash[_ITEMS] = node
    made: list[pytest.Item | pytest.Collector] = list(node.collect())
    for item in made:
        item.ihook.pytest_itemcollected(item=item)
    # That is how a terminal counts what was collected.
    node.ihook.pytest_collectreport(report=pytest.CollectReport(node.nodeid, "passed", None, made))
    items.extend(item for item in made if isinstance(item, pytest.Item))


def summary(config: pytest.Config) -> str:
    """Return what the search of this process came to, on a line; empty where there was none."""
    node = config.stash.get(_ITEMS, None)
    return node.summary() if node is not None else ""


class CheckedProfile(pytest.Collector):
    """The profile whose properties are items."""

    def prepare(self, profile: Profile, target: str) -> None:
        """Note what is to be searched, and how.

        Raises:
            UsageError: a wrong seed, budget or database.
        """
        written = profile.check
        self._profile, self._target = profile, target
        self.seed = _seed(self.config, written.seed)
        budget_us = _budget_us(self.config)
        self._cases = written.cases if budget_us is None else None
        budget_us = budget_us if budget_us is not None else written.budget_us
        self._budget_s = None if self._cases else (BUDGET_S if budget_us is None else budget_us / 1_000_000)
        self._allow = {str(name): str(reason) for name, reason in written.allow.items()}
        url = options.given(self.config, "database")
        self._examples = None if url is None else opened(url)
        self._result: Result | None = None

    def collect(self) -> Iterator[PropertyItem]:
        """Give an item for each property that is claimed."""
        for name in claims(self._profile):
            yield PropertyItem.from_parent(self, name=name)

    def result(self) -> Result:
        """Return what the search has come to; the first who asks waits for it.

        Raises:
            UsageError: the profile does not fit the manager, or the database cannot be reached.
        """
        if self._result is None:
            asked = tuple(item.name for item in self.session.items if isinstance(item, PropertyItem))
            settings = Settings(
                seed=self.seed,
                budget_s=self._budget_s,
                cases=self._cases,
                only=asked,
                allow=self._allow,
                found=(folder := self.config.rootpath / FOLDER),
            )
            if self._examples is not None:
                shared_finds.take_out(self._examples, folder, target=self._target)
            self._result = check(self._profile, settings, target=self._target)
            if self._examples is not None:
                shared_finds.put_in(self._examples, self._result, target=self._target)
        return self._result

    def summary(self) -> str:
        """Return what the search came to, on a line; empty where none ran."""
        if self._result is None:
            return ""
        counts = {
            status: sum(one.status == status for one in self._result.properties)
            for status in ("held", "violated", "unproven")
        }
        told = ", ".join(f"{count} {status}" for status, count in counts.items() if count)
        ran = f"{self._result.ran:,} cases in {self._result.duration_s:.1f} s"
        return f"check {self._target}, seed {self.seed}: {ran}; {told}"


class PropertyItem(pytest.Item):
    """One property of the profile."""

    def __init__(self, **rest: Any) -> None:
        super().__init__(**rest)
        self.add_marker(pytest.mark.real_time)
        self.add_marker(pytest.mark.xdist_group("sessionguard-check"))

    def runtest(self) -> None:
        """Search, unless another item has, and say what came of this property.

        Raises:
            Violation: it is violated.
            HarnessError: cases broke off on a fault of ours.
        """
        node = self.parent
        assert isinstance(node, CheckedProfile)
        result = node.result()
        self.user_properties.append(("sessionguard_seed", node.seed))
        found = [one for one in result.violations if one.property == self.name]
        if found:
            raise Violation(self.name, "\n\n".join(one.message for one in found))
        broken = [case.reason for case in result.cases if case.status == "error"]
        if broken:
            raise HarnessError(broken[0])
        for one in result.properties:
            if one.name == self.name and one.status == "unproven":
                pytest.skip(f"unproven: {one.reason}")

    def reportinfo(self) -> tuple[Path, int | None, str]:
        """Return what stands above a failure."""
        return self.config.rootpath, None, f"{self.name} of {self.parent.name if self.parent else ''}"

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """Return what a reader needs: for one of ours its own text."""
        if isinstance(excinfo.value, SessionguardError):
            return str(excinfo.value)
        return super().repr_failure(excinfo)


def _seed(config: pytest.Config, written: int | None) -> int:
    asked = options.given(config, "seed")
    if asked is not None:
        return _read(asked, "--sessionguard-seed takes a whole number", _whole)
    if written is not None:
        return written
    run: Any = getattr(config, "workerinput", {}).get("testrunuid")  # One for all workers of pytest-xdist.
    return zlib.crc32(str(run).encode()) if run else random.SystemRandom().randrange(_SEEDS)


def _budget_us(config: pytest.Config) -> int | None:
    asked = options.given(config, "budget")
    return None if asked is None else _read(asked, "--sessionguard-budget takes a time such as 30s", _span)


def _whole(text: str) -> int:
    if not text.isdecimal():
        raise ValueError(text)
    return int(text)


def _span(text: str) -> int:
    span_us = durations.parse(text)
    if span_us <= 0:
        raise ValueError(text)
    return span_us


def _read(text: str, takes: str, parse: Callable[[str], int]) -> int:
    try:
        return parse(text)
    except ValueError:
        raise UsageError(f"{takes}, not {text!r}") from None
