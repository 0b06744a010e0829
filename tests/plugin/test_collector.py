"""Scenario files are tests like any other."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., pytest.RunResult]

OURS = ("-p", "sessionguard")


def test_each_cell_is_an_item_with_a_readable_name(shop: pytest.Pytester, run: Run) -> None:
    result = run(*OURS, "--collect-only", "-q")
    assert result.outlines[:2] == [
        "cart.session.yaml::A touched session lives on[early=1s]",
        "cart.session.yaml::A touched session lives on[early=1ms]",
    ]


def test_scenarios_run_and_the_summary_tells_virtual_time_and_properties(shop: pytest.Pytester, run: Run) -> None:
    result = run(*OURS)
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(["*= sessionguard =*", "2 held; virtual 2 h 0 min in *", "exercised *expiry.idle 1*"])


@pytest.mark.parametrize(
    "chosen",
    [
        ["-k", "1ms"],
        ["-k", "touched and not 1s"],
        ["cart.session.yaml::A touched session lives on[early=1ms]"],
    ],
)
def test_an_item_is_chosen_by_word_or_by_node_id(shop: pytest.Pytester, run: Run, chosen: list[str]) -> None:
    result = run(*OURS, "-v", *chosen)
    result.stdout.fnmatch_lines(["*lives on?early=1ms? PASSED*"])
    assert result.parseoutcomes()["passed"] == 1


def test_a_title_without_cells_is_found_by_its_node_id(shop: pytest.Pytester, run: Run) -> None:
    lines = [
        line for line in Path("cart.session.yaml").read_text(encoding="utf-8").splitlines() if "matrix" not in line
    ]
    story = (
        "\n".join(lines)
        .replace("$early", "1s")
        .replace("A touched session lives on", "'A touched session lives :: on'")
    )
    Path("cart.session.yaml").write_text(story, encoding="utf-8")
    run(*OURS, "cart.session.yaml::A touched session lives : on").assert_outcomes(passed=1)


def test_markers_of_the_file_are_real_marks(shop: pytest.Pytester, run: Run) -> None:
    with Path("cart.session.yaml").open("a", encoding="utf-8") as file:
        file.write("markers: [slow, tryfirst_of_all]\n")
    Path("pytest.ini").write_text("[pytest]\nmarkers =\n  slow: takes long\n  tryfirst_of_all: odd\n", encoding="utf-8")
    run(*OURS, "--strict-markers", "-m", "not slow").assert_outcomes(deselected=2)
    Path("pytest.ini").write_text("[pytest]\nmarkers =\n  slow: takes long\n", encoding="utf-8")
    result = run(*OURS, "--strict-markers")
    assert result.ret == pytest.ExitCode.INTERRUPTED
    result.stdout.fnmatch_lines(["*cart.session.yaml:1:*'tryfirst_of_all' not found in `markers`*"])


def test_fixtures_of_the_file_are_set_up(shop: pytest.Pytester, run: Run) -> None:
    with Path("cart.session.yaml").open("a", encoding="utf-8") as file:
        file.write("fixtures: [a_server]\n")
    result = run(*OURS)
    result.assert_outcomes(errors=2)
    result.stdout.fnmatch_lines(["*fixture 'a_server' not found*"])
    shop.makeconftest(
        """
        import pytest

        @pytest.fixture
        def a_server():
            print("server up")
            yield
            print("server down")
        """
    )
    result = run(*OURS, "-s", "-k", "1ms")
    result.assert_outcomes(passed=1, deselected=1)
    result.stdout.fnmatch_lines(["*server up*", "*server down*"])


@pytest.mark.parametrize(
    "given",
    ['"shop.sessionguard.toml"', "store.Store", "make", "load('shop.sessionguard.toml')", '"store:Store"'],
)
def test_the_fixture_session_manager_may_name_the_target_in_every_way(
    shop: pytest.Pytester, run: Run, given: str
) -> None:
    Path("pytest.ini").write_text("[pytest]\nsessionguard_manager = reference\n", encoding="utf-8")
    Path("cart.session.yaml").write_text(
        "scenario: A session is made\nversion: 1\nsteps:\n  - create: {as: cart, data: {n: 1}}\n"
        "  - expect: {session: cart, data: {n: 1}}\n",
        encoding="utf-8",
    )
    shop.makeconftest(
        f"""
        import pytest, store
        from pytest_sessionguard.target.profile import load

        def make(idle_timeout: float = 60) -> store.Store:
            return store.Store(idle_timeout)

        @pytest.fixture
        def session_manager():
            return {given}

        def pytest_unconfigure():
            print("made", len(store.Store.made))
        """
    )
    result = run(*OURS, "-s")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["made 1"])


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("object()", "*session_manager gave a object: expected a Profile, a TARGET*"),
        ("lambda: None", "*which no module has by name: define it at the top of one, or give a Profile*"),
        ("'nix.toml'", "*nix.toml: no such file*"),
    ],
)
def test_what_is_no_target_is_refused_in_words(shop: pytest.Pytester, run: Run, given: str, told: str) -> None:
    shop.makeconftest(f"import pytest\n@pytest.fixture\ndef session_manager():\n    return {given}\n")
    result = run(*OURS)
    result.assert_outcomes(failed=2)
    result.stdout.fnmatch_lines([told])


def test_the_option_wins_over_the_ini_key(shop: pytest.Pytester, run: Run) -> None:
    Path("pytest.ini").write_text("[pytest]\nsessionguard_manager = nix.toml\n", encoding="utf-8")
    assert run(*OURS).ret == pytest.ExitCode.INTERRUPTED
    run(*OURS, "--sessionguard-manager", "shop.sessionguard.toml").assert_outcomes(passed=2)


def test_the_ini_key_is_relative_to_its_file(shop: pytest.Pytester, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.mkdir("below")
    Path("cart.session.yaml").rename("below/cart.session.yaml")
    monkeypatch.chdir("below")
    run(*OURS).assert_outcomes(passed=2)


def test_without_a_target_the_reference_manager_is_tested(shop: pytest.Pytester, run: Run) -> None:
    Path("pytest.ini").write_text("[pytest]\n", encoding="utf-8")
    run(*OURS).assert_outcomes(passed=2)


def test_a_wrong_profile_is_refused_before_anything_runs(shop: pytest.Pytester, run: Run) -> None:
    profile = Path("shop.sessionguard.toml")
    profile.write_text(profile.read_text(encoding="utf-8").replace("existing", "exsiting"), encoding="utf-8")
    result = run(*OURS)
    assert result.ret == pytest.ExitCode.INTERRUPTED
    result.stdout.fnmatch_lines(["*shop.sessionguard.toml:15:1: *did you mean 'existing'*"])
    result.assert_outcomes(errors=1)


def test_what_only_a_search_can_reach_is_refused_in_words(shop: pytest.Pytester, run: Run) -> None:
    with Path("shop.sessionguard.toml").open("a", encoding="utf-8") as file:
        file.write('[probes]\nkept = "len:sessions"\n')
    result = run(*OURS)
    assert result.ret == pytest.ExitCode.INTERRUPTED
    result.stdout.fnmatch_lines(["*probes are read by search only*"])


def test_an_unmet_requirement_skips_and_names_what_is_missing_at_the_users_line(
    shop: pytest.Pytester, run: Run
) -> None:
    story = Path("cart.session.yaml")
    story.write_text("\n\n" + story.read_text(encoding="utf-8").replace("[touch]", "[touch, rotate]"), encoding="utf-8")
    result = run(*OURS, "-rs")
    result.assert_outcomes(skipped=2)
    result.stdout.fnmatch_lines(["2 skipped; *", "skipped * 2, for want of: operation rotate (2)"])
    result.stdout.fnmatch_lines(["SKIPPED [[]2] cart.session.yaml:3: needs operation rotate"])


def test_a_story_that_proves_nothing_is_no_pass(shop: pytest.Pytester, run: Run) -> None:
    Path("cart.session.yaml").write_text(
        "scenario: Nothing happens\nversion: 1\nsteps:\n  - advance: 1h\n", encoding="utf-8"
    )
    result = run(*OURS, "-rs")
    result.assert_outcomes(skipped=1)
    result.stdout.fnmatch_lines(["*unproven: *"])


def test_a_malformed_file_is_a_collection_error_with_every_fault(shop: pytest.Pytester, run: Run) -> None:
    story = Path("cart.session.yaml")
    wrong = story.read_text(encoding="utf-8").replace("touch: cart", "tuoch: cart").replace("alive: false", "alife: 0")
    story.write_text(wrong, encoding="utf-8")
    result = run(*OURS)
    assert result.ret == pytest.ExitCode.INTERRUPTED
    result.stdout.fnmatch_lines(["cart.session.yaml:8:5: *did you mean 'touch'*", "cart.session.yaml:12:*alive*"])
    result.stdout.no_fnmatch_line("*Traceback*")


def test_a_failure_tells_all_that_is_needed_and_its_commands_repeat_it(broken_shop: pytest.Pytester, run: Run) -> None:
    result = run(*OURS, "-k", "1ms")
    result.assert_outcomes(failed=1, deselected=1)
    result.stdout.fnmatch_lines(
        [
            "expiry.* violated: *",
            "  client *operation *called *returned *answer",
            "*touch(cart)*",
            "*get(cart)*<- expected *",
            "  expected *",
            "  given *",
            '  policy *expired = "gone"*',
            "  scenario cart.session.yaml:12:*",
            "  replay *sessionguard run cart.session.yaml --manager shop.sessionguard.toml --cell early=1ms",
            "  again *pytest 'cart.session.yaml::A touched session lives on[[]early=1ms]'",
        ]
    )
    result.stdout.no_fnmatch_line("*Traceback*")
    told = {
        line.split()[0]: line.split(maxsplit=1)[1]
        for line in result.outlines
        if line.startswith(("  replay", "  again"))
    }
    again = shlex.split(told["again"])
    assert again[0] == "pytest"
    run(*OURS, *again[1:]).assert_outcomes(failed=1)
    replay = shlex.split(told["replay"])
    assert replay[0] == "sessionguard"
    done = subprocess.run(
        [sys.executable, "-m", "pytest_sessionguard", *replay[1:]], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1, done.stderr
    assert "expiry." in done.stdout


def test_the_command_that_repeats_a_failure_names_a_manager_that_was_an_option(
    broken_shop: pytest.Pytester, run: Run
) -> None:
    Path("pytest.ini").write_text("[pytest]\n", encoding="utf-8")
    result = run(*OURS, "-k", "1ms", "--sessionguard-manager", "shop.sessionguard.toml")
    again = next(line.split(maxsplit=1)[1] for line in result.outlines if line.startswith("  again"))
    assert again.endswith(" --sessionguard-manager shop.sessionguard.toml")
    run(*OURS, *shlex.split(again)[1:]).assert_outcomes(failed=1)


def test_junit_xml_has_line_numbers_and_virtual_time(broken_shop: pytest.Pytester, run: Run) -> None:
    run(*OURS, "--junitxml=out.xml", "-o", "junit_family=xunit1")
    cases = ET.parse("out.xml").getroot().findall(".//testcase")
    assert {case.get("file") for case in cases} == {"cart.session.yaml"}
    assert {case.get("line") for case in cases} == {"0"}
    assert "cart.session.yaml:12:" in str(cases[0].find("failure").text)  # type: ignore[union-attr]
    names = {found.get("name") for found in cases[0].findall(".//property")}
    assert names == {"sessionguard_virtual_s"}


def test_workers_share_the_items_and_the_account_is_whole(broken_shop: pytest.Pytester, run: Run) -> None:
    Path("other.session.yaml").write_text(
        "scenario: Another\nversion: 1\nsteps:\n  - create: {as: a}\n  - expect: {session: a, alive: true}\n",
        encoding="utf-8",
    )
    result = run(*OURS, "-p", "xdist", "-n", "2", "--sessionguard-report", "json", "--sessionguard-report-dir", "out")
    result.assert_outcomes(failed=2, passed=1)
    result.stdout.fnmatch_lines(
        ["2 violated, 1 held; virtual 2 h 0 min in *", "violated *expiry.*", "report *result.json"]
    )
    report = json.loads(Path("out/result.json").read_text(encoding="utf-8"))
    assert (report["verdict"], report["cases"], len(report["violations"])) == ("violated", 3, 2)
    assert report["violations"][0]["operations"][0]["operation"].startswith("create")


def test_a_report_of_a_passing_run_is_written_where_reports_go(shop: pytest.Pytester, run: Run) -> None:
    Path("pytest.ini").write_text(
        "[pytest]\nsessionguard_manager = shop.sessionguard.toml\nsessionguard_report = json\n", encoding="utf-8"
    )
    run(*OURS).assert_outcomes(passed=2)
    report = json.loads(Path(".sessionguard/report/result.json").read_text(encoding="utf-8"))
    assert (report["verdict"], report["interrupted"]) == ("held", False)


def test_an_interruption_still_tells_what_was_found(shop: pytest.Pytester, run: Run) -> None:
    shop.makepyfile(test_last="def test_last():\n    raise KeyboardInterrupt\n")
    result = run(*OURS, "cart.session.yaml", "test_last.py", "--sessionguard-report", "json")
    assert result.ret == pytest.ExitCode.INTERRUPTED
    result.stdout.fnmatch_lines(["2 held; virtual *"])
    assert json.loads(Path(".sessionguard/report/result.json").read_text(encoding="utf-8"))["interrupted"] is True


COMPANIONS = {
    "asyncio": ["-o", "asyncio_mode=auto"],
    "anyio": [],
    "pytest_cov": ["--cov=store", "--cov-branch"],
    "randomly": ["-p", "no:cacheprovider"],
    "timeout": ["--timeout=60"],
    "hypothesispytest": [],
}


@pytest.mark.parametrize("name", COMPANIONS)
def test_it_lives_beside_another_plugin(shop: pytest.Pytester, run: Run, name: str) -> None:
    shop.makepyfile(
        test_time="""
        import time

        def test_time(sessionguard_clock):
            before = time.time()
            time.sleep(3600)
            assert time.time() == before + 3600
        """
    )
    run(*OURS, "-p", name, *COMPANIONS[name]).assert_outcomes(passed=3)


def test_it_lives_beside_all_of_them_at_once(shop: pytest.Pytester, run: Run) -> None:
    run("-n", "2", "--cov=store", "--timeout=60", autoload=True).assert_outcomes(passed=2)
