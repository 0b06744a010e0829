"""Export of the metrics through `prometheus-client` (extra `prometheus`), the only file that imports it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Final

from pytest_sessionguard.reference.metrics import DURATION_BOUNDS_S, Metrics

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry
    from prometheus_client.metrics_core import Metric

_GAUGES: Final = {
    "total": "Stored sessions, live or expired.",
    "active": "Live sessions.",
    "oldest_age": "Age of the oldest live session in seconds.",
    "newest_age": "Age of the newest live session in seconds.",
    "average_age": "Average age of the live sessions in seconds.",
}
_COUNTERS: Final = {
    "created": "Sessions begun.",
    "expired": "Sessions that ran out of time.",
    "closed": "Sessions closed, evicted or cleared.",
    "close_errors": "Resources and hooks that failed at the end of a session.",
}
_AGES: Final = ("oldest_age", "newest_age", "average_age")


class Collector:
    """Reads the figures anew for every scrape."""

    def __init__(self, measure: Callable[[], Metrics]) -> None:
        self._measure = measure

    def collect(self) -> Iterable[Metric]:
        """Return the metric families."""
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily

        figures = self._measure()
        for name, meaning in _GAUGES.items():
            unit = "_seconds" if name in _AGES else ""
            yield GaugeMetricFamily(f"sessions_{name}{unit}", meaning, value=getattr(figures, name))
        for name, meaning in _COUNTERS.items():
            yield CounterMetricFamily(f"sessions_{name}", meaning, value=getattr(figures, name))
        bounds = [*(str(bound) for bound in DURATION_BOUNDS_S), "+Inf"]
        so_far = 0
        buckets = []
        for bound, count in zip(bounds, figures.durations, strict=True):
            so_far += count  # the format wants each bucket to contain those below it
            buckets.append((bound, so_far))
        yield HistogramMetricFamily(
            "sessions_duration_seconds",
            "How long ended sessions lasted, in seconds.",
            buckets=buckets,
            sum_value=figures.duration_sum,
        )


def register(measure: Callable[[], Metrics], registry: CollectorRegistry | None = None) -> Collector:
    """Add a manager's figures to a registry, the client's own by default; returns the collector, to unregister it with.

    Raises:
        ModuleNotFoundError: prometheus-client is missing; the message says how to install it.
    """
    try:
        from prometheus_client import REGISTRY
    except ModuleNotFoundError as missing:
        raise ModuleNotFoundError("no prometheus-client: pip install 'pytest-sessionguard[prometheus]'") from missing
    collector = Collector(measure)
    (REGISTRY if registry is None else registry).register(collector)
    return collector
