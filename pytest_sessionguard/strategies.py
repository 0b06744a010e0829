"""Hypothesis' strategies for session systems; see docs/state-machines.md."""

from pytest_sessionguard.explore.strategies import operations, programs

__all__ = ["operations", "programs"]
