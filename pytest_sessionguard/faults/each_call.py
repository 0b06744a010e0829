"""Any code, run once for each call that it makes of a port, with that call failing: no manager, no model, no clock.

A port is any object that the code under test is handed: a store, a client, a hook's owner.  What is wrong afterwards
says who asks; of a story told to a manager, the model says it (`run/fault_sweeps`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final, Generic, TypeVar

T = TypeVar("T")

CALLS_MAX: Final = 10_000


class Port(Generic[T]):
    """Stands before an object and lets its k-th call fail, before it has taken effect or after.

    Attributes:
        calls: how many there were; `failed`: the name of the one that failed, or empty.
    """

    def __init__(
        self,
        behind: T,
        at: int = 0,
        *,
        error: type[BaseException] = OSError,
        after: bool = False,
        lasting: bool = False,
    ) -> None:
        self._behind, self._at, self._error, self._after, self._lasting = behind, at, error, after, lasting
        self.calls = 0
        self.failed = ""

    def __getattr__(self, name: str) -> Any:
        real = getattr(self._behind, name)
        if not callable(real):
            return real

        def call(*args: Any, **named: Any) -> Any:
            self.calls = number = self.calls + 1
            strikes = number == self._at or (self._lasting and 0 < self._at < number)
            if not strikes:
                return real(*args, **named)
            self.failed = self.failed or name
            if self._after:
                real(*args, **named)
            raise self._error(f"injected at call {number}, {name}")

        setattr(self, name, call)  # Who asks for it again finds it here.
        return call


def each_call(
    workload: Callable[[Callable[[T], T]], str | None], *, calls_max: int = CALLS_MAX, **how: Any
) -> Iterator[tuple[int, str, str]]:
    """Run a workload once for each of its calls, that call failing; give its number, its name and what was wrong.

    Args:
        workload: is handed what puts a port before an object; does its work; says what is wrong then, or nothing.
        how: see `Port`.
    """
    for number in range(1, calls_max + 1):
        ports: list[Port[Any]] = []

        def before(behind: T, number: int = number, ports: list[Port[Any]] = ports) -> T:
            ports.append(Port(behind, number, **how))
            return ports[-1]  # type: ignore[return-value]  # it stands for what is behind it

        wrong = workload(before) or ""
        failed = next((port.failed for port in ports if port.failed), "")
        if not failed:
            return
        yield number, failed, wrong
