"""Packages with parts in C or Rust, imported while time is virtual."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec

import pytest

Run = Callable[..., pytest.RunResult]

MISSING = [name for name in ("pandas", "pyarrow", "pydantic", "streamlit") if find_spec(name) is None]

pytestmark = pytest.mark.skipif(bool(MISSING), reason=f"needs pip install '.[compiled]': {', '.join(MISSING)}")

SUITE = """
import time
from datetime import UTC, date, datetime, timedelta

import pytest

pytestmark = pytest.mark.virtual_time


def test_pandas_and_streamlit():
    import pandas
    import streamlit

    assert pandas.Timestamp.now(tz="UTC") == pandas.Timestamp("2026-01-01", tz="UTC") == datetime.now(UTC)
    time.sleep(3600)
    assert pandas.Timestamp.now() == pandas.Timestamp.today() == datetime.now()
    frame = pandas.DataFrame({"at": [datetime.now(UTC), datetime.now(UTC) - timedelta(hours=1)]})
    assert str(frame["at"].dtype).startswith("datetime64")
    assert frame["at"].min().to_pydatetime() == datetime(2026, 1, 1, tzinfo=UTC)
    assert list(pandas.date_range(date.today(), periods=2)) == [datetime(2026, 1, 1), datetime(2026, 1, 2)]

    @streamlit.cache_data(ttl=60)
    def told():
        return time.time()

    first = told()
    time.sleep(59)
    assert told() == first
    time.sleep(2)
    assert told() == time.time()


def test_pyarrow():
    import pyarrow

    moments = pyarrow.array([datetime.now(UTC), datetime(2020, 1, 1, tzinfo=UTC)])
    assert moments.type == pyarrow.timestamp("us", tz="UTC")
    assert moments.to_pylist()[0] == datetime.now(UTC)
    assert pyarrow.scalar(date.today()).type == pyarrow.date32()


def test_pydantic():
    import pydantic

    class Session(pydantic.BaseModel):
        made: datetime = pydantic.Field(default_factory=datetime.now)
        day: date = pydantic.Field(default_factory=date.today)

    session = Session()
    assert (session.made, session.day) == (datetime(2026, 1, 1), date(2026, 1, 1))
    assert Session.model_validate_json(session.model_dump_json()) == session
    assert Session(made=datetime.now(UTC), day="2026-01-02").day - date.today() == timedelta(days=1)


def test_pandas_once_more_in_a_span_after_its_import():
    import pandas

    assert pandas.Timestamp.now(tz="UTC") == datetime.now(UTC)
"""


def test_their_classes_and_clocks_are_right_where_a_test_imports_them(
    pytester: pytest.Pytester, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", "UTC")
    pytester.makepyfile(SUITE)
    pytester.makeini("[pytest]\nfilterwarnings =\n    error:.*size changed.*:RuntimeWarning\n")
    run("-p", "sessionguard").assert_outcomes(passed=4)
