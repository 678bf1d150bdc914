"""Exercises: a decorated function is the right answer, the printed solution and the name.

    @lesson.exercise(given=three_bodies)
    def body_md5(body: bytes) -> str:
        \"\"\"Return the body hash of a body: 32 hex digits.\"\"\"
        return hashlib.md5(body).hexdigest()

    body_md5.hint("A hash object has two methods that return the hash.")
    body_md5.wrong("These are the 16 raw bytes.", lambda body: hashlib.md5(body).digest())
    body_md5.why("MD5 gives 16 bytes; hexdigest() writes each as two digits.")
    body_md5.next("Write it in one line, and check it again.")

In the notebook, `lesson.body_md5.check(body_md5)` shows one of four outcomes and never raises. A
wrong answer is recognised by what it does: it behaves as one of the prepared ones, or a judge
raises Wrong.
"""

from __future__ import annotations

import contextlib
import dis
import inspect
import random
import re
import reprlib
import types
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Any, Protocol

from pusherkit.lessons.kit import keeper
from pusherkit.lessons.kit.classroom import MAX_CODE, Classroom, joined
from pusherkit.lessons.kit.guard import Printed, Stopped, guarded
from pusherkit.lessons.kit.progress import PROGRESS
from pusherkit.lessons.kit.source import cell_of, raised_by, solution_of
from pusherkit.lessons.kit.stage import Event, Live
from pusherkit.lessons.kit.view import Action, Fact, View, first_difference

Given = Callable[[random.Random], Iterable[tuple[Any, ...]]]
DID_BEFORE = "It still does what it did before."
MAX_WRONG = 5  # prepared wrong answers; each one seen in the wild


class _Repr(reprlib.Repr):
    def repr_dict(self, x: dict[Any, Any], level: int) -> str:
        """In the dict's own order, which is what some exercises are about; reprlib sorts."""
        pairs = list(x.items())[: self.maxdict]
        shown = [f"{self.repr1(k, level - 1)}: {self.repr1(v, level - 1)}" for k, v in pairs]
        return "{" + ", ".join(shown + ["…"] * (len(x) > len(pairs))) + "}"

    def repr_instance(self, x: Any, level: int) -> str:
        """Without the address in memory, which says nothing, and differs each time."""
        if getattr(type(x), "__repr__", None) is object.__repr__:
            return f"<{type(x).__name__}>"
        if isinstance(x, types.FunctionType):
            return f"<function {x.__name__}>"
        return super().repr_instance(x, level)


def _repr(longest: int) -> _Repr:
    made = _Repr()
    made.maxstring = made.maxother = made.maxlong = longest
    made.maxlist = made.maxtuple = made.maxdict = made.maxset = 12
    made.maxlevel = 4
    return made


