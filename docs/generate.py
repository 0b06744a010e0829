"""Writes what the pages of this folder take from the code.

    python docs/generate.py

A page holds its generated parts between `<!-- generated: NAME -->` and `<!-- end -->`; what stands around them is
written by hand.  A test asserts that every page is as this script would write it.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from argparse import Namespace
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Final

from pytest_sessionguard.core import durations
from pytest_sessionguard.core.operations import RESULTS, VERBS
from pytest_sessionguard.core.policy import KEYS, Key
from pytest_sessionguard.core.properties import PROPERTIES, describe
from pytest_sessionguard.core.values import FrozenMap
from pytest_sessionguard.plugin import options
from pytest_sessionguard.run.scenario_schema import scenario_reference
from pytest_sessionguard.target.placeholders import NUMBERS, TIMES
from pytest_sessionguard.target.profile import load, refused_for_run, shipped_names
from pytest_sessionguard.target.sections import DATA_TYPES, SECTIONS, Entry

FOLDER: Final = Path(__file__).parent
PART: Final = re.compile(r"(?<=<!-- generated: )([\w-]+)( -->\n).*?(?=<!-- end -->)", re.DOTALL)

# What the reader of a profile expects of a key, in words; a "word" names its words.
TAKES: Final[Mapping[str, str]] = {
    "reference": "`module:attribute`",
    "folders": "a list of folders",
    "arguments": "a table",
    "hooks": "a table",
    "flag": "`true`, `false`",
    "template": "a template",
    "templates": "a template, or a list of them",
    "number": "a whole number",
    "duration": "a duration above zero: `1s`, `30m`",
    "endpoint": "`host:port`, `module:function`",
    "place": "an attribute, a key, a dotted path, or `.`",
    "data type": f"{', '.join(f'`{name}`' for name in DATA_TYPES)}, `module:function`",
    "text": "a text",
    "classes": "a class, or a list: `KeyError`, `module:Class`",
    "values": "a value, or a list of values",
    "scalar": "a text, a number or a truth value",
    "probe": "`glob:...`, `len:...` or `module:function`",
    "allowances": 'a list of `"name: reason"` or `{ name, reason }`',
}

# Everything that a profile may ask for and a plain run cannot give, one of each.
REFUSED: Final = {
    "instances": 2,
    "callers": "processes",
    "background": "cleanup_loop()",
    "isolation": "process",
    "time": "real",
}


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """Return a Markdown table."""
    names = list(head)
    lines = [names, ["---"] * len(names), *rows]
    return "".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |\n" for line in lines)


def _expects(entry: Entry) -> str:
    told = ", ".join(f"`{word}`" for word in entry.values) if entry.values else TAKES[entry.takes]
    return told + (f", {entry.least} or more" if entry.least else "")


def _default(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, tuple):
        return "`[" + ", ".join(f'"{word}"' for word in value) + "]`"
    return f"`{str(value).lower()}`" if isinstance(value, bool) else f"`{value}`"


def profile_table(name: str) -> str:
    """Return the keys of one table of a profile."""
    section = SECTIONS[name]
    entries = [*section.entries.values()]
    if section.open_entry is not None:
        entries.append(section.open_entry)
    rows = ((f"`{one.name}`", _expects(one), _default(one.default), one.summary) for one in entries)
    return table(("key", "expects", "default", "meaning"), rows)


def operations() -> str:
    """Return the operations, and what a template may hand over to each."""
    rows = (
        (f"`{verb.name}`", verb.summary, ", ".join(f"`{name}`" for name in verb.arguments)) for verb in VERBS.values()
    )
    return table(("operation", "what it does", "a template hands over"), rows)


def policy() -> str:
    """Return the keys of the policy."""

    def expects(key: Key) -> str:
        words = ", ".join(f"`{word}`" for word in key.values)
        return (words or key.expects.removesuffix(", or a table by operation").replace(" | ", ", ")) + (
            "; a table by operation" if key.by_verb else ""
        )

    rows = ((f"`{key.name}`", expects(key), _default(key.default), key.summary) for key in KEYS.values())
    return table(("key", "values", "default", "meaning"), rows)


def refused() -> str:
    """Return what a profile may ask for and `run` refuses, in its own words."""
    profile = load("reference")
    lines: list[str] = []
    for key, value in REFUSED.items():
        asked: Any = Namespace(text=value) if key == "background" else value
        changed: Mapping[str, Any] = {key: asked}
        lines += refused_for_run(replace(profile, **changed))
    lines += refused_for_run(replace(profile, probes=FrozenMap({"locks": "glob:{dir}/*.lock"})))
    return "".join(f"- `{name}`: {reason}\n" for name, _, reason in (line.partition(": ") for line in lines))


def shipped() -> str:
    """Return the profiles that come with the package."""
    rows = []
    for name in shipped_names():
        profile = load(name)
        rows.append((f"`{name}`", f"`{profile.factory}`", f"`{profile.callers}`"))
    return table(("name", "factory", "callers"), rows)


def scenarios() -> str:
    """Return the reference of scenario files, one heading deeper and without its title."""
    text = scenario_reference().removeprefix("# Scenario files\n").strip("\n")
    return f"\n{text}\n\n"


def _needs(need: str) -> str:
    def word(one: str) -> str:
        told = describe(one)
        return told.removeprefix("the operation ").replace("the policy key", "policy")

    words = [word(one) for one in need.split("|")]
    return " or ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def properties() -> str:
    """Return the catalogue, a heading for each family."""
    parts = []
    for family in dict.fromkeys(name.partition(".")[0] for name in PROPERTIES):
        rows = (
            (f"`{one.name}`", one.summary, "; ".join(_needs(need) for need in one.needs), one.minimum)
            for one in PROPERTIES.values()
            if one.name.partition(".")[0] == family
        )
        told = table(("property", "promise", "needs", "held once"), rows)
        parts.append(f"\n## {family.capitalize()}\n\n{told}")
    return "".join(parts) + "\n"


def pytest_options() -> str:
    """Return the options of the plugin, from their own declarations."""
    rows: list[tuple[str, str, str]] = []

    class Recorder:
        def getgroup(self, *_: str) -> Recorder:
            return self

        def addoption(self, flag: str, *, dest: str, help: str, metavar: str | None = None, **_: Any) -> None:
            rows.append((f"`{flag}{f' {metavar}' if metavar else ''}`", f"`{dest}`", help))

        def addini(self, *_: Any, **__: Any) -> None:
            pass

    recorder: Any = Recorder()
    options.add(recorder)
    return table(("option", "ini key", "meaning"), rows)


def markers() -> str:
    """Return the markers of the plugin, as `pytest --markers` tells them."""
    asked = [sys.executable, "-m", "pytest", "-p", "sessionguard", "--markers"]
    environment = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    told = subprocess.run(asked, cwd=FOLDER, env=environment, capture_output=True, text=True, check=True).stdout
    lines = (line.removeprefix("@pytest.mark.").partition(": ") for line in told.splitlines())
    ours = ("sessionguard", "virtual_time", "real_time")
    return table(("marker", "meaning"), ((f"`{name}`", text) for name, _, text in lines if name.startswith(ours)))


PARTS: Final[Mapping[str, Callable[[], str]]] = {
    **{f"profile-{name}": partial(profile_table, name) for name in SECTIONS if name != "operations"},
    "operations": operations,
    "results": lambda: ", ".join(f"`{word}`" for word in RESULTS) + "\n",
    "placeholders": lambda: ", ".join(f"`{{{word}}}`" for word in (*TIMES, *NUMBERS)) + "\n",
    "units": lambda: ", ".join(f"`{unit}`" for unit in durations.UNITS_US) + "\n",
    "policy": policy,
    "refused": refused,
    "shipped": shipped,
    "scenarios": scenarios,
    "properties": properties,
    "pytest-options": pytest_options,
    "markers": markers,
}


def pages() -> dict[Path, str]:
    """Return every page with generated parts, as it should be."""
    found = {}
    for path in sorted(FOLDER.glob("*.md")):
        text = path.read_text(encoding="utf-8")
        if PART.search(text):
            found[path] = PART.sub(lambda match: f"{match[1]}{match[2]}{PARTS[match[1]]()}", text)
    return found


if __name__ == "__main__":
    for path, text in pages().items():
        path.write_text(text, encoding="utf-8")
        print(f"wrote {path}")
