"""Every table and key of a profile is read as its user meant it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from pytest_sessionguard.core.operations import KINDS, VERBS
from pytest_sessionguard.core.policy import KEYS
from pytest_sessionguard.core.values import FrozenMap
from pytest_sessionguard.errors import UsageError
from pytest_sessionguard.target.fitting import RESULTS_OF
from pytest_sessionguard.target.profile import Profile, SessionShape
from pytest_sessionguard.target.reading import read_tables, read_text

SHAPES = Path(__file__).parent / "shapes"


@pytest.fixture(autouse=True)
def shapes_to_import(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [str(SHAPES), *sys.path])


HEAD = """
[manager]
factory = "shape_shop:Lazy"
{manager}
[operations]
create = "create(id?, owner?, data?, ttl=timeout?) -> id"
{operations}
"""


def read(rest: str = "", *, manager: str = "", operations: str = "", folder: Path = SHAPES) -> Profile:
    text = HEAD.format(manager=manager, operations=operations) + rest
    return read_text(text, source="p.toml", name="p", folder=folder)


def test_what_is_not_written_stands_at_its_default() -> None:
    profile = read()
    assert (profile.name, profile.factory, profile.path) == ("p", "shape_shop:Lazy", None)
    assert (profile.callers, profile.isolation, profile.time, profile.timeout_unit) == ("one", "none", "virtual", "s")
    assert (profile.instances, profile.instances_share, profile.hooks_may_call_back) == (1, True, False)
    assert (profile.reset, profile.endpoint, profile.background, profile.granularity_us) == (None, None, None, 0)
    assert profile.session == SessionShape()
    assert profile.policy.written == frozenset()
    assert profile.check.allow == FrozenMap({})


@pytest.mark.parametrize(
    ("line", "attribute", "expected"),
    [
        ('callers = "processes"', "callers", "processes"),
        ("hooks_may_call_back = true", "hooks_may_call_back", True),
        ('isolation = "process"', "isolation", "process"),
        ("instances = 3", "instances", 3),
        ("instances_share = false", "instances_share", False),
        ('time = "real"', "time", "real"),
        ('timeout_unit = "timedelta"', "timeout_unit", "timedelta"),
        ('granularity = "1s"', "granularity_us", 1_000_000),
        ('reset = "shape_shop:clean"', "reset", "shape_shop:clean"),
        ('endpoint = "localhost:6379"', "endpoint", "localhost:6379"),
        ('endpoint = "shape_shop:clean"', "endpoint", "shape_shop:clean"),
        ('endpoint = "[::1]:6379"', "endpoint", "[::1]:6379"),
        ('path = ["."]', "paths", (str(SHAPES),)),
    ],
)
def test_every_key_of_the_manager_is_read(line: str, attribute: str, expected: Any) -> None:
    assert getattr(read(manager=line), attribute) == expected


def test_granularity_and_the_expired_status_are_known_to_the_policy() -> None:
    profile = read('[session]\nstatus = "state"\nexpired_status = "dead"', manager='granularity = "2s"')
    assert (profile.policy.granularity_us, profile.policy.expired_status) == (2_000_000, "dead")


def test_arguments_hooks_and_background_are_read() -> None:
    profile = read(
        manager="""
args = { idle = "{idle_timeout}", nested = { list = [1, "{dir}/x"] }, host = "{host}" }
endpoint = "h:1"
hooks = { on_close = "async close(session)", on_open = "open(id, owner=owner) -> data" }
background = "run_cleanup_loop()"
""",
        operations="sweep = \"purge('{limit}', 3)\"",
        rest="[policy]\nidle_timeout = 5\nlimit = 3",
    )
    assert profile.args["nested"] == {"list": [1, "{dir}/x"]}
    assert profile.placeholders == {"idle_timeout", "dir", "host", "limit"}
    closing, opening = profile.hooks["on_close"], profile.hooks["on_open"]
    assert (closing.role, closing.asynchronous, [one.name for one in closing.arguments]) == ("close", True, ["session"])
    assert (opening.role, opening.asynchronous, opening.result) == ("open", False, "data")
    assert profile.background is not None
    assert profile.background.path == ("run_cleanup_loop",)


@pytest.mark.parametrize("verb", VERBS)
def test_every_operation_takes_a_template_with_its_own_arguments(verb: str) -> None:
    arguments = ", ".join(VERBS[verb].arguments)
    result = sorted(RESULTS_OF[verb] - {"nothing"})[0]
    text = f"call({arguments}) -> {result}"
    profile = read() if verb == "create" else read(operations=f'{verb} = "{text}"')
    if verb != "create":
        (template,) = profile.operations[verb]
        assert template.text == text


def test_a_list_of_templates_is_several_steps_and_a_session_of_an_earlier_one_is_known() -> None:
    profile = read(operations='pop_item = ["any() -> session", "session.take(id) -> data"]')
    assert [template.root for template in profile.operations["pop_item"]] == ["manager", "session"]


def test_every_key_of_the_session_is_read() -> None:
    profile = read(
        """
