"""Figures, and their export."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from pytest_sessionguard.reference import SessionManager
from pytest_sessionguard.reference.metrics import DURATION_BOUNDS_S, Tally
from pytest_sessionguard.reference.stores import Census

from .conftest import Clock
from .test_sessions import a_session

NOBODY = Census(active=0, oldest_created_us=None, newest_created_us=None, age_sum_us=0, total=0, unsettled=0)


@pytest.mark.parametrize("index", range(len(DURATION_BOUNDS_S)))
@pytest.mark.parametrize("late_us", [-1, 0, 1])
def test_a_duration_at_its_bound_belongs_below_it(index: int, late_us: int) -> None:
    tally = Tally()
    tally.count_ended([a_session(created_us=7, expires_us=7 + round(DURATION_BOUNDS_S[index] * 1e6) + late_us)])
    durations = tally.at(NOBODY, now_us=0).durations
    assert durations.index(1) == index + (late_us > 0)
    assert len(durations) == len(DURATION_BOUNDS_S) + 1
    assert sum(durations) == 1


def test_prometheus_reads_what_the_metrics_say(clock: Clock) -> None:
    prometheus_client = pytest.importorskip("prometheus_client")
    registry = prometheus_client.CollectorRegistry()
    manager = SessionManager(clock=clock, environ={})
    collector = manager.export(registry)
    manager.create(timeout_secs=5)
    manager.create()
    clock.advance(30)
    manager.sweep()
    value = registry.get_sample_value
    assert value("sessions_active") == 1
    assert value("sessions_total") == 1
    assert value("sessions_oldest_age_seconds") == 30
    assert value("sessions_created_total") == 2
    assert value("sessions_expired_total") == 1
    assert value("sessions_closed_total") == 0
    assert [value("sessions_duration_seconds_bucket", {"le": le}) for le in ("1.0", "10.0", "86400.0", "+Inf")] == [
        0,
        1,
        1,
        1,
    ]
    assert value("sessions_duration_seconds_count") == 1
    assert value("sessions_duration_seconds_sum") == 5
    registry.unregister(collector)
    assert value("sessions_active") is None


def test_without_prometheus_the_refusal_says_how_to_install_it(monkeypatch: Any) -> None:
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    with pytest.raises(ModuleNotFoundError, match=r"pytest-sessionguard\[prometheus\]"):
        SessionManager(environ={}).export()


def test_both_faces_export(make: Any) -> None:
    prometheus_client = pytest.importorskip("prometheus_client")
    registry = prometheus_client.CollectorRegistry()
    manager = make()
    manager.export(registry)
    manager.create()
    assert registry.get_sample_value("sessions_active") == 1
