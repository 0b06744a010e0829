"""A test drives a manager, and every answer is judged as it comes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., pytest.RunResult]

OURS = ("-p", "sessionguard")


@pytest.fixture(autouse=True)
def no_story(shop: pytest.Pytester) -> None:
    shop.path.joinpath("cart.session.yaml").unlink()


def test_a_correct_manager_is_driven_and_not_accused(shop: pytest.Pytester, run: Run) -> None:
    shop.makepyfile(
        """
        import time

        def test_cart(sessionguard, sessionguard_clock, capsys):
            began = time.time()
            cart = sessionguard.create(data={"items": [1]})
            print("the test's own words")
            assert "the test's own words" in capsys.readouterr().out
            sessionguard.advance("29m")
            assert time.time() == began + 29 * 60
            assert not sessionguard.touch(cart).refused
            sessionguard.advance(29 * 60)
            assert sessionguard.get(cart).data == {"items": [1]}
            sessionguard.expect(cart, alive=True, data={"items": [1]}, has={"items": [1]})
            sessionguard.advance_to_timeout(cart, minus="1us")
            sessionguard.expect_alive(cart.id)
            sessionguard.advance_to_timeout(cart, plus="1ms")
            sessionguard.expect_gone(cart)
            assert sessionguard.touch(cart).refused
            assert sessionguard_clock.elapsed.total_seconds() == 59 * 60 + 0.001
            chosen = sessionguard.create(id="mine")
            assert chosen.id == "mine" and "mine" in repr(chosen)
            assert not sessionguard.do("delete", "mine").refused
        """
    )
    result = run(*OURS)
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["1 held; virtual 59 min 0 s in *"])


def test_a_violation_is_raised_at_the_line_that_asked_and_told_once(broken_shop: pytest.Pytester, run: Run) -> None:
    broken_shop.makepyfile(
        test_cart="""
        from pytest_sessionguard import Violation
        import pytest

        def test_cart(sessionguard):
            cart = sessionguard.create()
            sessionguard.advance_to_timeout(cart, plus="1ms")
            sessionguard.get(cart)

        def test_kept(sessionguard):
            cart = sessionguard.create()
            sessionguard.advance_to_timeout(cart, plus="1ms")
            with pytest.raises(Violation) as raised:
                sessionguard.get(cart)
            assert raised.value.property_name.startswith("expiry.")
            assert isinstance(raised.value, AssertionError)
        """
    )
    result = run(*OURS, "-p", "xdist", "-n", "1", "--sessionguard-report", "json")
    result.assert_outcomes(failed=1, passed=1)
    result.stdout.fnmatch_lines(
        [
            ">       sessionguard.get(cart)",
            "E *Violation: expiry.* violated: *",
            "E *get(session1)*<- expected*",
            "E *scenario test_cart.py:7:1",
            "E *replay *pytest test_cart.py::test_cart",
            "E *reading *",
            "test_cart.py:7: Violation",
            "2 violated; *",
        ]
    )
    result.stdout.no_fnmatch_line("*driver.py*")
    report = json.loads(Path(".sessionguard/report/result.json").read_text(encoding="utf-8"))
    assert [len(found["also"]) for found in report["violations"]] == [1]


def test_an_unmet_expectation_is_a_violation(shop: pytest.Pytester, run: Run) -> None:
    shop.makepyfile(
        """
        def test_cart(sessionguard):
            cart = sessionguard.create(data={"a": 1})
            sessionguard.expect(cart, data={"a": 2})
        """
    )
    result = run(*OURS)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["E *scenario.expectation violated: expected data: {'a': 2}; given data: {'a': 1}"])


def test_the_marker_names_the_target_and_figures_of_its_policy(shop: pytest.Pytester, run: Run) -> None:
    shop.makepyfile(
        """
        import pytest

        @pytest.mark.parametrize("name", ["reference-sync-memory", "reference-async-memory", "reference-async-sqlite"])
        def test_limit(sessionguard, name):
            assert sessionguard.profile.policy.limit == 2

        pytestmark = pytest.mark.sessionguard(manager="reference-async-memory", limit=2, idle_timeout="1m")

        def test_two(sessionguard):
            first = sessionguard.create(owner="me")
            sessionguard.create()
            assert sessionguard.create().refused
            sessionguard.expect(count=2, metrics={"total": 2})
            assert first.id in sessionguard.list().ids
            sessionguard.expect(ids=sessionguard.list().ids)
            sessionguard.expect(first, expires_in="1m", owner="me")
            sessionguard.advance("1m")
            sessionguard.expect_gone(first)
        """
    )
    run(*OURS).assert_outcomes(passed=4)


def test_a_durable_manager_is_restarted(shop: pytest.Pytester, run: Run) -> None:
    shop.makepyfile(
        """
        import pytest

        @pytest.mark.sessionguard(manager="reference-async-sqlite")
        def test_restart(sessionguard):
            cart = sessionguard.create(data={"a": 1})
            sessionguard.restart()
            assert sessionguard.get(cart).data == {"a": 1}
            assert not sessionguard.update(cart, changes={"b": 2}, client="B").refused
            assert sessionguard.get(cart).data == {"a": 1, "b": 2}
        """
    )
    run(*OURS).assert_outcomes(passed=1)


def test_what_is_left_open_at_the_end_is_told_at_teardown(shop: pytest.Pytester, run: Run) -> None:
    with Path("shop.sessionguard.toml").open("a", encoding="utf-8") as file:
        file.write('resource = "close()"\n')
    profile = Path("shop.sessionguard.toml")
    profile.write_text(
        profile.read_text(encoding="utf-8").replace('get = "', 'attach = "attach(id, resource)"\nget = "', 1),
        encoding="utf-8",
    )
    with Path("store.py").open("a", encoding="utf-8") as file:
        file.write("\n    def attach(self, id, resource):\n        pass\n")
    shop.makepyfile(
        """
        def test_cart(sessionguard):
            cart = sessionguard.create()
            sessionguard.attach(cart, resource="file")
            sessionguard.delete(cart)
        """
    )
    result = run(*OURS)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["*resources.closed-once violated: *"])


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("sessionguard.rotate('a')", "*the profile shop has no operation rotate*"),
        ("sessionguard.rotat('a')", "*there is no operation 'rotat', did you mean 'rotate'?*"),
        ("sessionguard.create(dat={})", "*create takes no 'dat', did you mean 'data'?*"),
        ("sessionguard.expect('a', alife=True)", "*nothing tells 'alife', did you mean 'alive'?*"),
        ("sessionguard.create().count", "*AttributeError: the answer tells no count: ok: id=*"),
        ("sessionguard.advance(-1)", "*that instant is 1s in the past; time only moves on*"),
        ("sessionguard.advance_to_timeout('a')", "*session 'a' has no timeout to go to, or is over already*"),
    ],
)
def test_a_mistake_of_the_test_is_told_in_words(shop: pytest.Pytester, run: Run, body: str, told: str) -> None:
    shop.makepyfile(f"def test_it(sessionguard):\n    {body}\n")
    result = run(*OURS)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines([told])


@pytest.mark.parametrize(
    ("marker", "told"),
    [
        ("limit=3", "*limit cannot be chosen: the profile shop says limit (not written) and hands over no {limit}*"),
        ("limt=3", "*the marker sessionguard takes no 'limt', did you mean 'limit'?*"),
        ("idle_timeout='soon'", "*the marker sessionguard: 'soon' is not a duration*"),
        ("'reference'", "*the marker sessionguard takes keywords only*"),
    ],
)
def test_a_wrong_marker_is_the_users_mistake(shop: pytest.Pytester, run: Run, marker: str, told: str) -> None:
    shop.makepyfile(
        f"import pytest\n@pytest.mark.sessionguard({marker})\ndef test_it(sessionguard):\n    sessionguard.create()\n"
    )
    result = run(*OURS)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines([told])


def test_a_coroutine_is_told_to_become_a_function(shop: pytest.Pytester, run: Run) -> None:
    shop.makepyfile("async def test_it(sessionguard):\n    pass\n")
    result = run(*OURS, "-p", "asyncio", "-o", "asyncio_mode=auto")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*make the test a plain `def`*"])


def test_a_manager_that_turns_out_async_is_made_again_in_a_loop(shop: pytest.Pytester, run: Run) -> None:
    with Path("store.py").open("a", encoding="utf-8") as file:
        file.write(
            "\n\nasync def later():\n    return Store(1800)\n\n\nasync def answer():\n    return 'a'\n\n\n"
            "def make(idle_timeout):\n    return later()\n\n\n"
            "class Late(Store):\n    def create(self, id, data):\n        return answer()\n"
        )
    profile = Path("shop.sessionguard.toml")
    written = profile.read_text(encoding="utf-8")
    profile.write_text(written.replace("store:Store", "store:make"), encoding="utf-8")
    Path("late.sessionguard.toml").write_text(written.replace("store:Store", "store:Late"), encoding="utf-8")
    shop.makepyfile(
        """
        import pytest

        def test_it(sessionguard):
            cart = sessionguard.create()
            sessionguard.advance("30m")
            sessionguard.expect_gone(cart)

        @pytest.mark.sessionguard(manager="late.sessionguard.toml")
        def test_too_late(sessionguard):
            with pytest.raises(Exception, match="gave something to await from what looked like a sync manager"):
                sessionguard.create()
        """
    )
    run(*OURS).assert_outcomes(passed=2)


def test_a_manager_that_cannot_be_made_is_an_error_of_the_setup(shop: pytest.Pytester, run: Run) -> None:
    store = Path("store.py")
    store.write_text(
        store.read_text(encoding="utf-8").replace("self.sessions = {}", "raise OSError('no disk')"), encoding="utf-8"
    )
    shop.makepyfile(
        "def test_it(sessionguard):\n    pass\n\ndef test_time():\n    import time\n    assert time.time() > 1.7e9\n"
    )
    result = run(*OURS)
    result.assert_outcomes(errors=1, passed=1)
    result.stdout.fnmatch_lines(["*no disk*"])
