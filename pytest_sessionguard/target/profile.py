"""The door to profiles: what a profile is, and how one is had."""

from __future__ import annotations

from pytest_sessionguard.target.shape import CheckSettings, Hook, Profile, SessionShape

__all__ = ["CheckSettings", "Hook", "Profile", "SessionShape"]