[session]
id = "meta.id"
data = "."
version = "version"
status = "status"
owner = "user-id"
data_type = "shape_shop:look_up"
data_values = "token"
data_empty = false
expired_status = "expired"
"""
    )
    assert profile.session == SessionShape(
        id="meta.id",
        data=".",
        version="version",
        status="status",
        owner="user-id",
        data_type="shape_shop:look_up",
        data_values="token",
        data_empty=False,
        expired_status="expired",
    )
    for known in ("dict", "flat", "str", "bytes", "list"):
        assert read(f'[session]\ndata_type = "{known}"').session.data_type == known


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_error_takes_a_class_or_a_list(kind: str) -> None:
    assert read(f'[errors]\n{kind} = "KeyError"').errors[kind] == ("KeyError",)
    assert read(f'[errors]\n{kind} = ["KeyError", "shape_shop:Conflict"]').errors[kind] == (
        "KeyError",
        "shape_shop:Conflict",
    )


def test_an_error_that_cannot_be_imported_is_matched_by_its_name_with_a_warning() -> None:
    profile = read('[errors]\nmissing = "nowhere:Gone"\nlimit = ["KeyError", "other.place.Full"]')
    assert profile.errors["missing"] == ("nowhere:Gone",)
    assert tuple(one for one in profile.warnings if "imported" in one) == (
        "p.toml:9:1: 'nowhere:Gone' cannot be imported: errors are matched by that name",
        "p.toml:10:22: 'other.place.Full' cannot be imported: errors are matched by that name",
    )


def test_answers_metrics_health_probes_and_check_are_read() -> None:
    profile = read(
        """
[answers]
missing = [404, -2]
never = [-1, inf]
conflict = "late"
limit = [{ code = [1] }]
[metrics]
total = "counts.total"
oldest_age = "oldest"
[health]
ok = "none"
dead = "process-dead"
stale = 3
disk = false
[probes]
locks = "glob:{dir}/*.lock"
size = "len:store.data"
threads = "shape_shop:clean"
[check]
allow = ["lifecycle.use: there is none", { name = "kill", reason = "too slow" }, "delay"]
budget = "30s"
cases = 100
seed = 7
"""
    )
    assert profile.answers["missing"] == (404, -2)
    assert profile.answers["conflict"] == ("late",)
    assert profile.answers["limit"] == (FrozenMap({"code": (1,)}),)
    assert profile.metrics["total"] == "counts.total"
    assert dict(profile.health) == {"ok": "none", "dead": "process-dead", "stale": 3, "disk": False}
    assert profile.probes["size"] == "len:store.data"
    assert dict(profile.check.allow) == {"lifecycle.use": "there is none", "kill": "too slow", "delay": ""}
    assert (profile.check.budget_us, profile.check.cases, profile.check.seed) == (30_000_000, 100, 7)


SAMPLES: dict[str, Any] = {
    "duration": ('"1m"', 60_000_000),
    "number": ("3", 3),
    "flag": ("true", True),
    "verbs": ('["get", "use"]', ("get", "use")),
    "pattern": ('"[a-z]+"', "[a-z]+"),
}
NEEDED = """
[errors]
missing = "KeyError"
limit = "ValueError"
exists = "TypeError"
[session]
status = "status"
"""


@pytest.mark.parametrize("key", KEYS)
def test_every_key_of_the_policy_is_read_with_every_value(key: str) -> None:
    described = KEYS[key]
    manager = 'hooks = { on_close = "close(session)" }'
    values = [(f'"{word}"', word) for word in described.values] or [SAMPLES[described.takes]]
    for text, expected in values:
        profile = read(f"[policy]\n{key} = {text}\n{NEEDED}", manager=manager)
        assert getattr(profile.policy, key) == expected
        assert profile.policy.written == {key}
    if described.by_verb:
        for word in described.values:
            profile = read(f'[policy]\n{key} = {{ get = "{word}" }}\n{NEEDED}', operations='get = "get(id) -> session"')
            assert getattr(profile.policy, key) == FrozenMap({"get": word})
            assert profile.policy.named_for(key, "get")


def test_a_pyproject_table_is_read_beside_the_gates_on_coverage(tmp_path: Path) -> None:
    text = """
