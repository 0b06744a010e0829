"""Finds shared by a team: what is no scenario is passed over, and what cannot be reached is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_sessionguard.errors import UsageError
from pytest_sessionguard.explore.examples import Examples, opened
from pytest_sessionguard.run import shared_finds

STORY = """# lifecycle.get violated: it is not there
# manager: shop.toml
# bug: 0123456789ab

scenario: What was made is there
version: 1
steps:
  - create: {as: s1}
  - get: s1
"""


class Away:
    """A database that is out of reach."""

    def fetch(self, key: bytes) -> list[bytes]:
        raise OSError(key.decode())

    def save(self, key: bytes, value: bytes) -> None:
        raise OSError(key.decode())


def test_what_is_no_find_is_passed_over_and_the_same_is_written_once(tmp_path: Path) -> None:
    examples = opened(str(tmp_path / "team"))
    broken = STORY.replace("steps:", "stepz:").replace("0123", "4567")
    for text in (STORY, broken, "scenario: nobody's", "\x80"):
        examples.save(shared_finds.key_of("shop.toml"), text.encode("latin-1"))
    for _ in range(2):
        assert shared_finds.take_out(examples, tmp_path / "found", target="shop.toml") == 1
        assert [path.read_text() for path in (tmp_path / "found").iterdir()] == [STORY]
    assert shared_finds.take_out(examples, tmp_path / "other", target="another.toml") == 0


def test_a_database_out_of_reach_is_told_by_its_name() -> None:
    away = Examples("redis://away", Away())
    with pytest.raises(UsageError, match="the database redis://away cannot be reached: OSError: shop"):
        away.fetch("shop")
    with pytest.raises(UsageError, match="cannot be reached"):
        away.save("shop", b"")
    Examples("github://a/b", Away(), takes=False).save("shop", b"")


@pytest.mark.parametrize(
    ("url", "takes"),
    [("github://owner/repository", False), ("redis://localhost:6379/3", True), ("file:///tmp/x", True)],
)
def test_each_kind_is_known_by_its_name(url: str, takes: bool) -> None:
    assert opened(url).takes is takes


@pytest.mark.parametrize("url", ["", "redis://", "github://one/two/three", "redis://host:port/0"])
def test_a_text_that_names_no_database_is_refused(url: str) -> None:
    with pytest.raises(UsageError, match="expected a folder, redis://HOST:PORT/NUMBER or github://OWNER/REPOSITORY"):
        opened(url)
