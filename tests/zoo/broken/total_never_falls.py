"""The metrics tell how many sessions were ever made as how many there are."""

from __future__ import annotations

from dataclasses import replace

from pytest_sessionguard.reference import SessionManager
from pytest_sessionguard.reference.metrics import Metrics


class ProudManager(SessionManager):
    """Counts the dead among the living."""

    def metrics(self) -> Metrics:
        told = super().metrics()
        return replace(told, total=told.created)
