"""Checks of what a tool does when it is called as a function."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from pydantic import ValidationError

from mcp_server.schemas import schema_of
from smartgrid.testing.case import Called, Case, call
from smartgrid.testing.witnesses import watched_files
from tools.errors import ToolInputError
from tools.json_schema import mismatch

NO_SITE: Final = "no-such-site"
_LIVE: Final = {"latest", "latest_forecast"}
_TELLS_AGE: Final = re.compile(r"(^|_)(age|stale)(_|$)")


def example_is_answered(case: Case) -> Iterator[str]:
    """The example has an answer, which survives the way to a client and back."""
    try:
        called = call(case, case.fresh, case.example)
    except ValidationError as error:
        yield f"example={dict(case.example)!r} is refused by the input model: {error}; give one that it takes"
        return
    answer = called.result.answer
    if called.problem or called.result.error:
        yield called.problem or f"example={dict(case.example)!r} has no answer: {called.result.error}"
    elif type(answer) is not case.tool.output_model:
        yield f"it answered with a {type(answer).__name__}; return a {case.tool.output_model.__name__}"
    else:
        yield from _lost_on_the_way(case, answer)


def _lost_on_the_way(case: Case, answer: Any) -> Iterator[str]:
    sent = answer.model_dump(mode="json", by_alias=True)
    wrong = mismatch(schema_of(case.tool.output_model, "serialization"), sent)
    if wrong is not None:
        yield f"its answer does not fit its own output schema: {wrong}"
        return
    try:
        received = case.tool.output_model.model_validate(sent)
    except ValidationError as error:
        yield f"its own output model does not take its answer back: {error}"
        return
    if received != answer:
        yield f"its answer {answer!r} comes back as {received!r}; use types that JSON can carry"


def made_up_arguments_are_answered_or_refused(case: Case) -> Iterator[str]:
    """Whatever the schema lets in has an answer, or an error that says what to do."""
    from hypothesis import HealthCheck, given, settings  # noqa: PLC0415  the `testing` extra

    from smartgrid.testing.arguments import arguments_for  # noqa: PLC0415

    @settings(
        max_examples=case.examples,
        deadline=None,
        database=None,
        derandomize=True,
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
    )
    @given(arguments_for(case.tool.input_model.model_json_schema(), case.example))
    def ask(arguments: dict[str, Any]) -> None:
        try:
            called = call(case, case.fresh, arguments)
        except ValidationError:
            return
        if called.problem:
            raise _ProblemError(called.problem)

    try:
        ask()
    except _ProblemError as problem:
        yield str(problem)


class _ProblemError(Exception):
    """Found with made-up arguments."""


def unknown_sites_are_named(case: Case) -> Iterator[str]:
    """A site that does not exist is a mistake of the caller's, who learns which ones do."""
    for field in case.tool.input_model.model_fields:
        if field != "site" and not field.endswith("_site"):
            continue
        error = call(case, case.fresh, {**case.example, field: NO_SITE}).result.error
        known = [name for name in case.fresh.area.sites if name in str(error)]
        if not isinstance(error, ToolInputError) or NO_SITE not in str(error) or not known:
            yield f"{field}={NO_SITE!r} gave {error!r}; look sites up by context.site(name)"


def old_data_does_not_look_live(case: Case) -> Iterator[str]:
    """Where nothing was measured, or nothing for hours, it says so: by an error or in its answer."""
    for grid in (case.empty, case.stale):
        called = call(case, grid, case.example)
        if called.problem:
            yield called.problem
    if called.result.error is None and called.asked & _LIVE and not _tells_age(case):
        yield (
            "it answers from telemetry or a forecast that is six hours old, and nothing in its answer tells;"
            " raise ToolUnavailableError (is_stale helps), or answer with the time of what it rests on"
        )


def _tells_age(case: Case) -> bool:
    return _any_moment(case.tool.output_model.model_json_schema(mode="serialization"))


def _any_moment(schema: object) -> bool:
    if isinstance(schema, list):
        return any(map(_any_moment, schema))
    if not isinstance(schema, Mapping):
        return False
    named = any(_TELLS_AGE.search(name) for name in schema.get("properties", {}))
    return named or schema.get("format") == "date-time" or any(map(_any_moment, schema.values()))


def a_broken_store_is_no_answer(case: Case) -> Iterator[str]:
    """A store that cannot be read is told to the caller, not taken for an empty one."""
    called = call(case, case.fresh, case.example, broken_store=True)
    if called.problem:
        yield called.problem
    elif called.asked and called.result.error is None:
        yield "it answered although the store could not be read; let that error through"


def reading_changes_nothing(case: Case) -> Iterator[str]:
    """A tool that declares that it reads proposes nothing and writes nothing."""
    if case.tool.effect != "read":
        return
    with watched_files(case.fresh) as written:
        called = call(case, case.fresh, case.example)
    if called.proposed or called.halts:
        yield "it declares effect='read' and acts; declare effect='act' with SCOPE_DISPATCH"
    for name in written:
        yield f"it declares effect='read' and something was written to {name} while it ran"


def proposals_follow_from_the_arguments(case: Case) -> Iterator[str]:
    """A tool that acts does so once a call, by its arguments alone: they are what a person approves."""
    if case.tool.effect != "act":
        return
    keyed = {"idempotency_key": "a key"} if "idempotency_key" in case.tool.input_model.model_fields else {}
    first, later = (call(case, grid, {**case.example, **keyed}) for grid in (case.fresh, case.later))
    deeds = len(first.proposed) + len(first.halts)
    if deeds != 1:
        yield f"it declares effect='act' and acted {deeds} times in a call; propose once, or declare 'read'"
    if first.proposed and (not keyed or first.proposed[0]["idempotency_key"] != "a key"):
        yield (
            "a repeated call would act again; take idempotency_key: str | None in its input,"
            " and hand it to context.propose"
        )
    if _wishes(first) != _wishes(later):
        yield (
            f"the same arguments proposed {_wishes(first)} and half an hour later {_wishes(later)};"
            " let a person approve what is done: take power and duration as arguments"
        )


def _wishes(called: Called) -> list[tuple[str, float, float]]:
    return [(wish["asset"], wish["power_kw"], wish["duration_s"]) for wish in called.proposed]
