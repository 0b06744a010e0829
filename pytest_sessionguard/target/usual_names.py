"""The usual names of methods, parameters and fields of session managers, and what they mean.

Pure.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

# Words that say what is worked on, and how, but not what is done.
_FILLERS: Final = frozenset(
    {"session", "sessions", "the", "a", "an", "by", "id", "for", "from", "one", "async", "entry"}
)

_VERBS: Final[Mapping[str, str]] = {
    "create": "create new make add register issue spawn allocate obtain login get_or_create ensure get_or_new "
    "create_new acquire insert",
    "get": "get load fetch read find lookup look_up retrieve open_existing peek get_data load_data get_info describe",
    "exists": "exists has contains is_valid is_active is_alive valid alive validate check verify in",
    "ttl": "ttl remaining time_left get_ttl remaining_ttl expires_in time_to_live time_remaining remaining_time pttl "
    "get_remaining_time seconds_left",
    "touch": "touch refresh renew extend update_activity heartbeat keep_alive keepalive ping update_last_activity "
    "record_activity mark_active bump activity update_last_accessed update_last_access prolong update_last_seen",
    "update": "update merge patch update_data modify change update_state",
    "save": "save store write replace put_data persist set set_data save_data put",
    "put": "set_value set_item put_value set_key set_attribute set_field update_field",
    "append": "append push add_item append_value add_message add_event",
    "pop": "pop take take_out",
    "pop_item": "popitem pop_item",
    "delete": "delete remove destroy kill end terminate invalidate revoke discard drop logout "
    "close_existing evict cancel",
    "expire": "expire expire_now force_expire",
    "use": "use get_or_replace checkout",
    "rotate": "rotate regenerate regenerate_id cycle cycle_key rotate_id change_id renew_id",
    "disconnect": "disconnect detach_client on_disconnect",
    "resume": "resume reconnect restore",
    "attach": "attach attach_resource add_resource own",
    "list": "list ids list_ids keys all list_all get_all get_ids active get_active list_active all_ids active_ids "
    "get_active_ids get_all_ids sids get_user user of of_user list_user for_user get_for_user of_owner",
    "count": "count size get_count active_count get_active_count count_active total num number_of length total_count",
    "sweep": "sweep cleanup clean_up clean purge purge_expired cleanup_expired cleanup_stale remove_expired "
    "evict_expired "
    "clear_expired delete_expired expire_stale prune gc collect reap reap_expired expire_old cleanup_inactive "
    "delete_stale remove_stale purge_stale clean_expired expire_all_stale vacuum cleanup_old remove_inactive "
    "delete_all_expired expire_idle purge_idle sweep_expired",
    "clear": "clear clear_all delete_all remove_all flush reset destroy_all empty flush_all close_all end_all "
    "terminate_all invalidate_all kill_all purge_all",
    "metrics": "metrics stats get_metrics get_stats statistics get_statistics",
    "history": "history versions get_history get_versions list_versions",
    "is_expired": "is_expired expired is_stale has_expired",
    "health": "health healthy is_healthy health_check get_health",
    "start": "start startup start_up start_cleanup",
    "stop": "stop shutdown shut_down",
    "close": "close aclose dispose",
    "checkpoint": "checkpoint snapshot",
    "recover": "recover",
}

VERB_OF: Final[Mapping[str, str]] = {name: verb for verb, names in _VERBS.items() for name in names.split()}

# What a name means once it speaks of one session: `start_session` creates, `close(session_id)` deletes.
OF_ONE_SESSION: Final[Mapping[str, str]] = {
    "start": "create", "open": "create", "begin": "create", "close": "delete", "stop": "delete", "clear": "delete",
    "purge": "delete", "store": "save", "reset": "delete", "log_out": "delete", "finish": "delete", "aclose": "delete",
    "invalidate": "delete",
}  # fmt: skip

SPECIAL: Final[Mapping[str, tuple[str, str]]] = {
    "__len__": ("count", "__len__() -> count"),
    "__contains__": ("exists", "__contains__(id) -> flag"),
    "__getitem__": ("get", "manager[id]"),
    "__delitem__": ("delete", "del manager[id]"),
}

EXISTING: Final = frozenset({"get_or_create", "ensure", "get_or_new", "obtain"})

PARAMETERS: Final[Mapping[str, str]] = {
    "id": "id sid session_id sessionid session_key token session_token identifier uid uuid cookie name key handle k "
    "existing_id sess_id",
    "owner": "owner owner_id user user_id username client client_id account account_id tenant principal subject "
    "customer_id player_id userid uname",
    "data": "data payload initial initial_data attrs attributes metadata state content contents body doc document "
    "value "
    "values session_data context meta props obj item v record",
    "changes": "changes updates data patch fields values delta attrs attributes kwargs new_data partial",
    "key": "key field name attribute attr k",
    "value": "value item val v entry message event",
    "version": "version expected_version if_version rev revision etag cas expected expected_rev",
    "timeout": "timeout ttl timeout_secs timeout_seconds max_age expires_in lifetime expiry duration idle_timeout "
    "ttl_ms "
    "ttl_seconds ttl_secs timeout_ms timeout_s expires expire seconds max_idle session_timeout",
    "resource": "resource handle closer closeable",
    "n": "n limit count batch batch_size max_items max_count",
    "mutate": "mutate fn func updater mutator transform",
    "session": "session sess s",
}

FIELDS: Final[Mapping[str, tuple[str, ...]]] = {
    "id": ("id", "session_id", "sid", "session_key", "key", "token", "identifier", "uuid"),
    "data": ("data", "payload", "attrs", "attributes", "values", "content", "contents", "context", "session_data",
             "state", "value", "metadata", "store"),
    "version": ("version", "rev", "revision", "etag"),
    "status": ("status", "state", "phase"),
    "owner": ("owner", "owner_id", "user_id", "user", "username", "client", "client_id", "account_id", "tenant"),
}  # fmt: skip

SETTINGS: Final[tuple[tuple[str, str], ...]] = (
    (r"(absolute|max_life|max_session_(age|duration)|lifetime|max_age)", "absolute_timeout"),
    (
        r"(clean|sweep|purge|gc|reap|prune|evict|expir\w*_check|check)\w*_?(interval|period|every|frequency)",
        "sweep_interval",
    ),
    (r"^(interval|period)", "sweep_interval"),
    (r"(grace|resume|lock|connect|acquire|read|write|socket|request|stop|busy|shutdown)", ""),
    (r"(timeout|ttl|idle|inactiv|expir|max_age)", "idle_timeout"),
    (r"(history|versions?)_?(limit|size|max|length)?$|max_(history|versions)", "history_limit"),
    (
        r"(max_?sessions|max_?size|capacity|limit|max_concurrent|max_entries|max_active|max_per|maxlen|max_count)",
        "limit",
    ),
)

ERRORS: Final[tuple[tuple[str, str], ...]] = (
    (r"expired|timed?_?out", "expired"),
    (r"not_?found|missing|no_?such|unknown|nonexist|does_?not_?exist", "missing"),
    (r"exists|duplicate|taken", "exists"),
    (r"limit|full|too_?many|capacity|quota|exceeded|exhausted", "limit"),
    (r"conflict|stale|version|concurren|optimistic", "conflict"),
    (r"corrupt|damage|integrity|checksum", "corrupt"),
    (r"busy|locked", "busy"),
    (r"closed|stopped|shut", "closed"),
    (r"invalid|validation|malformed|bad", "invalid"),
)


def snake(name: str) -> str:
    """Return a name in the snake case: `getSession` -> `get_session`."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()