[project]
name = "x"
[tool.sessionguard.coverage]
min = 85
[tool.sessionguard.manager]
factory = "shape_shop:Lazy"
[tool.sessionguard.operations]
create = "create() -> sesion"
"""
    path = tmp_path / "pyproject.toml"
    with pytest.raises(UsageError) as caught:
        read_text(text, source="pyproject.toml", name="x", path=path, folder=tmp_path)
    assert str(caught.value) == "pyproject.toml:9:23: unknown result 'sesion', did you mean 'session'?"
    good = text.replace('sesion"', 'session"')
    assert read_text(good, source="pyproject.toml", name="x", path=path, folder=tmp_path).factory == "shape_shop:Lazy"
    for wrong in ("", "[tool.black]\nx = 1", "tool = 5"):
        with pytest.raises(UsageError, match=r"pyproject.toml:1:1: no table \[tool.sessionguard\]"):
            read_text(wrong, source="pyproject.toml", name="x", path=path, folder=tmp_path)


class Refusal(Exception):
    pass


def test_a_mapping_takes_the_same_tables_with_callables_and_classes() -> None:
    class Local(Exception):
        pass

    def make(limit: int) -> None: ...

    tables = {
        "manager": {
            "factory": make,
            "args": {
                "limit": "{limit}",
            },
            "reset": lambda: None,
        },
        "operations": {"create": ("create() -> session", "session.save()")},
        "errors": {"missing": Refusal, "limit": [KeyError, Local]},
        "probes": {"count": lambda manager: 1},
        "policy": {"limit": 3},
        "session": {"data_type": dict},
    }
    profile = Profile.of(tables)
    assert profile.factory is make
    assert profile.errors["missing"] == (f"{__name__}:Refusal",)
    assert profile.errors["limit"] == ("builtins:KeyError", "Local")
    assert not [warning for warning in profile.warnings if "imported" in warning]


def test_faults_of_a_mapping_are_named_by_their_key() -> None:
    tables: Any = {
        "manager": {"factory": "shape_shop:Lazy", "path": ["nowhere"], "callers": "some"},
        "operations": {"create": "create(ownr)", "get": ["a(id)", "b(id) -> sesion"]},
        "polcy": {},
    }
    with pytest.raises(UsageError) as caught:
        read_tables(tables, name="mine")
    assert str(caught.value).splitlines() == [
        "mine: manager.callers: 'some' is no value of callers; expected one of: one, processes, tasks, threads",
        "mine: manager.path[0]: no folder 'nowhere': expected one, relative to the profile",
        "mine: operations.create: column 8: unknown argument 'ownr', did you mean 'owner'?",
        "mine: operations.get[1]: column 10: unknown result 'sesion', did you mean 'session'?",
        "mine: polcy: unknown table [polcy], did you mean 'policy'?",
    ]


@pytest.mark.parametrize(
    ("rest", "manager", "operations", "warning"),
    [
        ("[policy]\nlimit = 3", "", "", "[errors] names no `limit`"),
        ('[policy]\nlimit_scope = "owner"', "", "", "the policy has no `limit`"),
        ("[policy]\nrevivable = true", "", "", 'does not say expired = "stale"'),
        ('[session]\nexpired_status = "x"', "", "", 'does not say expired = "marked"'),
        ('[policy]\nidle_timeout = "2h"\nabsolute_timeout = "1h"', "", "", "longer than absolute_timeout"),
        ("[policy]\nidle_timeout = 5", "", "", "should say per_session_timeout = true"),
        ('[policy]\nresource = "close()"', "", "", "no operation `attach`"),
        ("[policy]\nhistory_limit = 3", "", "", "no operation `history`"),
        ('[policy]\nmissing = { put = "none" }', "", "", "no operation `put`"),
        ("", "", 'get = "get(id) -> session"', "names nothing to look at"),
        (
            '[check]\nallow = ["lifecycle.uze: none"]',
            "",
            "",
            "no property 'lifecycle.uze', did you mean 'lifecycle.use'?",
        ),
        ("", "", 'get = "get(id)"', "judged by its errors alone"),
    ],
)
def test_what_is_without_effect_or_looks_forgotten_is_a_warning(
    rest: str, manager: str, operations: str, warning: str
) -> None:
    warnings = read(rest, manager=manager, operations=operations).warnings
    assert [one for one in warnings if warning in one], warnings


def test_what_a_create_without_id_or_owner_makes_pointless_is_a_warning() -> None:
    text = """
[manager]
factory = "shape_shop:WebSessionStore"
args = { idle_timeout = "{idle_timeout}" }
[operations]
create = "create('x') -> id"
[policy]
limit = 3
limit_scope = "owner"
at_limit = "evict-any"
existing = "error"
id_pattern = "[a-z]+"
"""
    warnings = read_text(text, source="p.toml", name="p", folder=SHAPES).warnings
    assert warnings == (
        "p.toml:9:1: create takes no `owner`: all sessions count as one owner's",
        "p.toml:12:1: without effect: create takes no `id`",
        "p.toml:4:10: the policy has no `idle_timeout`: None is handed over, unless a scenario asks for one",
    )


def test_a_figure_within_a_text_needs_its_policy_key() -> None:
    with pytest.raises(UsageError, match=r"nothing fills in \{limit\}: expected \[policy\] limit"):
        read(manager='args = { name = "x-{limit}" }')
    assert read("[policy]\nlimit = 3", manager='args = { name = "x-{limit} {own}" }').args["name"] == "x-{limit} {own}"
