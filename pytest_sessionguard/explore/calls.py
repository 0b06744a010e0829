"""How each operation is drawn: on which session, with which arguments, as whom."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from pytest_sessionguard.core.model.moments import EXACT_STEP_US
from pytest_sessionguard.core.operations import VERBS
from pytest_sessionguard.core.programs import WAITED_MAX_US
from pytest_sessionguard.core.scenario import RawId, Variable
from pytest_sessionguard.core.values import EMPTY, UNSET, FrozenMap
from pytest_sessionguard.explore.contents import LIST_KEY, Contents
from pytest_sessionguard.explore.draft import Draft, Sketch
from pytest_sessionguard.explore.repertoire import OWNERS, SECOND_US

_HOUR_US: Final = 3_600 * SECOND_US
WRITES: Final = frozenset({"update", "save", "put", "append"})
_KEEPING: Final = frozenset({"get", "touch", "update", "save", "put", "append", "use", "resume"})
_ENDS: Final = frozenset({"delete", "pop", "expire"})
_STRANGERS: Final = ("nobody", "stranger-1", "x")
# As POSIX writes them, which takes no tables of zones: New York, Kolkata, Auckland, Berlin.
_ZONES: Final = ("EST5EDT,M3.2.0,M11.1.0", "IST-5:30", "NZST-12NZDT,M9.5.0,M4.1.0/3", "CET-1CEST,M3.5.0,M10.5.0/3")
# Ten minutes before the clocks of Berlin and of New York go forward and back in 2026.
_EVES: Final = tuple(at_s * SECOND_US for at_s in (1_774_745_400, 1_792_889_400, 1_772_952_600, 1_793_512_200))
_COUNTS: Final = (0, 1, 1, 2, 1_000, -1)


class Calls:
    """Draws the steps of one program out of some operations and features."""

    def __init__(self, draft: Draft, contents: Contents, verbs: tuple[str, ...], has: frozenset[str]) -> None:
        self.draft = draft
        self._rng = draft.rng
        self._repertoire = draft.repertoire
        self._policy = draft.repertoire.policy
        self._contents = contents
        self._has = has
        self._verbs = verbs
        self._quiet = tuple(verb for verb in self._repertoire.looks if not self._policy.renews(verb))
        self._writes = tuple(verb for verb in self._repertoire.verbs if verb in WRITES)
        self._ids: list[str] = []
        self._versions: dict[str, list[str]] = {}

    def limit(self, verbs: tuple[str, ...], has: frozenset[str]) -> None:
        """Draw from now on of these operations and features."""
        self._verbs, self._has = verbs, has

    # -- what comes next

    def any(self) -> None:
        """Add one step of any kind."""
        roll = self._rng.random()
        if roll < 0.12 and self._rng.choice(_MOVES)(self):
            return
        if "time" in self._has and roll < 0.22:
            self.advance()
        elif "clock" in self._has and roll < 0.3:
            self.set_clock()
        elif "zone" in self._has and roll < 0.36:
            self.set_zone()
        elif "restart" in self._has and self._repertoire.restarts and roll < 0.4:
            self.draft.add("restart", {})
        elif roll > (0.75 if "busy" in self._has else 0.88):
            self.create()
        else:
            self.operation()

    def at_once(self) -> None:
        """Add one step of a client that is not alone."""
        if self._rng.random() < 0.3:
            self.create()
        else:
            self.operation()

    def contested(self) -> Sketch | None:
        """Draw a session that several clients are to write at once; None where nothing can be written."""
        living = self.draft.living()
        return self._rng.choice(living) if living and self._writes else None

    def write(self, sketch: Sketch) -> None:
        """Add an operation that writes the session's data."""
        self.on(sketch, self._writes)

    def on(self, sketch: Sketch, verbs: Sequence[str]) -> str:
        """Add one of these operations on the session; return which."""
        verb = self._rng.choice(verbs)
        self._on_session(verb, sketch)
        return verb

    def operation(self) -> None:
        """Add one of the operations."""
        if not self._verbs:
            self.create()
            return
        self.one(self._rng.choice(self._verbs))

    def one(self, verb: str) -> None:
        """Add this operation."""
        if VERBS[verb].addresses == "session":
            self._on_session(verb)
        else:
            self._on_manager(verb)

    def several(self) -> None:
        """Add a few steps that seldom follow one another by chance; else look at two sessions."""
        sketches = self.draft.sketches
        if not self._rng.choice(_SEVERAL)(self):
            for sketch in [*sketches[-1:], *sketches[:-1][-self._rng.choice((1, 2, 3)) :][:1]]:
                self._look_at(sketch)

    # -- moves of several steps, each of which alone is drawn seldom after the other

    def renewal(self) -> bool:
        """Keep a session alive past the timeout that it had; say whether that can be."""
        draft, rng = self.draft, self._rng
        able = [verb for verb in self._repertoire.verbs if self._policy.renews(verb) and verb in _KEEPING]
        living = [one for one in draft.living() if one.dies_us is not None and one.timeout_us]
        if "time" not in self._has or not able or not living or not self._policy.idle_timeout:
            return False
        sketch = rng.choice(living)
        assert sketch.timeout_us is not None
        span_us = max(EXACT_STEP_US, sketch.timeout_us * 3 // 4 // EXACT_STEP_US * EXACT_STEP_US)
        for _ in range(rng.choice((1, 1, 2))):
            draft.add("advance", {"by_us": span_us})
            draft.now_us += span_us
            self._on_session(rng.choice(able), sketch)
        draft.add("advance", {"by_us": span_us})
        draft.now_us += span_us
        self._look_at(sketch)
        return True

    def beginning_anew(self) -> bool:
        """End a session and make another under its id; say whether that can be."""
        draft, rng, repertoire = self.draft, self._rng, self._repertoire
        able = [verb for verb in ("delete", "pop") if verb in repertoire.verbs and not repertoire.must(verb, "key")]
        chosen = [one for one in draft.living() if one.chosen is not None]
        if not able or not chosen:
            return False
        sketch = rng.choice(chosen)
        draft.add(rng.choice(able), {"session": sketch.name})
        sketch.ended = True
        self.create(chosen=sketch.chosen)
        return True

    def broken_closing(self) -> bool:
        """Sweep a session whose closing fails, among others; say whether that can be."""
        draft, repertoire = self.draft, self._repertoire
        living = [one for one in draft.living() if one.dies_us is not None]
        if not {"attach", "sweep"} <= set(repertoire.verbs) or not living or "failing" not in self._has:
            return False
        sketch = self._rng.choice(living)
        arguments = {"session": sketch.name, "resource": draft.resource(), "fails": True}
        draft.add("attach", arguments)
        draft.add("advance", {"to_timeout_of": sketch.name, "plus_us": SECOND_US})
        assert sketch.dies_us is not None
        draft.now_us = max(draft.now_us, sketch.dies_us + SECOND_US)
        self._on_manager("sweep")
        return True

    def old_copy(self) -> bool:
        """Let a client work on what it read before another ended or changed the session; say whether that can be."""
        draft, rng, repertoire = self.draft, self._rng, self._repertoire
        able = [verb for verb in repertoire.verbs if verb in repertoire.holds and verb not in repertoire.looks]
        living = draft.living()
        if not able or not living or draft.client:
            return False
        sketch = rng.choice(living)
        draft.client = "A"
        draft.add("get", {"session": sketch.name})
        draft.client = "B"
        self.on(sketch, [verb for verb in repertoire.verbs if verb in _ENDS] or able)
        draft.client = "A"
        verb = rng.choice(able)
        arguments: dict[str, Any] = {"session": sketch.name}
        self._arguments(verb, arguments, sketch.name)
        draft.add(verb, {**arguments, "stale": True})
        draft.client = ""
        self._look_at(sketch)
        return True

    def moment(self) -> bool:
        """Do something to a session at its deadline or very near to it, and look; say whether that can be."""
        rng, repertoire = self._rng, self._repertoire
        living = [one for one in reversed(self.draft.living()) if one.dies_us is not None]
        able = [verb for verb in repertoire.verbs if verb not in repertoire.looks and verb not in _ENDS]
        if "time" not in self._has or not living or not able:
            return False
        sketch = rng.choice(living)
        self._go_to(sketch, rng.choice(sorted(repertoire.near, key=abs)))
        verb = rng.choice([*(verb for verb in able if verb == "sweep"), *able])
        if VERBS[verb].addresses == "session":
            self.on(sketch, [verb])
        else:
            self._on_manager(verb)
        for look in repertoire.looks:
            if VERBS[look].addresses == "session" and look in self._quiet:
                self.draft.add(look, {"session": sketch.name})
            elif look in ("list", "count"):
                self.draft.add(look, {})
        return True

    def _look_at(self, sketch: Sketch) -> None:
        looks = [verb for verb in self._quiet or self._repertoire.looks if VERBS[verb].addresses == "session"]
        if looks:
            self.draft.add(self._rng.choice(looks), {"session": sketch.name})

    # -- time

    def advance(self) -> None:
        """Let time pass: by a span, or to a session's deadline or very near to it."""
        draft, rng = self.draft, self._rng
        living = [one for one in draft.living() if one.dies_us is not None]
        if living and rng.random() < 0.6:
            self._go_to(rng.choice(living), rng.choice(self._repertoire.near))
        else:
            span_us = rng.choice(self._repertoire.spans)
            draft.add("advance", {"by_us": span_us})
            draft.now_us += span_us

    def deadline(self) -> None:
        """Let time pass to a session's deadline or very near to it; where there is none, by a span."""
        living = [one for one in reversed(self.draft.living()) if one.dies_us is not None]
        if living:
            self._go_to(self._rng.choice(living), self._rng.choice(sorted(self._repertoire.near, key=abs)))
        else:
            self.advance()

    def _go_to(self, sketch: Sketch, offset_us: int) -> None:
        arguments: dict[str, Any] = {"to_timeout_of": sketch.name}
        if offset_us:
            arguments["plus_us" if offset_us > 0 else "minus_us"] = abs(offset_us)
        self.draft.add("advance", arguments)
        assert sketch.dies_us is not None
        self.draft.now_us = max(self.draft.now_us, sketch.dies_us + offset_us)

    def set_clock(self) -> None:
        """Set the wall clock, back or forward."""
        rng = self._rng
        span_us = rng.choice((SECOND_US, _HOUR_US, *self._repertoire.spans))
        self.draft.add("set_clock", {rng.choice(("back_us", "back_us", "forward_us")): span_us})

    def set_zone(self) -> None:
        """Go to another time zone, perhaps shortly before its clocks change."""
        rng = self._rng
        if not self.draft.sketches and rng.random() < 0.6:
            self.draft.add("set_clock", {"to_us": rng.choice(_EVES)})
        self.draft.add("set_clock", {"zone": rng.choice(_ZONES)})

    # -- create

    def create(self, chosen: str | None = None) -> None:
        """Add a create, under the id that is chosen where one is."""
        draft, rng, repertoire = self.draft, self._rng, self._repertoire
        arguments: dict[str, Any] = {}
        sketch = draft.fresh()
        arguments["as"] = sketch.name
        if repertoire.takes("create", "id"):
            chosen = chosen if chosen is not None else self._chosen_id()
            if chosen is not None:
                arguments["id"] = chosen
                sketch.chosen = chosen
                for one in draft.sketches[:-1]:
                    if one.chosen == chosen:
                        one.ended = True
        if repertoire.takes("create", "owner") and (
            repertoire.must("create", "owner") or ("owners" in self._has and rng.random() < 0.8)
        ):
            arguments["owner"] = sketch.owner = rng.choice(OWNERS) if "owners" in self._has else OWNERS[0]
        if repertoire.takes("create", "data") and (repertoire.must("create", "data") or rng.random() < 0.7):
            arguments["data"] = self._contents.data()
        timeout_us = self._own_timeout("create", 0.6)
        if timeout_us is not UNSET:
            arguments["timeout_us"] = timeout_us
        self._dies(sketch, timeout_us)
        capture = self._capturing(sketch, "create")
        draft.add("create", arguments, capture=capture)

    def _chosen_id(self) -> str | None:
        rng, repertoire = self._rng, self._repertoire
        must = repertoire.must("create", "id")
        if "odd" in self._has and rng.random() < 0.3:
            return rng.choice(repertoire.odd_ids if must else repertoire.odd_ids[1:])  # Nothing may stand for none.
        if not repertoire.ids or not (must or ("ids" in self._has and rng.random() < 0.6)):
            return None
        if must and "ids" not in self._has:
            return None  # One that nobody has is chosen when it runs.
        return rng.choice(repertoire.ids)

    def _own_timeout(self, verb: str, share: float) -> Any:
        repertoire, rng = self._repertoire, self._rng
        if not repertoire.timeouts or not repertoire.takes(verb, "timeout"):
            return UNSET
        must = repertoire.must(verb, "timeout")
        if "edge-timeouts" in self._has and repertoire.edge_timeouts and rng.random() < 0.4:
            return rng.choice(repertoire.edge_timeouts)
        if must or ("own" in self._has and rng.random() < share):
            return rng.choice(repertoire.timeouts)
        return UNSET

    def _dies(self, sketch: Sketch, timeout_us: Any) -> None:
        policy = self._policy
        own = policy.idle_timeout if timeout_us is UNSET else timeout_us
        timeout_us = own if own is not None and own > 0 else policy.absolute_timeout
        if timeout_us is not None and timeout_us <= WAITED_MAX_US:
            sketch.timeout_us = timeout_us
            sketch.dies_us = self.draft.now_us + timeout_us

    # -- operations on one session

    def _session(self) -> tuple[Any, Sketch | None]:
        """Draw which session an operation is about: how a step says it, and what is known of it."""
        draft, rng = self.draft, self._rng
        if "strangers" in self._has and rng.random() < 0.12:
            return RawId(rng.choice(_STRANGERS)), None
        candidates = draft.sketches
        if "ended" not in self._has:
            candidates = draft.living() or candidates
        if not candidates:
            return RawId(_STRANGERS[0]), None
        # The newest are drawn more often: programs are short, and what was done to one session should meet.
        sketch = candidates[-1] if rng.random() < 0.35 else rng.choice(candidates)
        return sketch.name, sketch

    def _on_session(self, verb: str, known: Sketch | None = None) -> None:
        draft, rng = self.draft, self._rng
        reference, sketch = self._session() if known is None else (known.name, known)
        arguments: dict[str, Any] = {"session": reference}
        self._arguments(verb, arguments, reference)
        if sketch is not None and self._is_held(verb, sketch) and rng.random() < 0.6:
            arguments["stale"] = True
            draft.client = draft.client or rng.choice(sketch.readers)
        capture = self._capturing(sketch, verb) if sketch is not None else EMPTY
        before = draft.client
        if not before and "stale" in self._has and verb == "get":
            draft.client = rng.choice(("A", "B"))
        draft.add(verb, arguments, capture=capture)
        if sketch is not None:
            self._after(verb, sketch, arguments)
        draft.client = before if arguments.get("stale") is not True else ""

    def _is_held(self, verb: str, sketch: Sketch) -> bool:
        """Say whether somebody has an object of the session that the operation can work on."""
        return "stale" in self._has and bool(sketch.readers) and verb in self._repertoire.holds

    def _after(self, verb: str, sketch: Sketch, arguments: dict[str, Any]) -> None:
        """Note what the operation probably does."""
        if verb in _ENDS and "key" not in arguments:
            sketch.ended = True
        elif self._policy.renews(verb):
            self.draft.renew(sketch)
        if verb == "get" and self.draft.client:
            sketch.readers = tuple(dict.fromkeys((*sketch.readers, self.draft.client)))
        if verb in ("use", "rotate", "resume") and "as" in arguments:
            new = self.draft.sketches[-1]
            new.owner, new.timeout_us, new.dies_us = sketch.owner, sketch.timeout_us, sketch.dies_us
            if verb == "rotate":
                sketch.ended = True

    def _arguments(self, verb: str, arguments: dict[str, Any], reference: Any) -> None:
        """Draw what the operation is handed."""
        maker = _MAKERS.get(verb)
        if maker is not None:
            maker(self, verb, arguments)
        if self._repertoire.takes(verb, "version") and verb in ("update", "save") and "versions" in self._has:
            known = self._versions.get(reference, ()) if isinstance(reference, str) else ()
            if known and self._rng.random() < 0.6:
                arguments["version"] = Variable(self._rng.choice(known))

    def _make_update(self, verb: str, arguments: dict[str, Any]) -> None:
        arguments["set"] = self._contents.changes()

    def _make_save(self, verb: str, arguments: dict[str, Any]) -> None:
        arguments["data"] = self._contents.data()

    def _make_put(self, verb: str, arguments: dict[str, Any]) -> None:
        arguments["key"] = self._contents.key()
        arguments["value"] = self._contents.value()

    def _make_append(self, verb: str, arguments: dict[str, Any]) -> None:
        if self._repertoire.profile.session.data_type != "list":
            arguments["key"] = LIST_KEY
        arguments["value"] = self._contents.value()

    def _make_pop(self, verb: str, arguments: dict[str, Any]) -> None:
        if self._repertoire.takes("pop", "key") and (self._repertoire.must("pop", "key") or self._rng.random() < 0.6):
            arguments["key"] = self._contents.key()

    def _make_timeout(self, verb: str, arguments: dict[str, Any]) -> None:
        timeout_us = self._own_timeout(verb, 0.3)
        if timeout_us is not UNSET:
            arguments["timeout_us"] = timeout_us

    def _make_expire(self, verb: str, arguments: dict[str, Any]) -> None:
        repertoire, rng = self._repertoire, self._rng
        if repertoire.takes("expire", "timeout") and repertoire.timeouts and rng.random() < 0.7:
            arguments["timeout_us"] = rng.choice(repertoire.timeouts)

    def _make_new(self, verb: str, arguments: dict[str, Any]) -> None:
        if self._rng.random() < 0.8:
            arguments["as"] = self.draft.fresh().name

    def _make_attach(self, verb: str, arguments: dict[str, Any]) -> None:
        arguments["resource"] = self.draft.resource()
        if "failing" in self._has and self._rng.random() < 0.4:
            arguments["fails"] = True

    def _make_history(self, verb: str, arguments: dict[str, Any]) -> None:
        if self._repertoire.takes(verb, "n") and (self._repertoire.must(verb, "n") or self._rng.random() < 0.6):
            arguments["n"] = self._rng.choice(_COUNTS)

    def _capturing(self, sketch: Sketch | None, verb: str) -> FrozenMap:
        """Keep the version that an answer tells, for a later operation to build on."""
        if sketch is None or "versions" not in self._has or self._rng.random() > 0.5:
            return EMPTY
        if not any(self._repertoire.takes(one, "version") for one in ("update", "save")):
            return EMPTY
        variable = self.draft.variable()
        self._versions.setdefault(sketch.name, []).append(variable)
        return FrozenMap({variable: ("version",)})

    # -- operations on the manager

    def _on_manager(self, verb: str) -> None:
        draft, rng, repertoire = self.draft, self._rng, self._repertoire
        arguments: dict[str, Any] = {}
        if repertoire.takes(verb, "owner") and (repertoire.must(verb, "owner") or rng.random() < 0.5):
            arguments["owner"] = rng.choice(OWNERS)
        if repertoire.takes(verb, "n") and (repertoire.must(verb, "n") or rng.random() < 0.5):
            arguments["n"] = rng.choice(_COUNTS)
        if verb in ("health", "checkpoint", "recover") and repertoire.takes(verb, "id"):
            arguments["session"] = self._session()[0]
        if verb == "pop_item":
            arguments["as"] = draft.fresh(ended=True).name
        draft.add(verb, arguments)
        if verb == "clear":
            for one in draft.sketches:
                one.ended = one.ended or "owner" not in arguments or one.owner == arguments["owner"]

    # -- the end

    def look_at_all(self) -> None:
        """Look at every session, in ways that disturb nothing where there are such."""
        looks = self._quiet or self._repertoire.looks
        if not looks:
            return
        of_one = [verb for verb in looks if VERBS[verb].addresses == "session"]
        of_all = [verb for verb in looks if VERBS[verb].addresses != "session"]
        rng, draft = self._rng, self.draft
        for sketch in draft.sketches:
            if of_one:
                verb = "get" if "get" in of_one and rng.random() < 0.6 else rng.choice(of_one)
                draft.add(verb, {"session": sketch.name})
        if of_all and rng.random() < 0.6:
            draft.add(rng.choice(of_all), {})

    def drain(self) -> None:
        """End every session, each in a way of its own."""
        draft, rng, repertoire = self.draft, self._rng, self._repertoire
        ways = [verb for verb in ("delete", "pop") if verb in repertoire.verbs and not repertoire.must(verb, "key")]
        whole = [verb for verb in ("clear",) if verb in repertoire.verbs and not repertoire.must(verb, "owner")]
        idle_us = self._policy.idle_timeout
        if idle_us is not None and "sweep" in repertoire.verbs:
            whole.append("sweep")
        if whole and (not ways or rng.random() < 0.5):
            verb = rng.choice(whole)
            if verb == "sweep" and idle_us is not None:
                draft.add("advance", {"by_us": 2 * idle_us + SECOND_US})
            draft.add(verb, {"n": 1_000_000} if repertoire.must(verb, "n") else {})
        elif ways:
            for sketch in draft.sketches:
                draft.add(rng.choice(ways), {"session": sketch.name})


_MOVES: Final[tuple[Callable[[Calls], bool], ...]] = (Calls.renewal, Calls.beginning_anew, Calls.broken_closing)

# Those of a state machine, which has more steps to spend.
_SEVERAL: Final = (Calls.moment, Calls.old_copy, *_MOVES)

Maker = Callable[[Calls, str, dict[str, Any]], None]

_MAKERS: Final[dict[str, Maker]] = {
    "update": Calls._make_update,
    "save": Calls._make_save,
    "put": Calls._make_put,
    "append": Calls._make_append,
    "pop": Calls._make_pop,
    "touch": Calls._make_timeout,
    "expire": Calls._make_expire,
    "use": Calls._make_new,
    "rotate": Calls._make_new,
    "resume": Calls._make_new,
    "attach": Calls._make_attach,
    "history": Calls._make_history,
}
