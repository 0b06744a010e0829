"""A case whose files are damaged afterwards, one at a time: what a new manager shows of every session is judged.

The manager is closed in good order; then one file below its folder has a byte changed, is cut short, emptied or
removed, and a new manager is made and asked for everything.  Nothing may be shown that was never acknowledged, whatever
is declared.  Of what is left out, a cut-off end or a missing file may be taken for a write that never came.
"""

from __future__ import annotations

import json
import random
import shutil
from collections import Counter
from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from pytest_sessionguard.clock.virtual import VirtualClock
from pytest_sessionguard.clock.zone import in_zone
from pytest_sessionguard.core.history import Entry, Event, Note, Stamp
from pytest_sessionguard.core.judging import begin
from pytest_sessionguard.core.model.moments import DEAD
from pytest_sessionguard.core.model.state import Phantom, standing
from pytest_sessionguard.core.operations import Answer, Failed, Ok, Operation, Outcome, Refused
from pytest_sessionguard.core.plan import Plan
from pytest_sessionguard.core.policy import Policy
from pytest_sessionguard.core.result import CaseResult, counts
from pytest_sessionguard.core.values import UNSET, FrozenMap, thaw
from pytest_sessionguard.core.violation import ViolationFound
from pytest_sessionguard.crash.effects import Image
from pytest_sessionguard.crash.folders import empty, new_folder, read_folder, write_folder
from pytest_sessionguard.errors import VirtualDeadlock
from pytest_sessionguard.run import driving
from pytest_sessionguard.run.acquaintance import Acquaintance
from pytest_sessionguard.run.conversation import LOOKER, Conversation
from pytest_sessionguard.run.looking import Mismatch
from pytest_sessionguard.run.runner import Runner
from pytest_sessionguard.run.stage import Stage
from pytest_sessionguard.run.telling import Teller
from pytest_sessionguard.target.abilities import must_be_given
from pytest_sessionguard.target.making import CannotBeMade
from pytest_sessionguard.target.refusals import refusals_of
from pytest_sessionguard.target.shape import Profile

NAME: Final = "durability.damage"

# So many damages of one case, drawn evenly where there are more.
STATES_MAX: Final = 120

_ONE_PROCESS: Final = 'isolation = "process": damaged files are opened within one process'
_PLACES: Final = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Damage:
    """One thing done to one file.

    Attributes:
        loses: what is left may be what an unfinished write or a removal leaves.
    """

    path: str
    how: str
    image: Image = field(repr=False)
    loses: bool

    def __str__(self) -> str:
        return f"{self.path}: {self.how}"


def damages(image: Image, texts: tuple[bytes, ...] = ()) -> Iterator[Damage]:
    """Give every damage of every file, the files by turns; `texts`: where they stand, it hurts most."""
    every = [_of_file(image, path, texts) for path in sorted(image) if image[path].kind == "file" and image[path].data]
    while every:
        for one in list(every):
            found = next(one, None)
            if found is None:
                every.remove(one)
            else:
                yield found


