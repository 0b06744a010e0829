"""A test makes things go wrong for the manager that it drives, in the words of scenario files."""

from __future__ import annotations

from collections.abc import Callable

import pytest

Run = Callable[..., pytest.RunResult]

OURS = ("-p", "sessionguard")


@pytest.fixture(autouse=True)
def no_story(shop: pytest.Pytester) -> None:
    shop.path.joinpath("cart.session.yaml").unlink()
    shop.makepyfile(
        conftest="""
        import pytest

        @pytest.fixture
        def session_manager():
            return "reference-sync-file"
        """
    )


def test_faults_strike_in_a_block_from_then_on_or_by_a_marker(shop: pytest.Pytester, run: Run) -> None:
    shop.makepyfile(
        """
        import pytest

        def test_in_a_block(sessionguard, sessionguard_faults):
            cart = sessionguard.create(data={"n": 1})
            with sessionguard_faults({"io_error": "ENOSPC", "operation": "write"}) as faults:
                assert sessionguard.update(cart, changes={"n": 2}).refused
            assert [(one.point, one.chance) for one in faults.fired] == [("file write", 1)]
            assert faults.fired[0].followed == "update: nobody knows whether it has happened"
            assert not sessionguard.update(cart, changes={"n": 3}).refused
            sessionguard.expect(cart, data={"n": 3})

        def test_from_then_on(sessionguard, sessionguard_faults):
            cart = sessionguard.create()
            sessionguard_faults.inject({"lost_reply": "touch"}, {"clock_jump": "-1h", "at": 2})
            assert sessionguard.touch(cart).refused
            sessionguard.touch(cart)
            assert len(sessionguard_faults.fired) == 2

        @pytest.mark.sessionguard_faults({"fail_call": "close"})
        @pytest.mark.sessionguard_faults(pause="10s")
        def test_by_a_marker(sessionguard):
            cart = sessionguard.create()
            sessionguard.delete(cart)
            sessionguard.expect_gone(cart)
        """
    )
    result = run(*OURS)
    result.assert_outcomes(passed=3)
    result.stdout.fnmatch_lines(["3 held; virtual *"])


def test_a_fault_that_never_strikes_leaves_its_test_unproven(shop: pytest.Pytester, run: Run) -> None:
    shop.makepyfile(
        """
        import pytest

        @pytest.mark.sessionguard_faults({"fail_call": "close"})
        def test_nothing_is_closed(sessionguard):
            sessionguard.create()
        """
    )
    run(*OURS).stdout.fnmatch_lines(["1 unproven*"])


def test_a_violation_after_a_fault_is_told_as_one_of_it(shop: pytest.Pytester, run: Run) -> None:
    shop.makepyfile(
        """
        import pytest
        from pytest_sessionguard.reference import SessionManager

        class Careless(SessionManager):
            def update(self, session_id, changes):
                try:
                    return super().update(session_id, changes)
                except Exception:
                    return 2

        @pytest.fixture
        def session_manager():
            from dataclasses import replace
            from pytest_sessionguard.target.profile import load
            return replace(load("reference-sync-file"), factory=Careless)

        def test_it_hides_an_error(sessionguard, sessionguard_faults):
            cart = sessionguard.create(data={"n": 1})
            with sessionguard_faults({"io_error": "EIO", "operation": "write", "lasting": True}):
                sessionguard.update(cart, changes={"n": 2})
            sessionguard.get(cart)
        """
    )
    result = run(*OURS)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*fault.reported violated: after {io_error: EIO, *"])


def test_a_fault_that_a_test_cannot_have_is_refused(shop: pytest.Pytester, run: Run) -> None:
    shop.makepyfile(
        """
        import pytest

        @pytest.mark.parametrize("number", [pytest.param(number, marks=pytest.mark.sessionguard_faults(mark))
            for number, mark in enumerate([
                {"fial_call": "close"}, {"fail_call": "close", "at": "every"}, {"crash": "kill"}, "fail_call"])])
        def test_it(sessionguard, number):
            sessionguard.create()
        """
    )
    result = run(*OURS)
    result.assert_outcomes(errors=4)
    text = result.stdout.str()
    assert "unknown kind of fault 'fial_call', did you mean 'fail_call'?" in text
    assert "{fail_call: close, at: every}: a test runs once" in text
    assert "{crash: kill, at: 1}: a test runs once" in text
    assert "takes faults as mappings, not 'fail_call'" in text
