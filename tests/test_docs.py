"""Every example in README.md and docs/ does what the page shows.

The blocks of a page are played in their order, in a folder of the page's own.  What follows a block's language, on the
line of the fence, says what is done with it: `title="carts.py"` saves it under that name, `in="checkout"` runs it in
the project's own folder, `needs="redis-server"` leaves it out where there is no such program.

    python   a script that must end well            pycon    an interpreter's session, compared
    toml     a profile, or tables of one: loads     yaml     a scenario: holds on the page's manager, else the reference
    console  commands and their output, compared    bash     commands that must end well, unless they install
    diff     a change to a file saved before        ini, json  read

In a compared text `...` stands for anything, and durations of the real run for any others.

    python tests/test_docs.py docs/tutorial.md      writes what is really printed into the page: look at the difference
"""

from __future__ import annotations

import configparser
import importlib.util
import inspect
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import pytest

from pytest_sessionguard import catalog
from pytest_sessionguard.reference import AsyncSessionManager, SessionManager

COMMANDS = "pytest_sessionguard.cli.commands"
ROOT = Path(__file__).parent.parent
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
LINKED = (*PAGES, ROOT / "ARCHITECTURE.md", ROOT / "CONTRIBUTING.md")

FENCE = re.compile(r"^(?P<mark>`{3,})(?P<info>[^`\n]*)\n(?P<text>.*?)^(?P=mark)$", re.MULTILINE | re.DOTALL)
ATTRIBUTE = re.compile(r'(\w+)="([^"]*)"')
LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
DURATION = re.compile(r"\bin \d+(\.\d+)? ?s\b")
INSTALLS = re.compile(r"pip install|-m venv|\.ci/run|pytest -q -n")

