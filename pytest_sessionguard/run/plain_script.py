"""A case as a plain Python script: the target's own class, its own calls, and nothing of ours.

For one who would see the bug without believing the harness.  What only the harness can do (deciding who runs next,
restarting, changing clocks) is not in it: such a case is replayed by a script of two lines.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from pytest_sessionguard.core import plan as plans
from pytest_sessionguard.core import scenario as scenarios
from pytest_sessionguard.core.operations import VERBS
from pytest_sessionguard.core.plan import Plan
from pytest_sessionguard.core.scenario import RawId, Step
from pytest_sessionguard.core.values import EMPTY, FrozenMap, thaw
from pytest_sessionguard.core.violation import Row, ViolationFound
from pytest_sessionguard.target import placeholders
from pytest_sessionguard.target.shape import Profile
from pytest_sessionguard.target.templates import Argument, Template

_HEAD: Final = '''\
"""{title}

The calls of one found case, made as any program would make them.
"""

import asyncio
import inspect
import sys
import tempfile

from freezegun import freeze_time

sys.path[:0] = {paths}
from {module} import {name}  # noqa: E402


async def call(told, make):
    """Make a call, await it where it is async, and print what came of it."""
    try:
        answer = make()
        answer = await answer if inspect.isawaitable(answer) else answer
    except Exception as error:
        answer = error
    print(f"{{told}} -> {{answer!r}}")
    return answer


async def main():
    with freeze_time("2026-01-01", real_asyncio=True) as clock:
        folder = tempfile.mkdtemp()
        manager = {name}({arguments})
        manager = await manager if inspect.isawaitable(manager) else manager
'''
_TAIL: Final = """\
{wrong}

asyncio.run(main())
"""
_REPLAY: Final = '''\
"""{title}

{why}: this replays the case.
"""

from pytest_sessionguard.cli import main

main(["replay", {case!r}, "--manager", {target!r}])
'''

_INDENT: Final = " " * 8
# What a step calls an argument that a template hands over.
_NAMES: Final = {"changes": "set", "timeout": "timeout_us"}


class _Beyond(Exception):
    """Plain calls cannot tell it."""


def script_of(plan: Plan, profile: Profile, violation: ViolationFound | None, *, case: str, target: str) -> str:
    """Return the script; `violation` is what the case shows today, if anything."""
    title = plan.title
    try:
        body = "".join(f"{_INDENT}{line}\n" for line in _lines(plan, profile, violation))
        head = _head(plan, profile, title)
    except _Beyond as beyond:
        return _REPLAY.format(title=title, why=f"Plain calls cannot tell {beyond}", case=case, target=target)
    wrong = f"# {violation.property}: expected {' or '.join(violation.expected)}" if violation is not None else ""
    return head + body + "\n\n" + _TAIL.format(wrong=wrong).lstrip("\n")


def _head(plan: Plan, profile: Profile, title: str) -> str:
    module, _, name = profile.factory.partition(":") if isinstance(profile.factory, str) else ("", "", "")
    if not name.isidentifier():
        raise _Beyond(f"how {profile.factory} is made")
    policy = plans.effective(plan, profile.policy)
    figures: dict[str, Any] = {one: getattr(policy, one) for one in placeholders.NUMBERS}
    figures |= {one: placeholders.in_unit(getattr(policy, one), profile.timeout_unit) for one in placeholders.TIMES}
    given: Mapping[str, Any] = placeholders.fill(thaw(profile.args), {**figures, "dir": _FOLDER})
    arguments = ", ".join(f"{one}={'folder' if value == _FOLDER else repr(value)}" for one, value in given.items())
    return _HEAD.format(title=title, paths=list(profile.paths), module=module, name=name, arguments=arguments)


_FOLDER: Final = "{dir}"


def _lines(plan: Plan, profile: Profile, violation: ViolationFound | None) -> Iterator[str]:
    """Give the calls, each after the time that passed before it."""
    variables = plans.variables(plan, profile.policy)
    rows = list(violation.operations) if violation is not None else []
    now_us = passed_us = 0
    for step in (*plan.scenario.start, *plan.scenario.steps):
        if not isinstance(step, Step):
            raise _Beyond("what happens at once" if step.verb == "parallel" else f"`{step.verb}`")
        filled = scenarios.fill(step, variables)
        if step.verb == "advance":
            span_us = filled.arguments.get("by_us")
            if span_us is None and not rows:
                raise _Beyond("when a session times out")
            passed_us += span_us or 0
        elif step.verb in VERBS and not step.cancel_at:
            row = _row(rows, step.verb)
            if row is not None:
                passed_us = max(passed_us, row.called_us) if "to_timeout_of" in _spoken(plan) else passed_us
            if passed_us > now_us:
                yield f"clock.tick({(passed_us - now_us) / 1_000_000})"
                now_us = passed_us
            yield _call(filled, profile)
        elif step.verb != "expect":
            raise _Beyond(f"`{step.verb}`")


def _spoken(plan: Plan) -> frozenset[str]:
    return frozenset(name for step in plan.scenario.all_steps if isinstance(step, Step) for name in step.arguments)


def _row(rows: list[Row], verb: str) -> Row | None:
    """Take what was recorded of the next call of this verb."""
    for at, row in enumerate(rows):
        if row.operation.startswith(f"{verb}("):
            del rows[: at + 1]
            return row
    return None


def _call(step: Step, profile: Profile) -> str:
    templates: Any = profile.operations.get(step.verb, ())
    if len(templates) != 1:
        raise _Beyond(f"{step.verb}, which is several steps")
    template: Template = templates[0]
    if template.root != "manager" or not template.call or template.item is not None:
        raise _Beyond(f"{step.verb} as `{template.text}`")
    handed = [text for one in template.arguments for text in _argument(one, step.arguments, profile)]
    told = f"{'.'.join(template.path)}({', '.join(handed)})"
    made = f"await call({told!r}, lambda: manager.{told})"
    name = step.arguments.get("as")
    if not isinstance(name, str):
        return made
    if template.result == "id":
        return f"{_variable(name)} = {made}"
    if template.result == "session" and (profile.session.id or "").isidentifier():
        return f"{_variable(name)} = ({made}).{profile.session.id}"
    raise _Beyond(f"the id that {step.verb} gives")


def _argument(argument: Argument, given: FrozenMap, profile: Profile) -> Iterator[str]:
    head = f"{argument.keyword}=" if argument.keyword else ""
    if argument.name is None:
        yield f"{head}{thaw(argument.literal)!r}"
        return
    if argument.name == "id" and "session" in given:
        named = given["session"]
        yield head + (repr(thaw(named.value)) if isinstance(named, RawId) else _variable(str(named)))
        return
    name = _NAMES.get(argument.name, argument.name)
    if name in given:
        value = given[name]
        if name == "timeout_us":
            value = placeholders.in_unit(value, profile.timeout_unit)
        yield ("**" if argument.spread else head) + repr(thaw(value))
    elif not argument.optional:
        if argument.name not in ("data", "changes"):
            raise _Beyond(f"the {argument.name} that is handed over")
        yield ("**" if argument.spread else head) + repr(thaw(EMPTY))


def _variable(name: str) -> str:
    return name.replace("-", "_").replace(".", "_")