def speaks_of_a_session(name: str) -> bool:
    """Say whether the name itself speaks of one session."""
    return "session" in snake(name).split("_")


def meaning(name: str, *, one_session: bool) -> str | None:
    """Return the operation that a method of this name usually is; None: none that is known.

    `one_session`: its name or its parameters speak of one session.
    """
    words = snake(name).strip("_")
    if one_session:
        stripped = _stripped(words)
        if stripped in OF_ONE_SESSION:
            return OF_ONE_SESSION[stripped]
    for candidate in (words, _stripped(words)):
        if candidate in VERB_OF:
            return VERB_OF[candidate]
    if words in ("session_ids", "sessions", "ids"):
        return "list"
    return None


def _stripped(words: str) -> str:
    kept = [word for word in words.split("_") if word not in _FILLERS]
    if len(kept) > 1 and kept[-1] in ("async", "sync"):
        kept = kept[:-1]
    return "_".join(kept)


def parameter_meaning(name: str, wanted: tuple[str, ...]) -> str | None:
    """Return which of the wanted arguments a parameter of this name usually takes, the first that fits."""
    words = snake(name).strip("_")
    for argument in wanted:
        if words in PARAMETERS[argument].split():
            return argument
    return None


def setting_meaning(name: str) -> str | None:
    """Return the policy key that a constructor's parameter or a constant of this name usually sets."""
    words = snake(name).strip("_")
    for pattern, key in SETTINGS:
        if re.search(pattern, words):
            return key or None
    return None


def unit_of(name: str) -> str | None:
    """Return the unit that a name ends with; "hours" and the like that no profile knows are told apart by "?"."""
    words = snake(name).split("_")
    for word in words[-2:]:
        if word in ("ms", "millis", "milliseconds", "msec"):
            return "ms"
        if word in ("s", "sec", "secs", "second", "seconds"):
            return "s"
        if word in ("min", "mins", "minute", "minutes"):
            return "m"
        if word in ("h", "hour", "hours", "d", "day", "days", "us"):
            return "?"
    return None


def error_meaning(name: str) -> str | None:
    """Return the kind of refusal that an exception of this name usually is."""
    words = snake(name)
    for pattern, kind in ERRORS:
        if re.search(pattern, words):
            return kind
    return None
