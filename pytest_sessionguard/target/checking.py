"""What a profile names, looked up: factory, classes, methods, functions.

Imports code of the user's.  Everything that can be known without making a manager is known before anything runs; of a
factory function the methods are looked up at the first manager that it makes.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from pytest_sessionguard.core.values import FrozenMap
from pytest_sessionguard.errors import Fault, UsageError, did_you_mean
from pytest_sessionguard.target.classes import call_faults, class_faults, live_faults
from pytest_sessionguard.target.findings import Findings
from pytest_sessionguard.target.imports import ImportFault, error_class, put_on_path, resolve
from pytest_sessionguard.target.placeholders import FIGURES
from pytest_sessionguard.target.sections import DATA_TYPES
from pytest_sessionguard.target.shape import Profile
from pytest_sessionguard.target.templates import FUNCTION, MANAGER, Template, TemplateError
from pytest_sessionguard.target.toml_positions import KeyPath

_ENTERING: Final = ("__enter__", "__aenter__")


def check(findings: Findings, profile: Profile, tables: Mapping[str, Any]) -> Profile:
    """Note what the profile names and nobody finds; return it with the places of its templates."""
    _check_folders(findings, profile, _table(tables, "manager").get("path", ()))
    put_on_path(profile.paths)
    if "path" not in _table(tables, "manager"):
        put_on_path([profile.folder], last=True)
    factory = _looked_up(findings, ("manager", "factory"), profile.factory) if profile.factory else None
    if factory is not None:
        _check_factory(findings, profile, factory)
    owner = factory if isinstance(factory, type) and gives_itself(factory) else None
    places = {}
    for where, key, template in _templates(profile, tables):
        places[key] = findings.characters(where)
        for fault in _template_faults(template, owner):
            findings.inside(where, fault.column, fault.message)
    _check_functions(findings, profile)
    _check_errors(findings, profile, tables)
    return replace(profile, places=FrozenMap(places), source=findings.source)


def with_notes(profile: Profile, findings: Findings) -> Profile:
    """Return the profile with everything that its user should know."""
    return replace(profile, warnings=tuple(findings.warnings))


def check_live(profile: Profile, manager: object) -> None:
    """Look the templates up at a manager that the factory made: called once, at the first construction.

    Raises:
        UsageError: every method that it lacks or that does not take what it is handed, at the template's place.
    """
    faults = []
    for verb, templates in profile.operations.items():
        for index, template in enumerate(templates):
            if template.root == MANAGER:
                found = live_faults(template, manager)
                faults += [_placed(profile, (verb, index), f"operations.{verb}", one) for one in found]
    if profile.background is not None and profile.background.root == MANAGER:
        found = live_faults(profile.background, manager)
        faults += [_placed(profile, ("background", 0), "manager.background", one) for one in found]
    if faults:
        raise UsageError(faults)


def unfitting(profile: Profile, key: tuple[str, int], message: str) -> Fault:
    """Return the fault of a template whose manager answers something else than it announces, at its result."""
    template = profile.operations[key[0]][key[1]]
    column = template.text.rfind("->") + 1 or 1
    advice = f"{message}; write the result word that fits, or mend the manager"
    return _placed(profile, key, f"operations.{key[0]}", TemplateError(advice, column))


def _placed(profile: Profile, key: tuple[str, int], shown: str, error: TemplateError) -> Fault:
    places = profile.places.get(key, ())
    if not places:
        return Fault(f"{profile.source or profile.name}: {shown}", 0, 0, f"column {error.column}: {error.message}")
    place = places[min(error.column - 1, len(places) - 1)]
    return Fault(profile.source or profile.name, place.line, place.column, error.message)


def _table(tables: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    table = tables.get(name)
    return table if isinstance(table, Mapping) else {}


def _templates(profile: Profile, tables: Mapping[str, Any]) -> Iterator[tuple[KeyPath, tuple[str, int], Template]]:
    for verb, templates in profile.operations.items():
        listed = not isinstance(_table(tables, "operations").get(verb), str)
        for index, template in enumerate(templates):
            where: KeyPath = ("operations", verb, index) if listed else ("operations", verb)
            yield where, (verb, index), template
    if profile.background is not None:
        yield ("manager", "background"), ("background", 0), profile.background


def _check_folders(findings: Findings, profile: Profile, written: Any) -> None:
    for index, folder in enumerate(profile.paths):
        if not Path(folder).is_dir():
            findings.at_value(
                ("manager", "path", index), f"no folder {written[index]!r}: expected one, relative to the profile"
            )


def _looked_up(findings: Findings, where: KeyPath, reference: Any) -> Any:
    """Return what a reference names, and must be callable; None, with a fault noted, where it is not."""
    if callable(reference):
        return reference
    try:
        found = resolve(reference)
    except ImportFault as error:
        findings.at_value(where, str(error))
        return None
    if not callable(found):
        findings.at_value(where, f"{reference} is no class and no function")
        return None
    return found


def _check_factory(findings: Findings, profile: Profile, factory: Callable[..., Any]) -> None:
    """Note arguments that the factory does not take, and those that it lacks."""
    try:
        signature = inspect.signature(factory)
    except (TypeError, ValueError):
        return
    parameters = signature.parameters
    open_ended = any(one.kind is one.VAR_KEYWORD for one in parameters.values())
    for table, names in (("args", profile.args), ("hooks", profile.hooks)):
        for name in names:
            where: KeyPath = ("manager", table, name)
            parameter = parameters.get(name)
            known = parameter is not None and parameter.kind in (
                inspect.Parameter.POSITIONAL_OR_KEYWORD,
                inspect.Parameter.KEYWORD_ONLY,
            )
            if not known and not open_ended:
                findings.at_key(where, f"the factory takes no {name!r}{did_you_mean(name, parameters)}")
            if table == "args" and parameter is not None and parameter.default is not None:
                _warn_of_none(findings, profile, where)
            if table == "hooks" and name in profile.args:
                findings.at_key(where, f"{name!r} is in args as well: expected it in one of them")
    given = {*profile.args, *profile.hooks}
    lacking = [
        one.name
        for one in parameters.values()
        if one.default is one.empty and one.kind not in (one.VAR_KEYWORD, one.VAR_POSITIONAL) and one.name not in given
    ]
    if lacking:
        shown = ", ".join(repr(name) for name in lacking)
        findings.at_value(("manager", "factory"), f"the factory also needs {shown}: expected it in [manager] args")


def _warn_of_none(findings: Findings, profile: Profile, where: KeyPath) -> None:
    """Note a figure that the policy does not have, for a parameter that is not None by itself."""
    value = profile.args[where[-1]]
    word = value[1:-1] if isinstance(value, str) else ""
    if value == f"{{{word}}}" and word in FIGURES and getattr(profile.policy, word) is None:
        findings.warn(where, f"the policy has no `{word}`: None is handed over, unless a scenario asks for one")


def _template_faults(template: Template, owner: type | None) -> Iterator[TemplateError]:
    if template.root == FUNCTION:
        yield from _function_faults(template)
    elif template.root == MANAGER and owner is not None:
        yield from class_faults(template, owner)


def _function_faults(template: Template) -> Iterator[TemplateError]:
    reference = f"{template.module}:{'.'.join(template.path)}"
    try:
        function = resolve(reference)
    except ImportFault as error:
        yield TemplateError(str(error), 1)
        return
    if not callable(function):
        yield TemplateError(f"{reference} is no function", 1)
        return
    yield from call_faults(template, function, template.columns[0])


def gives_itself(factory: type) -> bool:
    """Say whether the manager is certainly an instance of the class, also where it is a context manager."""
    for name in _ENTERING:
        method = inspect.getattr_static(factory, name, None)
        if method is None:
            continue
        try:
            source = inspect.getsource(method)
        except (OSError, TypeError):
            return False
        if "return self" not in source:
            return False
    return True


def _check_functions(findings: Findings, profile: Profile) -> None:
    if profile.reset is not None:
        _looked_up(findings, ("manager", "reset"), profile.reset)
    if profile.session.data_type not in DATA_TYPES:
        _looked_up(findings, ("session", "data_type"), profile.session.data_type)
    for name, probe in profile.probes.items():
        if callable(probe) or not str(probe).startswith(("glob:", "len:")):
            _looked_up(findings, ("probes", name), probe)


def _check_errors(findings: Findings, profile: Profile, tables: Mapping[str, Any]) -> None:
    for kind, references in profile.errors.items():
        listed = isinstance(_table(tables, "errors").get(kind), (list, tuple))
        for index, reference in enumerate(references):
            where: KeyPath = ("errors", kind, index) if listed else ("errors", kind)
            written = _table(tables, "errors").get(kind)
            if isinstance(written[index] if listed and written is not None else written, type):
                continue  # Given as a class: there is nothing to import.
            try:
                if error_class(reference) is None:
                    findings.warn(where, f"{reference!r} cannot be imported: errors are matched by that name")
            except ImportFault as error:
                findings.at_value(where, str(error))
