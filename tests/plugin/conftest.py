"""What the plugin's tests share: a pytest of their own in a process of its own, and a small manager to test."""

from __future__ import annotations

from collections.abc import Callable

import pytest

Run = Callable[..., pytest.RunResult]

# `late`: how many seconds too late a session expires.
STORE = """
import time


class Store:
    made = []

    def __init__(self, idle_timeout, late=0):
        self.idle_timeout = idle_timeout + late
        self.sessions = {}

    def create(self, id, data):
        self.made.append(id)
        self.sessions[id] = [dict(data), time.time()]
        return id

    def get(self, id):
        found = self.sessions.get(id)
        if found is None or time.time() - found[1] >= self.idle_timeout:
            return None
        print("reading", id)
        return dict(found[0])

    def touch(self, id):
        if self.get(id) is None:
            return False
        self.sessions[id][1] = time.time()
        return True

    def delete(self, id):
        alive = self.get(id) is not None
        self.sessions.pop(id, None)
        return alive
"""

PROFILE = """
[manager]
factory = "store:Store"
path = ["."]
args = { idle_timeout = "{idle_timeout}" }

[operations]
create = "create(id, data) -> id"
get = "get(id) -> data"
touch = "touch(id) -> found"
delete = "delete(id) -> found"

[policy]
idle_timeout = "30m"
existing = "replace"
"""

STORY = """scenario: A touched session lives on
version: 1
requires: [touch]
matrix: {early: [1s, 1ms]}
steps:
  - create: {as: cart, data: {items: 1}}
  - advance: {to_timeout_of: cart, minus: $early}
  - touch: cart
  - advance: $early
  - expect: {session: cart, alive: true}
  - advance: {to_timeout_of: cart, plus: $early}
  - expect: {session: cart, alive: false}
"""


@pytest.fixture
def run(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run pytest in a process of its own, with no plugin but those named; autoload=True: with all there are."""

    def go(*arguments: str, autoload: bool = False) -> pytest.RunResult:
        if autoload:
            monkeypatch.delenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", raising=False)
        else:
            monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
        if any(word.startswith("--cov") for word in arguments):
            # pytest-cov erases every data file beside its own, and would erase the project's measurement.
            for variable in ("COVERAGE_PROCESS_START", "COVERAGE_FILE"):
                monkeypatch.delenv(variable, raising=False)
        return pytester.runpytest_subprocess("-p", "no:cacheprovider", *arguments)

    return go


@pytest.fixture
def shop(pytester: pytest.Pytester) -> pytest.Pytester:
    """A folder with a store, its profile, a story of two cells, and the ini key that names the profile."""
    pytester.makepyfile(store=STORE)
    pytester.path.joinpath("shop.sessionguard.toml").write_text(PROFILE, encoding="utf-8")
    pytester.path.joinpath("cart.session.yaml").write_text(STORY, encoding="utf-8")
    pytester.makeini("[pytest]\nsessionguard_manager = shop.sessionguard.toml\n")
    return pytester


@pytest.fixture
def broken_shop(shop: pytest.Pytester) -> pytest.Pytester:
    """The same, its store planted with a bug: sessions expire two seconds late."""
    profile = shop.path.joinpath("shop.sessionguard.toml")
    profile.write_text(PROFILE.replace('"{idle_timeout}" }', '"{idle_timeout}", late = 2 }'), encoding="utf-8")
    return shop