def _of_file(image: Image, path: str, texts: tuple[bytes, ...]) -> Iterator[Damage]:
    item = image[path]
    size = len(item.data)

    def made(how: str, data: bytes | None, *, loses: bool = False) -> Damage:
        changed = {name: one for name, one in image.items() if name != path}
        if data is not None:
            changed = {**image, path: replace(item, data=data)}
        return Damage(path=path, how=how, image=changed, loses=loses)

    def flipped(at: int, bits: int) -> bytes:
        return item.data[:at] + bytes([item.data[at] ^ bits]) + item.data[at + 1 :]

    yield made("removed", None, loses=True)
    yield made("emptied", b"", loses=True)
    for at in dict.fromkeys((size // 2, 0, size - 1)):
        yield made(f"byte {at} of {size} changed", flipped(at, 0xFF))
    if size > 1:
        yield made(f"cut to {size // 2} of {size} bytes", item.data[: size // 2], loses=True)
    ends = (
        find(text) + len(text) - 1 for text in texts if text in item.data for find in (item.data.find, item.data.rfind)
    )
    written = [at for at, byte in enumerate(item.data) if byte]
    evenly = (written[len(written) * (2 * turn + 1) // (2 * _PLACES)] for turn in range(_PLACES) if written)
    for at in dict.fromkeys((*ends, *evenly)):
        yield made(f"a bit of byte {at} of {size} changed", flipped(at, 1))


# -- one case ---------------------------------------------------------------------------------------------------------


class _Keeping:
    """Keeps what a case leaves in its folder, and what happened in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.talk: Conversation | None = None
        self.image: Image = {}

    @contextmanager
    def watching(self, talk: Conversation) -> Iterator[None]:
        """Look on while the case runs."""
        empty(self.folder)
        yield
        self.talk, self.image = talk, read_folder(self.folder)[0]


def obstacle_of(profile: Profile) -> str:
    """Return why nothing of this target can be damaged; empty where it can."""
    if "dir" not in profile.placeholders:
        return "it is told of no folder by {dir}: there is no file to damage"
    return _ONE_PROCESS if profile.isolation == "process" else ""


def damage_case(runner: Runner, plan: Plan, *, seed: int = 0, states_max: int = STATES_MAX) -> CaseResult:
    """Run a plan, damage what it leaves in every way, and judge what a new manager shows.

    Raises:
        UsageError: see `Runner.run`.
    """
    folder = new_folder()
    try:
        watch = _Keeping(folder)
        plain = runner.run(plan, watch=watch)
        if plain.status not in ("held", "unproven") or watch.talk is None:
            return plain
        return _Damaged(runner, plan, watch.talk, watch.image, folder).result(plain, seed, states_max)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@dataclass(slots=True)
class _Shown:
    """What one manager showed: of each look its answer; `unopened`: why there was none."""

    answers: dict[Operation, Outcome] = field(default_factory=dict)
    unopened: Outcome | None = None


class _Damaged:
    """One case, its files damaged and opened again and again."""

    def __init__(self, runner: Runner, plan: Plan, talk: Conversation, image: Image, folder: Path) -> None:
        self._runner, self._plan, self._folder, self._image = runner, plan, folder, image
        self._policy: Policy = talk.stage.policy
        self._in_loop = talk.stage.in_loop
        self._sessions: Acquaintance = talk.sessions
        self._began_us = talk.stage.recorder.began_us
        self._entries: tuple[Entry, ...] = talk.stage.recorder.history().entries
        self._at: Stamp = talk.stage.recorder.stamp()
        self._proven: set[str] = set()
        self._pasts, self._unknown, self._aged = self._known()

    def _known(self) -> tuple[dict[Hashable, list[Any]], set[Hashable], set[Hashable]]:
        """Return what each session has held, those of which that is not known, and those that an older version of
        which, not yet renewed, may have run out by now."""
        pasts: dict[Hashable, list[Any]] = {}
        unknown: set[Hashable] = set()
        examination = begin(self._runner.model(self._policy))
        for entry in self._entries:
            examination = examination.feed((entry,))
            for state in examination.states:
                for key, record in state.records.items():
                    held = pasts.setdefault(key, [])
                    if isinstance(key, Phantom) or record.data is UNSET or record.loose:
                        unknown.add(key)
                    elif record.data not in held:
                        held.append(record.data)
        now = examination.timeline.seen(self._at).moment(self._at, self._at)
        aged: set[Hashable] = {
            key
            for state in examination.states
            for key, record in state.records.items()
            if standing(replace(record, active=record.created), now, self._policy) & DEAD
        }
        return pasts, unknown, aged

    def result(self, plain: CaseResult, seed: int, states_max: int) -> CaseResult:
        """Return the case with what its damages have shown."""
        before = self._looked(self._image)[0]
        ids = [key for key in self._pasts if not isinstance(key, Phantom)]
        if before.unopened is not None or not ids:
            return plain
        every = list(damages(self._image, self._texts()))
        if len(every) > states_max:
            chosen = sorted(random.Random(f"{seed}:{plain.title}").sample(range(len(every)), states_max))
            every = [every[one] for one in chosen]
        exercised = Counter(plain.exercised)
        for damage in every:
            after, stage = self._looked(damage.image)
            wrong = self._wrong(before, after, damage)
            if wrong is not None:
                return self._violated(plain, stage, damage, *wrong)
        exercised[NAME] += len(every)
        return replace(plain, exercised=counts(exercised))

    def _texts(self) -> tuple[bytes, ...]:
        """Return the words that sessions have held, as they may stand in a file."""
        held = (one for known in self._pasts.values() for one in known if isinstance(one, FrozenMap))
        words = (word for one in held for word in one.values() if isinstance(word, str) and len(word) > 1)
        return tuple(dict.fromkeys(word.encode("utf-8", "surrogatepass") for word in words))[:_PLACES]

    # -- what may be shown --------------------------------------------------------------------------------------------

    def _wrong(self, before: _Shown, after: _Shown, damage: Damage) -> tuple[Operation | None, str, Outcome] | None:
        """Return the look that tells something wrong, what was expected, and what came; None where all is right."""
        declared = self._policy.damage
        if after.unopened is not None:
            right = declared != "skipped" and _is_corrupt(after.unopened)
            return None if right else (None, "a manager, or a typed error of the kind corrupt", after.unopened)
        for look, outcome in after.answers.items():
            if outcome == before.answers[look] or (
                isinstance(outcome, Ok) and self._is_whole(look, outcome.answer, before.answers[look], after, damage)
            ):
                continue
            if _is_absent(outcome) and self._may_be_absent(look, before.answers[look], damage):
                continue
            if declared != "skipped" and _is_corrupt(outcome) and not self._has_copy(look, damage):
                continue
            return look, _EXPECTED[declared], outcome
        return None

    def _is_whole(self, look: Operation, answer: Answer, before: Outcome, after: _Shown, damage: Damage) -> bool:
        """Say whether an answer tells nothing that was never acknowledged."""
        if look.verb == "list":
            known = {*self._pasts, *_ids(before)}
            told = _ids(Ok(answer))
            if any(one not in known for one in told):
                return False
            # What is told to be damaged when asked for need not be known to a list.
            damaged = {one.id for one, outcome in after.answers.items() if one.verb == "get" and _is_corrupt(outcome)}
            excused = damaged | self._aged
            return damage.loses or self._policy.damage != "repaired" or excused.union(told).issuperset(_ids(before))
        if answer.absent is not UNSET:
            return False
        if answer.data is UNSET or look.id in self._unknown:
            return True
        return answer.data in self._pasts.get(look.id, ())

    def _has_copy(self, look: Operation, damage: Damage) -> bool:
        """Say whether what is to be repaired stands in plain text in another file, and is no other session's."""
        if self._policy.damage != "repaired" or look.id in self._unknown:
            return False
        others = [held for key, held in self._pasts.items() if key != look.id]
        own = [one for one in self._pasts.get(look.id, ()) if one and not any(one in held for held in others)]
        texts = [json.dumps(thaw(one)).encode() for one in own if isinstance(one, FrozenMap)]
        files = [item.data for path, item in damage.image.items() if path != damage.path]
        return any(text in data for text in texts for data in files)

    def _may_be_absent(self, look: Operation, before: Outcome, damage: Damage) -> bool:
        return damage.loses or self._policy.damage != "repaired" or _is_absent(before) or look.id in self._aged

    # -- looking ------------------------------------------------------------------------------------------------------

    def _looked(self, image: Image) -> tuple[_Shown, Stage]:
        """Return what a new manager shows of a folder that holds this."""
        write_folder(image, self._folder)
        clock = VirtualClock(threads=True)
        clock.monotonic_us, clock.wall_offset_us = self._at.mono_us, self._at.wall_us - self._at.mono_us
        profile, shown = self._runner.profile, _Shown()
        stage = Stage(profile, self._policy, clock, in_loop=self._in_loop, proven=self._proven, folder=self._folder)
        last = max((one.return_order if isinstance(one, Event) else one.order for one in self._entries), default=0)
        note = Note(kind="restarted", at=self._at, order=last + 1)
        stage.recorder.resume((*self._entries, note), began_us=self._began_us)
        try:
            with in_zone(self._plan.zone):
                driving.drive(clock, lambda: self._looks(stage, shown), in_loop=self._in_loop)
        except CannotBeMade as error:
            cause = error.__cause__
            shown.unopened = Failed(str(error)) if cause is None else refusals_of(profile.errors).outcome(cause)
        except VirtualDeadlock as error:
            shown.unopened = Failed(f"never answers: {error}")
        finally:
            stage.clear()
        return shown, stage

    async def _looks(self, stage: Stage, shown: _Shown) -> None:
        await stage.reopen()
        try:
            for look in self._every_look(stage):
                asked = self._sessions.completed(look)
                shown.answers[look] = (await stage.perform(LOOKER, asked, "")).outcome
        finally:
            await stage.end()

    def _every_look(self, stage: Stage) -> Iterator[Operation]:
        profile = stage.profile
        if "list" in profile.operations and "owner" not in must_be_given(profile, "list"):
            yield Operation(verb="list")
        if "get" in profile.operations and self._policy.of("missing", "get") not in ("creates", "new-id"):
            yield from (Operation(verb="get", id=one) for one in self._pasts if not isinstance(one, Phantom))

    # -- telling ------------------------------------------------------------------------------------------------------

    def _violated(
        self, plain: CaseResult, stage: Stage, damage: Damage, look: Operation | None, expected: str, given: Outcome
    ) -> CaseResult:
        teller = Teller(self._plan, self._runner.target, stage, self._sessions)
        asked = f"after damage, of {self._sessions.shown(str(look))}: " if look is not None else "after damage, "
        mismatch = Mismatch(expected=asked + expected, given=str(given))
        found: ViolationFound = teller.of_expectation(NAME, None, mismatch, None)
        shown = {key: times for key, times in plain.exercised.items() if key != NAME}
        told = replace(found, fault=f"damage of {damage}")
        return replace(plain, status="violated", reason="", violations=(told,), exercised=counts(shown))


_EXPECTED: Final = {
    "detected": "what was acknowledged, nothing, or a typed error of the kind corrupt",
    "repaired": "the last good version, or a typed error of the kind corrupt",
    "skipped": "what was acknowledged, or nothing",
}


def _is_corrupt(outcome: Outcome) -> bool:
    return isinstance(outcome, Refused) and "corrupt" in outcome.kinds


def _is_absent(outcome: Outcome) -> bool:
    if isinstance(outcome, Refused):
        return not outcome.kinds.isdisjoint({"missing", "expired"})
    return isinstance(outcome, Ok) and outcome.answer.absent is not UNSET


def _ids(outcome: Outcome) -> tuple[Hashable, ...]:
    return outcome.answer.ids if isinstance(outcome, Ok) and isinstance(outcome.answer.ids, tuple) else ()


__all__ = ["NAME", "Damage", "damage_case", "damages", "obstacle_of"]
