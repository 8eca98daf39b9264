"""What a condition in Python needs beside the contract: it fills in what may be left out, turns settings into plain values, and
makes an exception an answer with its message. It comes from `giftcard`; it is not yours to change."""

import sys
from typing import Callable, Mapping, Optional, Sequence, Union

from componentize_py_types import Err
from wit_world import exports
from wit_world.exports.condition import (
    Evaluation,
    Request,
    SharedLimit,
    Verdict,
    Verdict_Accept,
    Verdict_AcceptUpTo,
    Verdict_Reject,
)
from wit_world.exports.plugin import Choice, Description, Problem, RejectCode, Setting
from wit_world.imports import log
from wit_world.imports.types import (
    Failure,
    Money,
    Named,
    Reject,
    Step,
    Value,
    Value_Flag,
    Value_Integer,
    Value_Money,
    Value_Text,
    Value_Texts,
)

# A setting's value, or an argument of a message. Numbers are whole: minor units, thousandths, basis points.
Plain = Union[bool, int, str, list[str], Money]
# Notes what was checked: the check, whether it passed, what was seen, what was needed, the place of a card.
Trace = Callable[..., None]
Answer = Union[Sequence[Verdict], tuple[Sequence[Verdict], Sequence[SharedLimit]]]

NUMBER_MAX = 2**53 - 1


class CannotDecide(Exception):
    """Raised where the condition cannot decide at all; its cards are then treated as their binding says."""

    def __init__(self, code: str, message: str):
        super().__init__(message)
        self.code = code


def setting(
    name: str,
    kind: str,
    label: str,
    help: str,
    *,
    required: bool = False,
    default: Optional[Plain] = None,
    minimum: Optional[int] = None,
    maximum: Optional[int] = None,
    choices: Sequence[Union[str, Choice]] = (),
    items_max: Optional[int] = None,
) -> Setting:
    """A setting of one of the contract's kinds: "flag", "integer", "money", "text", "choice", "texts", "choices" and so on."""
    listed = [Choice(choice, choice) if isinstance(choice, str) else choice for choice in choices]
    given = None if default is None else _value(name, default)
    return Setting(name, label, help, kind, required, given, minimum, maximum, listed, items_max)


def accept() -> Verdict:
    """The card may pay for all of the order."""
    return Verdict_Accept()


def accept_up_to(amount: int) -> Verdict:
    """At most this much of the order, in minor units of its currency."""
    return Verdict_AcceptUpTo(_whole("an amount", amount))


def reject(code: str, message: str, **values: Plain) -> Verdict:
    """The card may not pay. `{name}` in the message stands for the argument of that name."""
    return Verdict_Reject(Reject(code, message, [Named(name, _value(name, value)) for name, value in values.items()]))


def every_card(request: Request, verdict: Verdict) -> list[Verdict]:
    """The same verdict for every card."""
    return [verdict for _ in request.cards]


def export(
    *,
    id: str,
    version: str,
    title: str,
    summary: str,
    evaluate: Callable[[Request, dict[str, Plain], Trace], Answer],
    settings: Sequence[Setting] = (),
    reject_codes: Optional[Mapping[str, str]] = None,
    needs: Sequence[str] = (),
    shares_limits: bool = False,
    check_settings: Optional[Callable[[dict[str, Plain]], Sequence[Problem]]] = None,
    needs_of: Optional[Callable[[dict[str, Plain]], Sequence[str]]] = None,
) -> tuple[type[exports.Plugin], type[exports.Condition]]:
    """What the host asks: `Plugin, Condition = export(...)`. `evaluate(request, settings, trace)` answers with one verdict for
    each card, or with those and the limits that several cards share. `needs` names the parts of the order to be sent, and
    `needs_of` which of them with what settings: all of them if left out."""
    codes = [RejectCode(code, message) for code, message in (reject_codes or {}).items()]
    description = Description(
        id, version, title, summary, list(settings), codes, list(needs), shares_limits
    )

    class Plugin(exports.Plugin):
        def describe(self) -> Description:
            return description

        def check_settings(self, settings: list[Named]) -> None:
            problems: Sequence[Problem] = ()
            if check_settings is not None:
                try:
                    problems = check_settings(_plain(settings))
                except Exception as error:
                    problems = [Problem("", _place(error))]
            if problems:
                raise Err(list(problems))

    class Condition(exports.Condition):
        def needs_of(self, settings: list[Named]) -> list[str]:
            if needs_of is None:
                return description.needs
            try:
                needs = needs_of(_plain(settings))
                if isinstance(needs, str):
                    raise CannotDecide("no-needs", "`needs_of` returns a text and no list")
                return list(needs)
            except Exception as error:
                raise Err([Problem("", _place(error))]) from None

        def evaluate(self, request: Request, settings: list[Named], explain: bool) -> Evaluation:
            steps: list[Step] = []

            def trace(check: str, passed: bool, seen: object, needed: object, card: Optional[int] = None) -> None:
                if explain:
                    steps.append(Step(card, check, passed, str(seen), str(needed)))

            try:
                answer = evaluate(request, _plain(settings), trace)
                verdicts, limits = answer if isinstance(answer, tuple) else (answer, ())
                for verdict in verdicts:
                    _check(verdict)
                for limit in limits:
                    _whole("a limit", limit.limit)
                return Evaluation(list(verdicts), list(limits), steps)
            except CannotDecide as error:
                raise Err(Failure(error.code, str(error))) from None
            except Exception as error:
                raise Err(Failure("exception", _place(error))) from None

    return Plugin, Condition


def _place(error: BaseException) -> str:
    """The error, and the line where it was raised."""
    trace, line = error.__traceback__, ""
    while trace is not None:
        code = trace.tb_frame.f_code
        line = f" at {code.co_name} ({code.co_filename.rsplit('/', 1)[-1]}:{trace.tb_lineno})"
        trace = trace.tb_next
    return f"{type(error).__name__}: {error}{line}"


def _check(verdict: object) -> None:
    """Of what is no verdict the host would see a trap without a word."""
    if isinstance(verdict, Verdict_AcceptUpTo):
        _whole("an amount", verdict.value)
    elif not isinstance(verdict, (Verdict_Accept, Verdict_Reject)):
        message = f"{verdict!r} is no verdict; use accept(), accept_up_to(...) or reject(...)"
        raise CannotDecide("no-verdict", message)


def _plain(settings: list[Named]) -> dict[str, Plain]:
    return {setting.name: setting.value.value for setting in settings}


def _value(name: str, given: Plain) -> Value:
    if isinstance(given, bool):
        return Value_Flag(given)
    if isinstance(given, int):
        return Value_Integer(_whole(f"`{name}`", given))
    if isinstance(given, str):
        return Value_Text(given)
    if isinstance(given, Money):
        return Value_Money(given)
    return Value_Texts(list(given))


def _whole(what: str, number: int) -> int:
    if isinstance(number, int) and abs(number) <= NUMBER_MAX:
        return number
    raise CannotDecide("not-whole", f"{what} is {number}; it must be a whole number within 2^53 - 1")


class _Log:
    """What is printed is shown by `giftcard plugin run`, and is no part of an answer."""

    def __init__(self, level: log.Level):
        self.level = level
        self.line = ""

    def write(self, text: str) -> int:
        *lines, self.line = (self.line + text).split("\n")
        for line in lines:
            log.write(self.level, line)
        return len(text)

    def flush(self) -> None:
        pass


sys.stdout, sys.stderr = _Log(log.Level.INFO), _Log(log.Level.WARN)  # type: ignore[assignment]
