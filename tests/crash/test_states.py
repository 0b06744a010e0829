"""The states that a crash may leave: exactly those that the model allows, and a told share where they are too many."""

from __future__ import annotations

import itertools
import random

import pytest

from pytest_sessionguard.crash import KILL, MODELS, ORDERED, STRICT, effects
from pytest_sessionguard.crash.effects import (
    FILE,
    FOLDER,
    Effect,
    Entered,
    Item,
    Log,
    Marked,
    Moved,
    Removed,
    Sized,
    Synced,
    Touched,
    Wrote,
)
from pytest_sessionguard.crash.persistence import TEARS_MAX, Persistence, settles, tears, told
from pytest_sessionguard.crash.simulated import Disk
from pytest_sessionguard.crash.states import CrashState, CrashStates, describe
from pytest_sessionguard.crash.variants import tear_into

Seen = set[tuple[int, tuple[tuple[str, bytes], ...]]]


def log(*done: Effect, **base: bytes) -> Log:
    return Log(base={name: Item(data=data, node=50 + n) for n, (name, data) in enumerate(base.items())}, effects=done)


def states(one: Log, model: Persistence = STRICT, budget: int = 10**6, seed: int = 0) -> list[CrashState]:
    return list(CrashStates(one, model, budget=budget, seed=seed))


def contents(found: list[CrashState]) -> list[dict[str, bytes]]:
    return [{path: item.data for path, item in state.image.items()} for state in found]


def seen(found: list[CrashState]) -> Seen:
    return {
        (len(state.marks), tuple(sorted((path, item.data) for path, item in state.image.items()))) for state in found
    }


MADE = Entered(0, "a", 1, FILE)


def brute_force(one: Log) -> Seen:
    """Return what strict POSIX allows by trying everything at every moment."""
    found: Seen = set()
    done = one.effects
    for moment in range(len(done) + 1):
        safe = set()
        for later in range(moment):
            if isinstance(done[later], Synced):
                safe |= {n for n in range(later) if settles(STRICT, done[later], done[n])}  # type: ignore[arg-type]
        marks = sum(isinstance(effect, Marked) for effect in done[:moment])
        free = [n for n in range(moment) if n not in safe and not isinstance(done[n], (Marked, Synced))]
        for bits in itertools.product((False, True), repeat=len(free)):
            landed = safe | {n for n, bit in zip(free, bits, strict=True) if bit}
            nodes: dict[int, list[tuple[int, object]]] = {}
            for n in landed & set(free):
                effect = done[n]
                if isinstance(effect, Wrote):
                    nodes.setdefault(effect.node, [(-1, None)]).extend((n, way) for way in tears(STRICT, effect)[0])
            for torn in itertools.product(*nodes.values()):
                ways = dict(torn)
                disk = Disk(one.base)
                for effect in done:  # What a node is made as is known whether or not its name has landed.
                    if isinstance(effect, Entered) and effect.kind:
                        disk.apply(effect)
                disk.names = Disk(one.base).names
                for n in sorted(landed):
                    effect = done[n]
                    if isinstance(effect, Wrote) and n in ways:
                        tear_into(disk.contents.setdefault(effect.node, bytearray()), effect, ways[n])  # type: ignore[arg-type]
                    elif isinstance(effect, (Entered, Moved, Removed)):
                        disk.apply_names(effect)
                    else:
                        disk.apply(effect)
                image = disk.image()
                found.add((marks, tuple(sorted((path, item.data) for path, item in image.items()))))
    return found


def random_log(rng: random.Random) -> Log:
    done: list[Effect] = []
    nodes, number = [50], 0
    for _ in range(rng.randrange(3, 8)):
        node = rng.choice(nodes)
        match rng.randrange(8):
            case 0 | 1:
                number += 1
                nodes.append(number)
                done.append(Entered(0, rng.choice("abc"), number, FILE))
            case 2 | 3 | 4:
                offset = rng.choice([0, 3, 500, 600])
                done.append(Wrote(node, offset, bytes([rng.randrange(97, 123)]) * rng.choice([1, 20, 700])))
            case 5:
                done.append(rng.choice([Synced(node), Synced(0), Synced(None), Marked("m")]))
            case 6:
                done.append(Sized(node, rng.choice([0, 2, 40])))
            case _:
                done.append(rng.choice([Moved(0, "a", 0, "b", node), Removed(0, rng.choice("abo"), node)]))
    return log(*done, old=b"x" * 600)


