"""The plugin is there once, however it is asked for, and costs nothing until it is used."""

from __future__ import annotations

from collections.abc import Callable

import pytest

Run = Callable[..., pytest.RunResult]

PROBE = """
def test_probe(pytestconfig, sessionguard_clock):
    manager = pytestconfig.pluginmanager
    named = {name: getattr(plugin, "__name__", "") for name, plugin in manager.list_name_plugin()}
    ours = [name for name, module in named.items() if module.startswith("pytest_sessionguard.plugin")]
    assert ours == ["sessionguard"]
    assert pytestconfig.getoption("sessionguard_manager") is None
"""

WAYS = [
    (autoload, names)
    for autoload in (True, False)
    for names in (
        (),
        ("sessionguard",),
        ("pytest_sessionguard",),
        ("sessionguard", "pytest_sessionguard"),
        ("pytest_sessionguard", "sessionguard"),
    )
    if autoload or names
]


@pytest.mark.parametrize(("autoload", "names"), WAYS, ids=[f"autoload={way[0]},{'+'.join(way[1])}" for way in WAYS])
def test_the_plugin_is_registered_once_whichever_way_it_is_named(
    pytester: pytest.Pytester, run: Run, autoload: bool, names: tuple[str, ...]
) -> None:
    pytester.makepyfile(PROBE)
    arguments = [word for name in names for word in ("-p", name)]
    run(*arguments, autoload=autoload).assert_outcomes(passed=1)


def test_without_autoload_and_unnamed_it_is_not_there(pytester: pytest.Pytester, run: Run) -> None:
    pytester.makepyfile(
        "def test_probe(pytestconfig): assert not pytestconfig.pluginmanager.has_plugin('sessionguard')"
    )
    run().assert_outcomes(passed=1)


def test_forbidding_it_forbids_it_by_either_name(pytester: pytest.Pytester, run: Run) -> None:
    pytester.makepyfile(
        "def test_probe(pytestconfig): assert not pytestconfig.pluginmanager.has_plugin('sessionguard')"
    )
    run("-p", "no:sessionguard", "-p", "pytest_sessionguard").assert_outcomes(passed=1)


def test_a_conftest_may_name_it(pytester: pytest.Pytester, run: Run) -> None:
    pytester.makeconftest("pytest_plugins = ['pytest_sessionguard']")
    pytester.makepyfile(PROBE)
    run().assert_outcomes(passed=1)


def test_unused_it_loads_nothing_heavy(pytester: pytest.Pytester, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COVERAGE_PROCESS_START", raising=False)
    pytester.makepyfile(
        """
        import sys

        HEAVY = {"hypothesis", "pydantic", "yaml", "rich", "freezegun", "click", "asyncio", "xdist", "coverage"}

        def test_probe():
            assert not HEAVY & set(sys.modules)
            assert {name for name in sys.modules if name.startswith("pytest_sessionguard")} == {
                "pytest_sessionguard", "pytest_sessionguard.plugin",
                "pytest_sessionguard.plugin.options", "pytest_sessionguard.plugin.fixtures",
            }
        """
    )
    run("-p", "sessionguard").assert_outcomes(passed=1)


@pytest.mark.parametrize("name", ["manager", "report", "report-dir"])
def test_an_option_that_takes_a_value_requires_it(run: Run, name: str) -> None:
    result = run("-p", "sessionguard", f"--sessionguard-{name}")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"*--sessionguard-{name}: expected one argument*"])


def test_a_wrong_report_form_is_refused_before_anything_runs(pytester: pytest.Pytester, run: Run) -> None:
    pytester.makepyfile("def test_it(): pass")
    result = run("-p", "sessionguard", "--sessionguard-report", "pdf")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*--sessionguard-report is one of json, html, not 'pdf'*"])


def test_strict_markers_know_ours(pytester: pytest.Pytester, run: Run) -> None:
    pytester.makepyfile(
        """
        import pytest

        @pytest.mark.virtual_time
        @pytest.mark.sessionguard(manager="reference")
        def test_it(): pass
        """
    )
    run("-p", "sessionguard", "--strict-markers").assert_outcomes(passed=1)
