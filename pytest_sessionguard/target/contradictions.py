"""What the tables of one profile say against each other.

Pure.  A fault is what can never be right; what is merely without effect, or looks forgotten, is a warning.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from pytest_sessionguard.core.policy import KEYS
from pytest_sessionguard.core.properties import PROPERTIES
from pytest_sessionguard.core.values import FrozenMap
from pytest_sessionguard.errors import did_you_mean
from pytest_sessionguard.target.findings import Findings
from pytest_sessionguard.target.placeholders import FIGURES, PLACEHOLDERS, words_in
from pytest_sessionguard.target.shape import Profile
from pytest_sessionguard.target.templates import MANAGER
from pytest_sessionguard.target.toml_positions import KeyPath

_LIMIT_KEYS: Final = ("limit_scope", "at_limit", "limit_counts", "limit_in_flight")


def check(findings: Findings, profile: Profile, tables: Mapping[str, Any]) -> None:
    """Note every contradiction of the profile."""
    for rule in _RULES:
        rule(findings, profile)
    _check_placeholders(findings, profile, tables)


def _written(profile: Profile, key: str, value: str) -> Iterator[KeyPath]:
    """Yield where the user wrote the value for the key: once, or for each operation of a table."""
    told = getattr(profile.policy, key)
    if key not in profile.policy.written:
        return
    if isinstance(told, FrozenMap):
        yield from (("policy", key, verb) for verb, word in told.items() if word == value)
    elif told == value:
        yield ("policy", key)


def _hands_over(profile: Profile, name: str, verb: str | None = None) -> bool:
    verbs = profile.operations if verb is None else [verb]
    return any(name in template.names for each in verbs for template in profile.operations.get(each, ()))


def _gives(profile: Profile, result: str) -> bool:
    return any(templates[-1].result == result for templates in profile.operations.values())


def _check_errors(findings: Findings, profile: Profile) -> None:
    """A refusal that the policy announces must be told from a failure: by its class or by its answer."""
    for key, kind in (("missing", "missing"), ("at_limit", "limit"), ("existing", "exists")):
        if kind in profile.errors or kind in profile.answers:
            continue
        if key == "existing" and not _hands_over(profile, "id", "create"):
            continue
        for path in _written(profile, key, "error"):
            findings.at_value(
                path, f'{key} = "error", but nothing says which error: expected [errors] {kind} = "module:Class"'
            )
    policy = profile.policy
    if policy.limit is not None and "at_limit" not in policy.written and "limit" not in profile.errors:
        findings.warn(
            ("policy", "limit"),
            'at the limit an error is expected (at_limit = "error"), but [errors] names no '
            "`limit`: declare one of them",
        )


def _check_expired(findings: Findings, profile: Profile) -> None:
    policy, shape = profile.policy, profile.session
    seen = (
        shape.status is not None
        or _gives(profile, "status")
        or "is_expired" in profile.operations
        or "expired" in profile.errors
        or "expired" in profile.answers
    )
    for path in _written(profile, "expired", "marked"):
        if not seen:
            findings.at_value(
                path,
                'expired = "marked", but nothing shows the mark: expected [session] status, a template that gives '
                "`status`, an operation is_expired, or [errors] expired",
            )
    told = policy.expired
    words = set(told.values()) if isinstance(told, FrozenMap) else {told}
    if shape.expired_status is not None and "marked" not in words:
        findings.warn(("session", "expired_status"), 'without effect: the policy does not say expired = "marked"')
    if policy.revivable and "stale" not in words:
        findings.warn(("policy", "revivable"), 'without effect: the policy does not say expired = "stale"')


def _check_limits(findings: Findings, profile: Profile) -> None:
    policy = profile.policy
    if policy.limit is None:
        for key in _LIMIT_KEYS:
            if key in policy.written:
                findings.warn(("policy", key), "without effect: the policy has no `limit`")
    elif policy.limit_scope == "owner" and not _hands_over(profile, "owner", "create"):
        findings.warn(("policy", "limit_scope"), "create takes no `owner`: all sessions count as one owner's")


def _check_times(findings: Findings, profile: Profile) -> None:
    policy = profile.policy
    if policy.per_session_timeout and not _hands_over(profile, "timeout"):
        findings.at_value(
            ("policy", "per_session_timeout"),
            "no operation hands over `timeout`: expected a template such as `create(id, ttl=timeout)`",
        )
    if not policy.per_session_timeout and _hands_over(profile, "timeout", "create"):
        findings.warn(("operations", "create"), "takes `timeout`: the policy should say per_session_timeout = true")
    if (
        policy.idle_timeout is not None
        and policy.absolute_timeout is not None
        and policy.idle_timeout > policy.absolute_timeout
    ):
        findings.warn(("policy", "idle_timeout"), "without effect: longer than absolute_timeout")


def _check_rest(findings: Findings, profile: Profile) -> None:
    policy = profile.policy
    if policy.close_hook is not None and not any(hook.role == "close" for hook in profile.hooks.values()):
        findings.at_value(
            ("policy", "close_hook"),
            'no hook has the role `close`: expected [manager] hooks = { parameter = "close(session)" }',
        )
    if policy.resource is not None and "attach" not in profile.operations:
        findings.warn(("policy", "resource"), "without effect: there is no operation `attach`")
    if policy.history_limit is not None and "history" not in profile.operations:
        findings.warn(("policy", "history_limit"), "without effect: there is no operation `history`")
    if policy.id_pattern is not None and not _hands_over(profile, "id", "create"):
        findings.warn(("policy", "id_pattern"), "without effect: create takes no `id`")
    for key in sorted(policy.written):
        value = getattr(policy, key)
        if KEYS[key].by_verb and isinstance(value, FrozenMap):
            for verb in value:
                if verb not in profile.operations:
                    findings.warn(("policy", key, verb), f"without effect: there is no operation `{verb}`")
    for name in profile.check.allow:
        near = did_you_mean(str(name), PROPERTIES) if name not in PROPERTIES and "." in str(name) else ""
        if "did you mean" in near:
            findings.warn(("check", "allow"), f"no property {name!r}{near}")
    shape = profile.session
    looked_at = any((shape.id, shape.data, shape.version, shape.status, shape.owner))
    if _gives(profile, "session") and not looked_at:
        findings.warn(("operations",), "sessions are given, but [session] names nothing to look at in them")


_RULES: Final[tuple[Callable[[Findings, Profile], None], ...]] = (
    _check_errors,
    _check_expired,
    _check_limits,
    _check_times,
    _check_rest,
)


# -- placeholders ---------------------------------------------------------------------------------------------------


def _check_placeholders(findings: Findings, profile: Profile, tables: Mapping[str, Any]) -> None:
    for path, text in _texts(("manager", "args"), dict(profile.args)):
        for word, start in words_in(text):
            _check_word(findings, profile, path, start + 1, word, whole=text == f"{{{word}}}")
    for verb, templates in profile.operations.items():
        for index, template in enumerate(templates):
            written = tables["operations"][verb]
            path = ("operations", verb) if isinstance(written, str) else ("operations", verb, index)
            for argument in template.handed_over:
                for _, text in _texts((), argument.literal):
                    for word, _ in words_in(text):
                        whole = text == f"{{{word}}}"
                        _check_word(findings, profile, path, argument.column, word, whole=whole)


def _texts(path: KeyPath, value: Any) -> Iterator[tuple[KeyPath, str]]:
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from _texts((*path, key), item)
    elif isinstance(value, (list, tuple)):
        for index, item in enumerate(value):
            yield from _texts((*path, index), item)


def _check_word(findings: Findings, profile: Profile, path: KeyPath, column: int, word: str, *, whole: bool) -> None:
    """Note a placeholder that looks misspelt, or that nothing can fill in."""
    if word in ("endpoint", "host", "port"):
        if profile.endpoint is None:
            findings.inside(path, column, f'nothing fills in {{{word}}}: expected [manager] endpoint = "host:port"')
    elif word in FIGURES:
        if getattr(profile.policy, word) is not None:
            return
        if not whole:
            findings.inside(path, column, f"nothing fills in {{{word}}}: expected [policy] {word}")
    elif word not in PLACEHOLDERS:
        near = did_you_mean(word, (*PLACEHOLDERS, MANAGER))
        if "did you mean" in near:
            findings.inside(path, column, f"unknown placeholder {{{word}}}{near}")