@pytest.mark.parametrize("seed", range(25))
def test_exactly_what_posix_allows_is_given_and_nothing_twice(seed: int) -> None:
    one = random_log(random.Random(seed))
    found = states(one)
    assert seen(found) == brute_force(one)
    assert len(found) == len(seen(found))


def test_what_was_flushed_is_there_and_what_was_not_may_be_missing() -> None:
    found = states(log(MADE, Wrote(1, 0, b"one"), Synced(1), Synced(0), Wrote(1, 3, b"two"), Marked("m")))
    assert {} in contents(found)
    flushed = [state for state in found if state.moment >= 4]
    assert {state.image["a"].data for state in flushed} == {b"one", b"onetwo", b"one\0\0\0"}


def test_without_a_flush_of_the_folder_a_flushed_file_may_have_no_name() -> None:
    after = [state for state in states(log(MADE, Wrote(1, 0, b"one"), Synced(1), Marked("m"))) if state.marks]
    assert sorted(map(sorted, contents(after))) == [[], ["a"]]


def test_a_file_may_have_its_first_sector_and_zeros_up_to_its_size() -> None:
    found = contents(states(log(MADE, Wrote(1, 0, b"x" * 1_000))))
    assert {"a": b"x" * 512 + bytes(488)} in found
    assert {"a": b"x" * 512} in found
    assert {"a": bytes(512) + b"x" * 488} in found
    assert {"a": bytes(1_000)} in found


def test_what_was_cut_may_not_be_cut_yet() -> None:
    found = contents(states(log(Sized(50, 0), Wrote(50, 0, b"new"), old=b"older")))
    assert {"old": b"newer"} in found
    assert {"old": b"older"} in found
    assert {"old": b""} in found


def test_a_lost_name_hides_all_that_is_in_the_folder() -> None:
    done = log(Entered(0, "d", 1, FOLDER), Entered(1, "f", 2, FILE), Wrote(2, 0, b"1"), Synced(2), Synced(1))
    found = {tuple(image) for image in contents(states(done))}
    assert found == {(), ("d",), ("d", "d/f")}


def test_a_time_that_was_set_may_not_have_been_kept() -> None:
    found = states(log(Touched(50, mtime_ns=5), old=b"x"))
    assert {state.image["old"].mtime_ns for state in found} == {0, 5}


def test_links_and_modes_are_kept() -> None:
    done = log(Touched(50, mode=0o600), Synced(None), Entered(0, "s", 1, effects.LINK, 0o777, b"old"), old=b"x")
    images = [state.image for state in states(done)]
    assert {image["s"].data for image in images if "s" in image} == {b"old"}
    assert images[-1]["old"].mode == 0o600


# -- in order -------------------------------------------------------------------------------------------------------


def test_in_order_a_later_name_never_comes_without_an_earlier_one() -> None:
    done = log(MADE, Entered(0, "b", 2, FILE))
    assert {tuple(image) for image in contents(states(done, ORDERED))} == {(), ("a",), ("a", "b")}
    assert ("b",) in {tuple(image) for image in contents(states(done, STRICT))}


def test_in_order_a_flush_of_any_file_commits_earlier_names() -> None:
    done = log(MADE, Entered(0, "b", 2, FILE), Synced(2), Marked("m"))
    assert {tuple(image) for image in contents([s for s in states(done, ORDERED) if s.marks])} == {("a", "b")}


def test_in_order_a_file_is_never_longer_than_its_data() -> None:
    found = {image["a"] for image in contents(states(log(MADE, Wrote(1, 0, b"x" * 1_000)), ORDERED)) if image}
    assert found == {b"", b"x" * 512, b"x" * 1_000}
    two = log(MADE, Wrote(1, 0, b"x" * 600), Wrote(1, 600, b"y" * 10), Synced(0))
    assert {image["a"] for image in contents(states(two, ORDERED)) if image} == {
        b"",
        b"x" * 512,
        b"x" * 600,
        b"x" * 600 + b"y" * 10,
    }


def test_in_order_nothing_is_seen_of_what_follows_a_cut_that_has_not_landed() -> None:
    done = log(Sized(50, 0), Wrote(50, 0, b"new"), old=b"older")
    assert {image["old"] for image in contents(states(done, ORDERED))} == {b"older", b"", b"new"}
    inside = log(Wrote(50, 0, b"new"), Wrote(50, 3, b"ER"), old=b"older")
    assert len(states(inside, ORDERED)) == 4


# -- the page cache survives ----------------------------------------------------------------------------------------


