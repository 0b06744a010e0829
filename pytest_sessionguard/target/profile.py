"""The door to profiles: what a profile is, and how one is had."""

from __future__ import annotations

from pytest_sessionguard.target.checking import check_live
from pytest_sessionguard.target.loading import load, profile, refused_for_check, refused_for_run, shipped_names
from pytest_sessionguard.target.schema import profile_schema
from pytest_sessionguard.target.shape import CheckSettings, Hook, Profile, SessionShape

__all__ = [
    "CheckSettings",
    "Hook",
    "Profile",
    "SessionShape",
    "check_live",
    "load",
    "profile",
    "profile_schema",
    "refused_for_check",
    "refused_for_run",
    "shipped_names",
]
