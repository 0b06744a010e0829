"""A manager that should refuse a timeout of zero takes it for "none given" and uses its default."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from pytest_sessionguard.reference import SessionManager
from pytest_sessionguard.reference.sessions import Session


class FalsyManager(SessionManager):
    """Asks `timeout or default` where it should ask whether there is one."""

    def create(
        self,
        client_id: str | None = None,
        data: Mapping[str, object] | None = None,
        *,
        session_id: str | None = None,
        timeout_secs: float | None = None,
        capabilities: Iterable[str] = (),
    ) -> Session:
        return super().create(
            client_id, data, session_id=session_id, timeout_secs=timeout_secs or None, capabilities=capabilities
        )