def test_a_kill_leaves_all_up_to_some_point() -> None:
    done = log(MADE, Wrote(1, 0, b"1"), Marked("m"), Wrote(1, 1, b"2"), Moved(0, "a", 0, "b", 1))
    assert contents(states(done, KILL)) == [{}, {"a": b""}, {"a": b"1"}, {"a": b"1"}, {"a": b"12"}, {"b": b"12"}]


def test_a_kill_may_cut_a_long_write_at_a_page() -> None:
    found = contents(states(log(MADE, Wrote(1, 0, b"x" * 9_000)), KILL))
    assert [len(image["a"]) for image in found if image] == [0, 4_096, 8_192, 9_000]


def test_a_kill_beyond_the_budget_is_told() -> None:
    found = CrashStates(log(*(Wrote(50, n, b"x") for n in range(30)), old=b""), KILL, budget=5)
    assert len(list(found)) == 5
    assert "states left out" in found.cut[0]


# -- too many -------------------------------------------------------------------------------------------------------


def many(files: int, writes: int = 1) -> Log:
    done: list[Effect] = []
    for number in range(1, files + 1):
        done.append(Entered(0, f"f{number}", number, FILE))
        done += [Wrote(number, 600 * n, bytes([96 + n]) * 600) for n in range(writes)]
    return log(*done)


@pytest.mark.parametrize(("files", "writes"), [(4, 2), (12, 1), (1, 12)])
@pytest.mark.parametrize("model", [STRICT, ORDERED])
def test_a_budget_is_kept_and_what_was_cut_is_told(files: int, writes: int, model: Persistence) -> None:
    found = CrashStates(many(files, writes), model, budget=60)
    given = list(found)
    assert 0 < len(given) <= 60
    assert found.cut or len(given) < 60
    assert len(seen(given)) == len(given)


def test_a_sample_begins_with_what_tells_most() -> None:
    found = contents(states(many(4, 2), budget=200))
    assert {f"f{n}": b"`" * 600 + b"a" * 600 for n in range(1, 5)} in found
    assert {} in found


def test_the_same_seed_gives_the_same_states() -> None:
    one, again, other = (seen(states(many(4, 2), budget=600, seed=seed)) for seed in (1, 1, 2))
    assert one == again
    assert one != other


def test_long_writes_are_torn_in_some_places_and_that_is_told() -> None:
    found = CrashStates(log(MADE, Wrote(1, 0, bytes(range(256)) * 80)), STRICT, budget=10**6)
    lengths = {len(state.image["a"].data) for state in found if state.image}
    assert {0, 512, 19_968, 20_480} <= lengths
    assert found.cut == ("long writes were torn at some of their sectors only",)
    assert len(tears(STRICT, Wrote(1, 0, bytes(20_480)))[0]) == 2 * TEARS_MAX + 2


def test_a_large_file_is_made_again_when_it_is_needed() -> None:
    done = log(MADE, Synced(0), Wrote(1, 0, b"x" * 100_000))
    assert {len(state.image["a"].data) for state in states(done) if state.image} >= {0, 512, 100_000}


def test_no_moment_gets_nothing_when_the_budget_is_small() -> None:
    found = CrashStates(log(MADE, Marked(1), Marked(2), Marked(3), Marked(4)), STRICT, budget=2)
    assert len(list(found)) == 2
    assert found.cut


# -- words ----------------------------------------------------------------------------------------------------------


def test_a_crash_is_told_in_words() -> None:
    done = log(MADE, Wrote(1, 0, b"x" * 600), Wrote(50, 0, b"y"), old=b"x")
    every = {describe(state, done) for state in states(done)}
    assert "after write 1 bytes at 0 of old; not on the disk: make a; write 1 bytes at 0 of old" in every
    assert "after write 1 bytes at 0 of old; write 600 bytes at 0 of a: only up to byte 512" in every
    assert any(one.endswith("a: only without its first 512 bytes") for one in every)
    assert any(one.endswith("a: only as zeros") for one in every)
    nothing = CrashState(moment=0, marks=(), image={})
    assert describe(nothing, done) == "before any recorded operation"
    all_missing = CrashState(moment=8, marks=(), image={}, missing=tuple(range(8)))
    assert describe(all_missing, many(4)).endswith("; 4 more")


def test_each_model_has_a_name_and_says_what_it_means() -> None:
    assert list(MODELS) == ["strict", "ordered", "kill"]
    assert all(model.summary for model in MODELS.values())
    assert told(tears(STRICT, Wrote(1, 0, b"x" * 600))[0][2], 600) == "up to byte 512, then zeros up to byte 600"