SHOWN_CHARACTERS = 400  # of a value, and half as many of a text in it
CALL_CHARACTERS = 1_200  # of one argument: what broke the code may be anywhere in it
_reprs = {most: _repr(most // 2) for most in (SHOWN_CHARACTERS, CALL_CHARACTERS)}


def shown(value: Any, most: int = SHOWN_CHARACTERS) -> str:
    """A value as Python writes it, cut where it is long, whatever its own repr does."""
    try:
        text = _reprs[most].repr(value)
    except Exception:  # a container of the learner's own making
        text = f"<{type(value).__name__}>"
    return text if len(text) <= most else f"{text[:most]}…"


_NOTHING = object()  # not None: that is what a function returns that forgot its return


class Outcome(Enum):
    """What a check can find."""

    OPEN = "Your turn"
    WRONG = "Not yet"
    ERROR = "Your code stopped"
    PASSED = "Right"


class Wrong(Exception):
    """Raised by a judge: a sentence about what is wrong, and the Facts that show it.

    `yours` is what the learner's code returned; it's the first of the Facts.
    """

    def __init__(self, message: str, *facts: Fact, yours: Any = _NOTHING) -> None:
        super().__init__(message)
        self.message = message
        self.facts = facts if yours is _NOTHING else (Fact("Yours", shown(yours)), *facts)


class Home(Protocol):
    """The lesson that an exercise belongs to."""

    name: str

    def done(self) -> tuple[int, int]:
        """How many of its exercises are passed, and how many there are."""

    def is_done(self) -> bool:
        """Whether all of them are passed."""


@dataclass(frozen=True, slots=True)
class WrongAnswer:
    """A prepared wrong answer, and what to say to somebody who gives it."""

    message: str
    answer: Any


NAME_WORDS = 8  # of a message that names its mistake
STOPPED = "stopped"  # the name of every answer whose code didn't come to its end
OTHER = "other"  # and of every wrong one that the exercise has no sentence of its own for
RETURNED_NONE = (
    "Your function returned None here. Did you forget a `return`? Or do you return what "
    "`append()` or `sort()` gives? That's None, too."
)

UNREADABLE = (
    "The check can't make sense of this answer, so something in it isn't of the kind that's asked "
    "for. Compare it with the task, piece by piece."
)


def name_of(message: str) -> str:
    """The first words of a message, as a name."""
    words = re.findall(r"[a-z0-9_]++", message.lower().replace("'", ""))
    return "-".join(words[:NAME_WORDS])


@dataclass(frozen=True, slots=True)
class Mistake:
    """A sentence that an exercise has for a wrong answer, in its fixed parts."""

    parts: tuple[str, ...]

    @property
    def message(self) -> str:
        """The sentence, with … for each value that only the answer decides."""
        return re.sub(r"…(?: ?…)++", "…", "…".join(self.parts))

    @property
    def name(self) -> str:
        """What it is counted under."""
        return name_of(self.message)

    def fits(self, message: str) -> bool:
        """Whether a message is this sentence, whatever its values are."""
        first, *rest = self.parts
        if not rest:
            return message == first
        if not message.startswith(first):
            return False
        at = len(first)
        for part in rest[:-1]:
            if (found := message.find(part, at)) < 0:
                return False
            at = found + len(part)
        return message[at:].endswith(rest[-1])


_NONE = Mistake((RETURNED_NONE,))


class Exercise:
    """One task with its checks. Made by `@lesson.exercise` or `@lesson.value`."""

    def __init__(
        self,
        solve: Callable[..., Any],
        home: Home,
        *,
        given: Given | None,
        keep: bool = False,
        covers_lesson: bool = False,
        optional: bool = False,
    ) -> None:
        self.solve = solve
        self.home = home
        self.keep = keep
        self.covers_lesson = covers_lesson
        """Passing it counts for every exercise of the lesson."""
        self.optional = optional
        """A lesson is finished without it."""
        self.function = solve.__name__
        self.name = f"{solve.__module__.rsplit('.')[-1]}.{solve.__name__}"
        self.task = inspect.cleandoc(solve.__doc__ or "").replace("\n", " ")
        self.is_value = given is None
        self.wrongs: list[WrongAnswer] = []
        self.hints: list[str] = []
        self.hints_open = 0
        """How many the learner has asked for; they stay open when the cell runs again."""
        self.reason = ""
        self.challenge = ""
        self._given: Given = given or (lambda chance: [()])
        self._judge: Callable[..., None] | None = None
        self._observe: Callable[..., Any] = lambda result, *arguments: result
        self._broken: WrongAnswer | None = None
        self._evidence: Callable[[Any], tuple[Fact, ...]] = lambda done: ()
        self._checks = 0

    # --- declaring one --------------------------------------------------------------------------

    def hint(self, text: str) -> None:
        """Add a hint; they are shown one by one."""
        self.hints.append(text)

    def wrong(self, message: str, answer: Any) -> None:
        """Add a wrong answer that people give: a function, or a value where a value is asked."""
        self.wrongs.append(WrongAnswer(message, answer))

    def broken(
        self,
        message: str,
        function: Callable[..., Any],
        *,
        facts: Callable[[Any], tuple[Fact, ...]] = lambda done: (),
    ) -> None:
        """Name the broken function that the notebook shows to be fixed, and what it does wrong.

        It is where the learner begins, so as it is it counts as not attempted. `facts` makes, of
        what it did the first time, what the card shows then.
        """
        self._broken = WrongAnswer(message, function)
        self._evidence = facts

    def why(self, text: str) -> None:
        """Say why the solution works. Shown on success and with the solution."""
        self.reason = text

    def next(self, text: str) -> None:
        """Say what to try now. Shown on success and with the solution."""
        self.challenge = text

    def judge(self, function: Callable[..., None]) -> Callable[..., None]:
        """A decorator: judge one instance, `(result, *arguments)`, in place of comparing.

        Raises Wrong. `arguments` are those that the answer was called with, as it left them.
        """
        self._judge = function
        return function

    def observe(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """A decorator: what an answer did, `(result, *arguments)`, where that isn't its result.

        What it returns is compared with what a prepared wrong answer did, and judged.
        """
        self._observe = function
        return function

    # --- building on it -------------------------------------------------------------------------

    def __call__(self, *arguments: Any) -> Any:
        """What the right answer returns: so a later solution of the lesson can call this one."""
        return self.solve(*arguments)

    def working(self, answer: Any) -> Any:
        """The answer if it passes, else the lesson's own, for a cell that builds on either."""
        try:
            outcome, _, _ = self._examine(answer, Printed())
        except Stopped:
            return self.solve
        return answer if outcome is Outcome.PASSED else self.solve

    # --- checking -------------------------------------------------------------------------------

    def check(self, answer: Any) -> Feedback:
        """Say what an answer amounts to. Never raises, whatever the answer does."""
        self._checks += 1
        if (room := joined()) is not None:
            room.at(self.home.name)
        printed = Printed()
        try:
            outcome, message, facts = self._examine(answer, printed)
        except Stopped as stopped:
            where = (Fact(stopped.where, stopped.line),) if stopped.where else ()
            called = _call(self._instances()[stopped.calls])
            outcome, message, facts = Outcome.ERROR, str(stopped), (*where, *called)
        if printed.text:
            more = "Only the beginning is shown." if printed.dropped else ""
            facts += (Fact("It printed", printed.text.rstrip("\n"), more),)
        if outcome is not Outcome.PASSED:
            tried = outcome is not Outcome.OPEN
            if tried:
                PROGRESS.failed(self.name, self._mistake(outcome, message))
            cell = cell_of(answer) if tried and room is not None else ""
            return Feedback(self, outcome, message, facts, cell=cell)
        was_done = self.home.is_done()
        PROGRESS.passed(self.name)
        if room is not None:
            room.take_back(self.name)
        finished = self.home.is_done() and not was_done
        if self.keep:
            kept = keeper.keep(answer)
            facts += (Fact("Your file", kept.sentence, kind="prose"),)
            if kept.paste:
                facts += (Fact("Paste this", kept.paste, kind="code"),)
        return Feedback(self, outcome, message, facts, finished=finished)

    def mistakes(self) -> list[Mistake]:
        """Every wrong answer that it has a sentence of its own for: prepared, broken, judged."""
        known = [each.message for each in self.wrongs]
        if self._broken is not None:
            known.append(f"{DID_BEFORE} {self._broken.message}")
        judged = raised_by(self._judge, Wrong.__name__) if self._judge is not None else ()
        return [Mistake(each) for each in dict.fromkeys([*((m,) for m in known), *judged])]

    def sentences(self) -> dict[str, str]:
        """The sentence behind each name that a wrong answer can be counted under."""
        return {each.name: each.message for each in (*self.mistakes(), _NONE)} | {
            STOPPED: "The code stopped with an error, or didn't end.",
            OTHER: "Another wrong answer.",
        }

    def _mistake(self, outcome: Outcome, message: str) -> str:
        """The name to count a wrong answer under. Nothing that the learner wrote is in it."""
        if outcome is Outcome.ERROR:
            return STOPPED
        return next((m.name for m in (*self.mistakes(), _NONE) if m.fits(message)), OTHER)

    def _examine(self, answer: Any, printed: Printed) -> tuple[Outcome, str, tuple[Fact, ...]]:
        if answer is ...:
            return Outcome.OPEN, self.task, ()
        if not self.is_value and not callable(answer):
            return (
                Outcome.WRONG,
                f"The check needs your function itself, and got {_a(answer)}. Pass its name, "
                f"{self.function}, without brackets.",
                (),
            )
        try:
            return self._found(answer, self._do(answer, printed))
        except Wrong as wrong:
            return Outcome.WRONG, wrong.message, wrong.facts

    def _found(
        self, answer: Any, done: list[tuple[Any, tuple[Any, ...]]]
    ) -> tuple[Outcome, str, tuple[Fact, ...]]:
        """What the results amount to. Raises Wrong."""
        results = [each for each, _ in done]
        if any(each is ... for each in results):
            return Outcome.OPEN, self.task, ()
        if self._broken is not None and _same(results, self._results(self._broken.answer)):
            if _code_of(answer) == _code_of(self._broken.answer):
                return Outcome.OPEN, self._broken.message, self._evidence(results[0])
            return Outcome.WRONG, f"{DID_BEFORE} {self._broken.message}", ()
        self._judge_all(done)
        return Outcome.PASSED, self.reason, ()

    def _judge_all(self, done: list[tuple[Any, tuple[Any, ...]]]) -> None:
        """Raise Wrong for the first thing that isn't right."""
        results = [each for each, _ in done]
        _refuse_async(results)
        for prepared in self.wrongs:
            if _same(results, self._results(prepared.answer)):
                raise Wrong(prepared.message)
        right = self._results(self.solve() if self.is_value else self.solve)
        if self.is_value and (message := _no_value(self.function, results[0], right[0])):
            raise Wrong(message)
        for result, called in zip(results, self._instances(), strict=True):
            if message := _no_result(result):
                raise Wrong(message, *_call(called))
        for (result, arguments), expected, called in zip(
            done, right, self._instances(), strict=True
        ):
            with _readable(result, called):
                if self._judge is not None:
                    self._judge(result, *arguments)
                elif not _same(result, expected):
                    raise difference(expected, result, called)

    def _instances(self) -> list[tuple[Any, ...]]:
        """The arguments of this check, made new each time they are asked for."""
        chance = random.Random(f"{self.name} {self._checks}")  # noqa: S311 - no secret
        return list(self._given(chance))

    def _do(self, answer: Any, printed: Printed | None = None) -> list[tuple[Any, tuple[Any, ...]]]:
        """What an answer does with each instance: (what was observed, the arguments after)."""
        if self.is_value:
            return [(answer, ())]
        instances = self._instances()
        if printed is None:
            results = [answer(*arguments) for arguments in instances]
        else:
            results = []
            try:
                with guarded(answer, printed):
                    for arguments in instances:
                        results.append(answer(*arguments))
            except Stopped as stopped:
                stopped.calls = len(results)
                raise
        done = []
        for result, arguments in zip(results, instances, strict=True):
            with _readable(result, ()):
                seen = self._observe(result, *arguments) if result is not ... else ...
            done.append((seen, arguments))
        return done

    def _results(self, answer: Any) -> list[Any]:
        return [each for each, _ in self._do(answer)]

    # --- the solution ---------------------------------------------------------------------------

    def solution(self) -> str:
        """The right answer as code to paste: the function, or for a value an assignment."""
        return solution_of(self.solve, as_value=self.is_value)

    def __repr__(self) -> str:
        return f"Exercise {self.name}: {self.task}"


# --- what is wrong ------------------------------------------------------------------------------


def difference(expected: Any, received: Any, called: tuple[Any, ...] = ()) -> Wrong:
    """How a result differs from the expected one, without giving the expected one away."""
    facts = (*_call(called), Fact("Yours", shown(received)))
    if type(received) is not type(expected):
        return Wrong(f"This should be {_a(expected)}, and yours is {_a(received)}.", *facts)
    if isinstance(expected, tuple) and len(expected) == len(received):
        parts = zip(expected, received, strict=True)
        wrong = [number for number, (a, b) in enumerate(parts, start=1) if not _same(a, b)]
        inner = difference(expected[wrong[0] - 1], received[wrong[0] - 1])
        return Wrong(f"Part {wrong[0]} isn't right yet. {inner.message}", *facts)
    if isinstance(expected, dict):
        wrong_names = [shown(k) for k in expected if not _same(expected[k], received.get(k, ...))]
        wrong_names += [shown(k) for k in received if k not in expected]
        return Wrong(f"Look again at: {', '.join(wrong_names)}.", *facts)
    if isinstance(expected, str | bytes):
        return Wrong(_text_difference(expected, received), *facts)
    return Wrong("Right type, but another value than expected.", *facts)


@contextlib.contextmanager
def _readable(result: Any, called: tuple[Any, ...]) -> Iterator[None]:
    """Whatever a judge stumbles over in a result becomes a Wrong."""
    try:
        yield
    except Wrong:
        raise
    except Exception as error:  # a judge reads what a learner made: there's always one more kind
        raise Wrong(UNREADABLE, *_call(called), yours=result) from error


def _call(arguments: tuple[Any, ...]) -> tuple[Fact, ...]:
    # Every secret in a check is published or made up for it, so it may be read like the rest.
    written = ", ".join(shown(each, CALL_CHARACTERS) for each in arguments)
    return (Fact("Called with", written),) if arguments else ()


def _text_difference(expected: Any, received: Any) -> str:
    if _is_hash(expected) and _is_hash(received):
        if len(expected) != len(received):
            return f"This hash has {len(received)} hex digits; it should have {len(expected)}."
        return "This looks like the right kind of hash, but of other bytes."
    at = first_difference(expected, received)
    unit = "character" if isinstance(expected, str) else "byte"
    if expected.lower() == received.lower():
        return "Nearly: mind upper and lower case."
    if at == 0:
        return f"It differs from the very first {unit} on."
    right = f"The first {unit} is right" if at == 1 else f"The first {at} {unit}s are right"
    if at == len(expected):
        return f"{right}. Then yours goes on, and it should end."
    if at == len(received):
        return f"{right}. Then yours ends too early."
    return f"{right}. The next one isn't."


def _is_hash(text: Any) -> bool:
    return isinstance(text, str) and re.fullmatch(r"[0-9a-f]{32,128}", text) is not None


def _refuse_async(results: list[Any]) -> None:
    coroutines = [each for each in results if isinstance(each, types.CoroutineType)]
    for each in coroutines:
        each.close()
    if coroutines:
        raise Wrong("Your function is `async`, so calling it does nothing yet. Use plain `def`.")


def _no_result(result: Any) -> str:
    """A sentence where a function returned what no exercise asks for."""
    if result is None:
        return RETURNED_NONE
    if not isinstance(result, types.GeneratorType):
        return ""
    if result.gi_code.co_name == "<genexpr>":
        return (
            "Your function returned a generator: that's what `(… for … in …)` makes. Square "
            "brackets make a list of it, and `join()` makes text."
        )
    return "Your function returned a generator, because it has a `yield`. Use `return`."


def _no_value(name: str, value: Any, expected: Any) -> str:
    """A sentence where a value isn't of the kind that was asked for."""
    if value is None:
        return f"`{name}` is None, so there's no answer in it yet."
    if callable(value) or isinstance(value, types.GeneratorType):
        return f"What's asked for here is a value: {_a(expected)}. Yours is {_a(value)}."
    letter = isinstance(expected, str) and len(expected) == 1
    if letter and isinstance(value, str) and not (len(value) == 1 and value.isupper()):
        return 'The answer is one of the capital letters, such as `"A"`.'
    return "It isn't that one." if letter and isinstance(value, str) and value != expected else ""


def _code_of(function: Any) -> Any:
    """A function's names, constants and operators in order, to see whether somebody changed it.

    Not its byte code as it is: that depends on how a name came into the module.
    """
    code = function if isinstance(function, types.CodeType) else getattr(function, "__code__", None)
    if code is None:
        return function
    said: list[Any] = []
    for step in dis.get_instructions(code):
        if step.opcode in _TELLING:
            pair = isinstance(step.argval, tuple) and step.opcode in dis.haslocal
            said += step.argval if pair else [step.argval]
    return [_code_of(each) if isinstance(each, types.CodeType) else each for each in said]


_TELLING = {dis.opmap["BINARY_OP"]}.union(
    dis.hasname, dis.hasconst, dis.haslocal, dis.hasfree, dis.hascompare
)


_NAMES = {"str": "text (str)", "bytes": "bytes", "int": "a whole number", "NoneType": "None"}


def _a(value: Any) -> str:
    name = type(value).__name__
    return _NAMES.get(name) or f"a{'n' if name[0] in 'aeiou' else ''} {name}"


def _same(one: Any, other: Any) -> bool:
    try:
        return type(one) is type(other) and bool(one == other) and _types(one) == _types(other)
    except Exception:  # a comparison of the learner's own making
        return False


def _types(value: Any) -> Any:
    """The types inside a list or tuple, so that [True] is not [1]."""
    return [_types(each) for each in value] if isinstance(value, list | tuple) else type(value)


# --- what the learner sees ----------------------------------------------------------------------


class Feedback(Live):
    """What a check found, as a card with a hint and the solution a press away."""

    def __init__(
        self,
        exercise: Exercise,
        outcome: Outcome,
        message: str,
        facts: tuple[Fact, ...],
        *,
        finished: bool = False,
        cell: str = "",
    ) -> None:
        self.exercise, self.outcome, self.message, self.facts = exercise, outcome, message, facts
        self._finished = finished  # the lesson, with this very answer
        self._solution = False
        self._room = joined()
        self._cell = self._room.fit(cell) if self._room else ""  # what a call for help has with it
        self._asking = False
        self._warning = self._room.told_once() if self._room else ""
        super().__init__(self.now(), hint="")
        if self._room is not None:
            self._room.watch(exercise.name, self)

    def hear(self, event: Event) -> None:
        if event.id == "hint":
            self.exercise.hints_open = min(self.exercise.hints_open + 1, len(self.exercise.hints))
        elif event.id == "solution":
            self._solution = not self._solution
        elif self._room is not None:
            self._ask_for_help(self._room, event.id)
        self.show(self.now())

    def _ask_for_help(self, room: Classroom, pressed: str) -> None:
        self._asking = pressed == "help"
        if pressed == "help-send":
            room.ask(self.exercise.name, self._cell)
        elif pressed == "help-over":
            room.take_back(self.exercise.name)

    def now(self) -> View:
        exercise, outcome = self.exercise, self.outcome
        good = {Outcome.PASSED: True, Outcome.OPEN: None}.get(outcome, False)
        facts = list(self.facts)
        if outcome is Outcome.PASSED:
            facts.append(Fact("Next", exercise.challenge, kind="prose"))
        else:
            facts += [
                Fact(f"Hint {number}", hint, kind="prose")
                for number, hint in enumerate(exercise.hints[: exercise.hints_open], start=1)
            ]
        if self._solution:
            facts.append(Fact("One solution", exercise.solution(), kind="code"))
            if outcome is not Outcome.PASSED:
                facts.append(Fact("Why", exercise.reason, kind="prose"))
        status = self.message
        if outcome is Outcome.OPEN and self.message == exercise.task:
            status = f"{self.message} Replace the three dots, then run the cell."
        return View(
            outcome.value,
            tuple(facts),
            status=status,
            good=good,
            actions=self._actions(),
            below=self._help(),
            note=" ".join(filter(None, (self._standing(), self._warning))),
        )

    def _actions(self) -> tuple[Action, ...]:
        left = len(self.exercise.hints) - self.exercise.hints_open
        label = "Another hint" if self.exercise.hints_open else "Hint"
        hint = (Action("hint", label),) if left and self.outcome is not Outcome.PASSED else ()
        wording = "Hide the solution" if self._solution else "Show a solution"
        ask = self._cell and not self._asking and self._called() in ("", "closed")
        help_ = (Action("help", "Ask for help"),) if ask else ()
        return (*hint, Action("solution", wording), *help_)

    def _called(self) -> str:
        """The state of a call for help with this exercise."""
        return self._room.help(self.exercise.name) if self._room is not None else ""

    def _help(self) -> tuple[View, ...]:
        """In a class, once somebody has asked for help: what the trainer gets, or has."""
        if self._asking:
            most = f" It's long, so they get the first {MAX_CODE:,} characters."
            return (
                View(
                    "Ask for help",
                    (Fact("This cell", self._cell, kind="code"),),
                    "This is what your trainer gets: your name, the exercise, and this cell."
                    + (most if len(self._cell) == MAX_CODE else ""),
                    actions=(
                        Action("help-not", "Don't send it"),
                        Action("help-send", "Send it", primary=True),
                    ),
                ),
            )
        room, name = self._room, self.exercise.name
        if room is None or not (called := self._called()):
            return ()
        if called == "closed":
            said = "Your call is closed. If nobody has come, ask again."
            return (View("Ask for help", status=said),)
        if called == "there":
            said = "Your trainer can see it. Carry on in the meantime."
        else:
            said = (
                f"Not sent yet. {room.problem}" if room.problem else "On its way to your trainer."
            )
        sent = room.sent(name)
        return (
            View(
                "Ask for help",
                status=said,
                good=True if called == "there" else None,
                details=(Fact("The cell", sent, kind="code"),) if sent else (),
                fold="What you sent",
                actions=(Action("help-over", "Take it back"),),
            ),
        )

    def _standing(self) -> str:
        if self.outcome is not Outcome.PASSED:
            return ""
        done, all_of_them = self.exercise.home.done()
        dots = "●" * done + "○" * (all_of_them - done)
        if self._finished:
            return f"{dots} That was the last one: you've finished this lesson. Well done!"
        return f"{dots} {done} of {all_of_them} in this lesson."