# A fragment of a profile is completed by what it leaves out; of a function's managers no method is looked up yet.
MAKER = "def make(**settings):\n    raise NotImplementedError\n"
COMPLETION = {
    "manager": '[manager]\nfactory = "a_manager_of_any_shape:make"\npath = ["."]\n',
    "operations": '[operations]\ncreate = "create(id?, owner?, data?, ttl=timeout?) -> id"\nget = "get(id) -> data"\n',
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """One fenced example."""

    page: Path
    line: int
    language: str
    attributes: dict[str, str]
    text: str

    @property
    def place(self) -> str:
        return f"{self.page.name}:{self.line}"


def blocks(page: Path) -> Iterator[Block]:
    """Give the fenced blocks of a page in their order."""
    text = page.read_text(encoding="utf-8")
    for match in FENCE.finditer(text):
        language, _, rest = match["info"].strip().partition(" ")
        line = text.count("\n", 0, match.start()) + 1
        yield Block(
            page=page, line=line, language=language, attributes=dict(ATTRIBUTE.findall(rest)), text=match["text"]
        )


class Desk:
    """A folder in which the blocks of one page are played."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "work"
        self.folder.mkdir()
        # Pages speak of a checkout that lies beside the reader's own project.
        (folder / "sessionguard").symlink_to(ROOT, target_is_directory=True)
        self.profile: str | None = None
        self.replays: list[tuple[Block, str, str, str]] = []

    def play(self, block: Block) -> None:
        """Do what the block shows, and fail where something else happens."""
        if shutil.which(block.attributes.get("needs", "sh")) is None:
            return
        title = block.attributes.get("title")
        if title is not None and block.language != "diff":
            (self.folder / title).parent.mkdir(parents=True, exist_ok=True)
            (self.folder / title).write_text(block.text, encoding="utf-8")
        getattr(self, f"_{block.language}")(block, title)

    def _run(self, command: str, block: Block) -> subprocess.CompletedProcess[str]:
        inside = ROOT if block.attributes.get("in") == "checkout" else self.folder
        # What a page measures is its own matter: `coverage erase` would erase the project's measurement.
        measures = "coverage" in command or "--cov" in command
        environment = {
            **{name: value for name, value in os.environ.items() if not (measures and name.startswith("COVERAGE"))},
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
            "PYTEST_ADDOPTS": "-p sessionguard -p no:cacheprovider",
            "PYTHONDONTWRITEBYTECODE": "1",
            "COLUMNS": "100",
        }
        return subprocess.run(
            ["bash", "-c", command],
            cwd=inside,
            env=environment,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            timeout=120,
            check=False,
        )

    def _must(self, command: str, block: Block) -> str:
        done = self._run(command, block)
        assert done.returncode == 0, f"{block.place}: {command}\n{done.stdout}"
        return done.stdout

    def _bash(self, block: Block, title: str | None) -> None:
        if not INSTALLS.search(block.text):
            self._must(f"set -euo pipefail\n{block.text}", block)

    def _console(self, block: Block, title: str | None) -> None:
        for command, shown in re.findall(r"^\$ (.+)\n((?:(?!\$ ).*\n)*)", block.text, re.MULTILINE):
            done = self._run(command, block)
            assert done.returncode not in (4, 126, 127), f"{block.place}: {command}\n{done.stdout}"
            self.replays.append((block, command, shown, done.stdout))
            assert agree(shown, done.stdout), f"{block.place}: {command}\n--- shown\n{shown}\n--- given\n{done.stdout}"

    def _python(self, block: Block, title: str | None) -> None:
        compile(block.text, block.place, "exec")
        if title is None:
            (self.folder / "example.py").write_text(block.text, encoding="utf-8")
            self._must("python example.py", block)

    def _pycon(self, block: Block, title: str | None) -> None:
        (self.folder / "example.txt").write_text(block.text, encoding="utf-8")
        self._must("python -m doctest -o ELLIPSIS example.txt", block)

    def _toml(self, block: Block, title: str | None) -> None:
        tables = tomllib.loads(block.text)
        if "tool" in tables:
            assert title == "pyproject.toml", f"{block.place}: a [tool] table stands in pyproject.toml"
            if "manager" in tables["tool"].get("sessionguard", {}):
                self._must("sessionguard validate pyproject.toml", block)
            return
        if title is None:
            title = "fragment.sessionguard.toml"
            (self.folder / "a_manager_of_any_shape.py").write_text(MAKER, encoding="utf-8")
            missing = [text for table, text in COMPLETION.items() if table not in tables]
            (self.folder / title).write_text("\n".join([block.text, *missing]), encoding="utf-8")
        else:
            self.profile = title
        self._must(f"sessionguard validate {title}", block)

    def _yaml(self, block: Block, title: str | None) -> None:
        name = title or "example.session.yaml"
        (self.folder / name).write_text(block.text, encoding="utf-8")
        self._must(f"sessionguard validate {name}", block)
        if title is None:
            told = self._must(f"sessionguard run {name} --manager {self.profile or 'reference'}", block)
            assert re.search(r"^held: \d+ held on ", told, re.MULTILINE), f"{block.place}: not all held\n{told}"

    def _diff(self, block: Block, title: str | None) -> None:
        assert title is not None, f"{block.place}: a change to which file?"
        lines = block.text.splitlines(keepends=True)
        before = "".join(line[1:] for line in lines if line[0] != "+")
        after = "".join(line[1:] for line in lines if line[0] != "-")
        text = (self.folder / title).read_text(encoding="utf-8")
        assert text.count(before) == 1, f"{block.place}: {title} has these lines {text.count(before)} times"
        (self.folder / title).write_text(text.replace(before, after), encoding="utf-8")

    def _ini(self, block: Block, title: str | None) -> None:
        configparser.ConfigParser().read_string(block.text)

    def _json(self, block: Block, title: str | None) -> None:
        json.loads(block.text)


def agree(shown: str, given: str) -> bool:
    """Say whether a page shows what was printed: `...` stands for anything, also for lines."""

    def plain(text: str) -> str:
        return DURATION.sub("in 0.0 s", "".join(f"{line.rstrip()}\n" for line in text.strip("\n").splitlines()))

    # Each line ends the pattern of its own line, so that no two ways of matching are tried for one text.
    lines = (
        r"(?:.*\n)*" if line == "..." else ".*".join(map(re.escape, line.split("..."))) + r"\n"
        for line in plain(shown).splitlines()
    )
    return re.fullmatch("".join(lines), plain(given)) is not None


def refresh(page: Path, folder: Path) -> str | None:
    """Play the page up to the first output that is not as shown, write it into the page and return its command."""
    desk = Desk(folder)
    try:
        for block in blocks(page):
            desk.play(block)
    except AssertionError:
        if not desk.replays or agree(*desk.replays[-1][2:]):
            raise
        block, command, shown, given = desk.replays[-1]
        lines = page.read_text(encoding="utf-8").splitlines(keepends=True)
        before, after = "".join(lines[: block.line]), "".join(lines[block.line :])
        told = "\n".join(line.rstrip() for line in given.strip("\n").splitlines()) + "\n"
        page.write_text(before + after.replace(f"$ {command}\n{shown}", f"$ {command}\n{told}", 1), encoding="utf-8")
        return f"{block.place}: {command}"
    return None


def generator() -> ModuleType:
    """Return docs/generate.py, which is no part of the package."""
    spec = importlib.util.spec_from_file_location("docs_generate", ROOT / "docs" / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_example_of_the_page_does_what_the_page_shows(page: Path, tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    for block in blocks(page):
        desk.play(block)


@pytest.mark.parametrize("page", LINKED, ids=lambda page: page.name)
def test_every_link_of_the_page_leads_somewhere(page: Path) -> None:
    for link in LINK.findall(FENCE.sub("", page.read_text(encoding="utf-8"))):
        if re.match(r"[a-z]+:", link):
            continue
        name, _, anchor = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        assert target.exists(), f"{page.name}: {link} leads nowhere"
        if anchor:
            headings = HEADING.findall(FENCE.sub("", target.read_text(encoding="utf-8")))
            anchors = {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
            assert anchor in anchors, f"{page.name}: {link}: no such heading"


def test_generated_parts_of_pages_are_as_the_code_has_it() -> None:
    for path, text in generator().pages().items():
        assert path.read_text(encoding="utf-8") == text, f"{path.name} is out of date: python docs/generate.py"


def test_every_command_shows_its_help() -> None:
    text = (ROOT / "docs" / "command-line.md").read_text(encoding="utf-8")
    missing = [
        name for name in catalog.names(COMMANDS) if f"$ sessionguard {name.replace('_', '-')} --help" not in text
    ]
    assert not missing


@pytest.mark.parametrize("face", [SessionManager, AsyncSessionManager])
def test_every_setting_and_every_call_of_the_reference_manager_is_told(face: type) -> None:
    text = (ROOT / "docs" / "reference-manager.md").read_text(encoding="utf-8")
    settings = [name for name in inspect.signature(face).parameters if f"`{name}`" not in text]
    calls = [name for name, _ in inspect.getmembers(face, inspect.isfunction) if f"`{name}`" not in text]
    assert not settings
    assert not [name for name in calls if not name.startswith("_")]


@pytest.mark.parametrize(
    ("shown", "given", "same"),
    [
        ("a\nb\n", "a\nb\n", True),
        ("a\n", "a\nb\n", False),
        ("a\n...\n", "a\nb\nc\n", True),
        ("a\n...\nd\n", "a\nb\nc\nd\n", True),
        ("a\n...\nd\n", "a\nb\nc\ne\n", False),
        ("made ... here\n", "made it here\n", True),
        ("made ... here\n", "made it there\n", False),
        ("1 held in 0.2 s\n", "1 held in 10.7 s\n", True),
        ("1 held in 0.2 s\n", "2 held in 0.2 s\n", False),
    ],
)
def test_shown_and_given_agree_up_to_what_is_left_out_and_real_time(shown: str, given: str, same: bool) -> None:
    assert agree(shown, given) is same


@pytest.mark.parametrize(
    ("example", "told"),
    [
        ("```bash\nfalse\n```\n", "example.md:1"),
        ("```console\n$ echo one\ntwo\n```\n", "--- given"),
        ("```python\nassert False\n```\n", "AssertionError"),
        ("```pycon\n>>> 1 + 1\n3\n```\n", "Expected"),
        ("```toml\n[policy]\nidle_timout = 5\n```\n", "did you mean 'idle_timeout'"),
        ("```yaml\nscenario: x\nversion: 1\nsteps: [{create: {as: a}}, {expect: {session: b}}]\n```\n", "'b'"),
        (
            "```yaml\nscenario: x\nversion: 1\nsteps: [{create: {as: a}}, {expect: {session: a, alive: false}}]\n```\n",
            "VIOLATED",
        ),
        ('```diff title="a.py"\n-x\n+y\n```\n', "a.py"),
    ],
)
def test_an_example_that_does_something_else_is_found(example: str, told: str, tmp_path: Path) -> None:
    page = tmp_path / "example.md"
    page.write_text(example, encoding="utf-8")
    with pytest.raises((AssertionError, OSError), match=re.escape(told)):
        for block in blocks(page):
            Desk(tmp_path).play(block)


def test_refreshing_a_page_writes_what_is_printed_and_nothing_else(tmp_path: Path) -> None:
    page = tmp_path / "example.md"
    page.write_text("Before.\n```console\n$ echo one\ntwo\n$ echo three\nthree\n```\nAfter.\n", encoding="utf-8")
    (tmp_path / "first").mkdir()
    (tmp_path / "second").mkdir()
    assert refresh(page, tmp_path / "first") == "example.md:2: echo one"
    assert page.read_text(encoding="utf-8").splitlines()[2:5] == ["$ echo one", "one", "$ echo three"]
    assert refresh(page, tmp_path / "second") is None


if __name__ == "__main__":
    for name in sys.argv[1:]:
        told: list[str | None] = []
        # What is printed differently every time is told twice: such a line is to be left out of the page by `...`.
        while len(told) == len(set(told)) and None not in told:
            with tempfile.TemporaryDirectory() as made:
                told.append(refresh(Path(name).resolve(), Path(made)))
            print(told[-1] or f"{name}: as it is printed")
