"""A manager that lists one owner's sessions only is asked about that owner, and never about the whole."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from pytest_sessionguard.core.plan import cells
from pytest_sessionguard.run import scenario_files
from pytest_sessionguard.run.runner import run_all
from pytest_sessionguard.target.profile import profile

HEAD = "scenario: Looked at through an owner's list\nversion: 1\nsteps:\n"


class OwnersOnly:
    """Tells nothing but the ids of one owner's sessions."""

    def __init__(self, *, forgetful: bool = False) -> None:
        self._forgetful = forgetful
        self._owners: dict[str, str] = {}

    def create(self, owner: str) -> str:
        made = f"{owner}/{len(self._owners)}"
        if not self._forgetful:
            self._owners[made] = owner
        return made

    def delete(self, session_id: str) -> bool:
        return self._owners.pop(session_id, None) is not None

    def of(self, owner: str) -> list[str]:
        return [one for one, whose in self._owners.items() if whose == owner]


def statuses(tmp_path: Path, steps: str, args: Mapping[str, Any]) -> tuple[str, str]:
    file = tmp_path / "story.session.yaml"
    file.write_text(HEAD + steps, encoding="utf-8")
    described = profile(
        factory=OwnersOnly,
        args=args,
        operations={"create": "create(owner) -> id", "delete": "delete(id) -> found", "list": "of(owner) -> ids"},
        policy={"missing": {"delete": "false"}},
    )
    (case,) = run_all(cells(scenario_files.load(file)), described, target="owners").cases
    return case.status, case.reason


@pytest.mark.parametrize(
    ("forgetful", "status"),
    [(False, "held"), (True, "violated")],
)
def test_life_is_read_from_the_list_of_the_sessions_own_owner(forgetful: bool, status: str, tmp_path: Path) -> None:
    steps = (
        "  - create: {as: mine, owner: ada}\n"
        "  - create: {as: other, owner: bob}\n"
        "  - delete: other\n"
        "  - expect: {session: mine, alive: true}\n"
        "  - expect: {session: other, alive: false}\n"
    )
    if forgetful:
        steps = steps.replace("  - delete: other\n", "").replace("  - expect: {session: other, alive: false}\n", "")
    assert statuses(tmp_path, steps, {"forgetful": forgetful})[0] == status


@pytest.mark.parametrize("expected", ["count: 1", "ids: [mine]"])
def test_what_only_one_owners_list_can_tell_is_not_expected_of_the_whole(expected: str, tmp_path: Path) -> None:
    steps = f"  - create: {{as: mine, owner: ada}}\n  - expect: {{{expected}}}\n"
    status, reason = statuses(tmp_path, steps, {})
    assert status == "skipped"
    assert expected.partition(":")[0] in reason
