"""A result as a page of its own: all that is wrong is on it, and nothing of it is taken for markup."""

from __future__ import annotations

import builtins
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from pytest_sessionguard.core.result import CaseResult, PropertyResult, Result
from pytest_sessionguard.core.violation import ViolationFound
from pytest_sessionguard.errors import UsageError
from pytest_sessionguard.reports import html_page

RESULT = Result(
    target="shop.toml", seed=7, verdict="violated", interrupted=True, warnings=("odd",), nondeterministic=("flaky",),
    cases=(CaseResult(title="A <b>story</b>", status="violated"),),
    properties=(
        PropertyResult(name="limit.enforced", status="violated", cases=1),
        PropertyResult(name="expiry.idle", status="not-applicable"),
    ),
    violations=(ViolationFound(property="limit.enforced", summary="<script>alert(1)</script>"),),
)  # fmt: skip


class Tags(HTMLParser):
    """The tags and the text of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.tags.append(tag)
        assert not {name for name, _ in attrs} & {"src", "href"}, "the page needs nothing beside it"

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_page_tells_all_and_takes_nothing_for_markup() -> None:
    read = Tags(html_page.page(RESULT))
    assert not {"script", "b", "link"} & set(read.tags)
    for told in ("shop.toml", "limit.enforced violated: <script>alert(1)</script>", "A <b>story</b>", "flaky", "odd",
                 "interrupted", "seed 7"):  # fmt: skip
        assert told in read.text
    assert "expiry.idle" not in read.text


def test_a_page_of_nothing_is_a_page(tmp_path: Path) -> None:
    html_page.write(
        Result(target="t", seed=0, cases=(), verdict="held", properties=(), violations=()), tmp_path / "a.html"
    )
    read = Tags((tmp_path / "a.html").read_text(encoding="utf-8"))
    assert "Cases" not in read.text
    assert "Not repeatable" not in read.text


def test_without_jinja2_it_is_said_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *rest: Any, **more: Any) -> Any:
        if name == "jinja2":
            raise ModuleNotFoundError(name)
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(UsageError, match=r"pip install 'pytest-sessionguard\[report\]'"):
        html_page.page(RESULT)
