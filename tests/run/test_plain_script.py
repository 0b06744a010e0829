"""A found case as a script makes the target's own calls, and shows what the case shows."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from pytest_sessionguard.core.plan import Plan, cells
from pytest_sessionguard.run import scenario_files
from pytest_sessionguard.run.plain_script import script_of
from pytest_sessionguard.run.runner import Runner
from pytest_sessionguard.target.profile import load

STORE = """
import time

class Store:
    def __init__(self, idle, root):
        self.idle, self.kept = idle, {}
    async def create(self, data, *, ttl=None):
        self.kept["id1"] = [data, time.time()]
        return "id1"
    async def get(self, id):
        return self.kept[id][0] if time.time() - self.kept[id][1] <= self.idle else None  # one instant too long
"""
PROFILE = """
[manager]
factory = "{module}:Store"
path = ["."]
args = {{ idle = "{{idle_timeout}}", root = "{{dir}}" }}
[operations]
create = "create(data, ttl=timeout?) -> id"
get = "get(id) -> data"
[policy]
idle_timeout = "1m"
activity = ["create"]
"""
LATE = """
- create: {as: s-1, data: {a: 1}}
- advance: {to_timeout_of: s-1}
- get: s-1
"""


def plan_of(steps: str) -> Plan:
    text = f"scenario: Too late\nversion: 1\nsteps:\n{textwrap.indent(textwrap.dedent(steps), '  ')}"
    (plan,) = cells(scenario_files.load("a.session.yaml", text))
    return plan


@pytest.fixture
def runner(tmp_path: Path) -> Runner:
    module = f"late_{abs(hash(tmp_path))}"
    (tmp_path / f"{module}.py").write_text(STORE)
    (tmp_path / "late.sessionguard.toml").write_text(PROFILE.format(module=module))
    return Runner(load(str(tmp_path / "late.sessionguard.toml")), target="late.sessionguard.toml")


def script(runner: Runner, steps: str) -> str:
    plan = plan_of(steps)
    violation = next(iter(runner.run(plan).violations), None)
    return script_of(plan, runner.profile, violation, case="sg1:x", target=runner.target)


def test_the_script_shows_the_bug_by_plain_calls(runner: Runner, tmp_path: Path) -> None:
    text = script(runner, LATE)
    assert "pytest_sessionguard" not in text
    (tmp_path / "script.py").write_text(text)
    done = subprocess.run([sys.executable, "script.py"], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.stderr == ""
    assert done.stdout.splitlines() == ["create({'a': 1}) -> 'id1'", "get(s_1) -> {'a': 1}"]
    assert "clock.tick(60.0)" in text
    assert "# expiry." in text


def test_spans_timeouts_and_raw_ids_are_told(runner: Runner) -> None:
    text = script(runner, "- create: {as: s1, data: {}}\n- advance: 5s\n- get: s1\n- get: {id: id1}")
    assert "clock.tick(5.0)" in text
    assert "manager.get('id1')" in text


@pytest.mark.parametrize(
    ("steps", "told"),
    [
        ("- create: {as: s1}\n- parallel: [[{get: s1}], [{get: s1}]]", "what happens at once"),
        ("- create: {as: s1}\n- restart: {}", "`restart`"),
        ("- create: {as: s1}\n- repeat: {times: 2, steps: [{get: s1}]}", "`repeat`"),
        ("- create: {as: s1}\n- delete: s1", "delete, which is several steps"),
    ],
)
def test_what_plain_calls_cannot_tell_is_replayed_by_the_script(runner: Runner, steps: str, told: str) -> None:
    text = script_of(plan_of(steps), runner.profile, None, case="sg1:x", target="late.toml")
    assert f"Plain calls cannot tell {told}" in text
    assert "main([\"replay\", 'sg1:x', \"--manager\", 'late.toml'])" in text
    compile(text, "script.py", "exec")
