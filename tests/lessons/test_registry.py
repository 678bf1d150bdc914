"""Every lesson on the kit, held to the same promises: nothing here names a lesson."""

from __future__ import annotations

import ast
import collections
import html
import importlib
import io
import re
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import nbformat
import pytest

from pusherkit.lessons.kit import Event, Live, Outcome
from pusherkit.lessons.kit.exercise import MAX_WRONG, Exercise, WrongAnswer
from pusherkit.lessons.kit.lesson import Lesson, lessons
from pusherkit.lessons.kit.prediction import Prediction, Recall
from pusherkit.lessons.kit.solutions import solved
from pusherkit.lessons.kit.source import solution_of
from pusherkit.lessons.kit.view import to_html, to_static, to_text

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
MAX_CALL = 3_000  # characters of a call, as a card shows it
CHECKS = 5  # so that several instances come up
# Each runs all prepared wrong answers, to tell which one it is; so most are left out of most runs.
some_checks = pytest.mark.parametrize(
    "checks",
    [
        pytest.param(range(1), id="first"),
        pytest.param(range(1, CHECKS), id="more", marks=pytest.mark.slow),
    ],
)
LESSONS = lessons()
EXERCISES = [each for lesson in LESSONS for each in lesson.exercises.values()]
PREDICTIONS = [each for lesson in LESSONS for each in lesson.predictions.values()]
RECALLS = [each for lesson in LESSONS for each in lesson.recalls.values()]
EXPLORERS = [
    pytest.param(make, id=f"{lesson.name}-{name}")
    for lesson in LESSONS
    for name, make in lesson.explorers.items()
]

each_lesson = pytest.mark.parametrize("lesson", LESSONS, ids=lambda lesson: lesson.name)
each_exercise = pytest.mark.parametrize("exercise", EXERCISES, ids=lambda each: each.name)
each_question = pytest.mark.parametrize(
    "question", PREDICTIONS + RECALLS, ids=lambda each: each.name
)


def notebook(lesson: Lesson) -> Any:
    return nbformat.read(NOTEBOOKS / f"{lesson.name}.ipynb", as_version=4)


def code_cells(lesson: Lesson) -> list[str]:
    return [cell.source for cell in notebook(lesson).cells if cell.cell_type == "code"]


def right(exercise: Exercise) -> Any:
    return exercise.solve() if exercise.is_value else exercise.solve


# --- exercises ------------------------------------------------------------------------------------


@each_exercise
def test_the_untouched_stub_is_open(exercise: Exercise) -> None:
    assert exercise.check(...).outcome is Outcome.OPEN
    if not exercise.is_value:
        assert exercise.check(lambda *_: ...).outcome is Outcome.OPEN


@each_exercise
@some_checks
def test_the_solution_passes_and_says_why_and_what_next(exercise: Exercise, checks: range) -> None:
    for before in checks:
        exercise._checks = before  # which chooses the instances
        feedback = exercise.check(right(exercise))
        assert (feedback.outcome, feedback.message) == (Outcome.PASSED, exercise.reason)
    shown = to_text(feedback.view)
    for said in (exercise.reason, exercise.challenge):
        assert said
        assert said in shown
    assert exercise.task.endswith("."), "a task is a sentence: the function's docstring"


@some_checks
@pytest.mark.parametrize(
    ("exercise", "wrong"),
    [
        pytest.param(exercise, wrong, id=f"{exercise.name}-{number}")
        for exercise in EXERCISES
        for number, wrong in enumerate(exercise.wrongs)
    ],
)
def test_each_wrong_answer_gets_its_own_message(
    exercise: Exercise, wrong: WrongAnswer, checks: range
) -> None:
    for before in checks:
        exercise._checks = before  # which chooses the instances
        feedback = exercise.check(wrong.answer)
        assert (feedback.outcome, feedback.message) == (Outcome.WRONG, wrong.message)
    assert [other.message for other in exercise.wrongs].count(wrong.message) == 1


@each_exercise
def test_wrong_answers_are_few_and_hints_are_some(exercise: Exercise) -> None:
    assert len(exercise.wrongs) <= MAX_WRONG
    assert len(exercise.hints) >= 2


@each_exercise
def test_each_mistake_has_a_name_of_its_own_and_a_sentence(exercise: Exercise) -> None:
    known = exercise.mistakes()
    names = [each.name for each in known]
    assert len(set(names)) == len(names)
    sentences = exercise.sentences()
    assert [sentences[each.name] for each in known] == [each.message for each in known]
    prepared = [each.message for each in exercise.wrongs]
    assert [each.message for each in known[: len(prepared)]] == prepared


@each_exercise
def test_nonsense_neither_passes_nor_raises(exercise: Exercise) -> None:
    for nonsense in (None, 3, "?", b"?", [], object(), print):
        feedback = exercise.check(nonsense)
        assert feedback.outcome in (Outcome.WRONG, Outcome.ERROR), nonsense
        assert feedback.message, nonsense


@pytest.mark.parametrize(
    "exercise", [each for each in EXERCISES if not each.is_value], ids=lambda each: each.name
)
def test_a_crash_names_the_line_and_the_call(exercise: Exercise) -> None:
    def divide(*_: Any) -> float:
        return 1 / 0

    feedback = exercise.check(divide)
    assert (feedback.outcome, feedback.message) == (
        Outcome.ERROR,
        "ZeroDivisionError: division by zero",
    )
    line, called = feedback.facts
    assert line.value == "return 1 / 0"
    assert called.name == "Called with"
    assert " at 0x" not in called.value, "an address"
    assert len(called.value) < MAX_CALL


# --- the notebook's exercises ---------------------------------------------------------------------


def cell_of(exercise: Exercise) -> str:
    """The cell of the notebook that checks an exercise, under the learner's own name."""
    check = f"lesson.{exercise.function}.check({exercise.function})"
    (cell,) = (cell for cell in code_cells(exercise.home) if check in cell)  # type: ignore[arg-type]
    return cell


REACHED: dict[str, tuple[int, dict[str, Any]]] = {}  # how many cells of a notebook ran, and so


def run_up_to(exercise: Exercise) -> dict[str, Any]:
    """The names that a learner has when they arrive at an exercise's cell.

    From one exercise to the next, the notebook goes on: from its top each time, a lesson of ten
    exercises would run ten times.
    """
    cells = code_cells(exercise.home)  # type: ignore[arg-type]
    there = cells.index(cell_of(exercise))
    done, names = REACHED.pop(exercise.home.name, (0, {}))  # type: ignore[union-attr]
    if done > there or not names:
        done, names = 0, {"__name__": "__main__"}
    with redirect_stdout(io.StringIO()):
        for cell in cells[done:there]:
            exec(cell, names)
    REACHED[exercise.home.name] = there, names  # type: ignore[union-attr]
    return dict(names)


@each_exercise
def test_the_printed_solution_pasted_into_its_cell_passes(exercise: Exercise) -> None:
    names = run_up_to(exercise)
    tree = ast.parse(cell_of(exercise))
    kept = [
        node
        for node in tree.body
        if getattr(node, "name", None) != exercise.function and not _binds(node, exercise.function)
    ]
    with redirect_stdout(io.StringIO()):
        exec("\n".join(ast.unparse(node) for node in kept[:-1]), names)  # data, before the check
        solution = compile(exercise.solution(), "solution", "exec", dont_inherit=True)
        exec(solution, names)
    module = importlib.import_module(exercise.solve.__module__)
    assert getattr(module, exercise.function) is exercise
    assert exercise.check(names[exercise.function]).outcome is Outcome.PASSED


def _binds(node: ast.stmt, name: str) -> bool:
    return isinstance(node, ast.Assign) and any(
        isinstance(target, ast.Name) and target.id == name for target in node.targets
    )


@each_exercise
def test_the_cell_as_it_is_delivered_is_open(exercise: Exercise) -> None:
    names = run_up_to(exercise)
    with redirect_stdout(io.StringIO()):
        exec(cell_of(exercise), names)
    assert exercise.check(names[exercise.function]).outcome is Outcome.OPEN


@pytest.mark.parametrize(
    "exercise", [each for each in EXERCISES if each._broken], ids=lambda each: each.name
)
def test_the_broken_function_shown_is_the_one_that_is_checked(exercise: Exercise) -> None:
    assert exercise._broken is not None
    broken = ast.parse(solution_of(exercise._broken.answer)).body[0]
    shown = next(
        node
        for node in ast.parse(cell_of(exercise)).body
        if getattr(node, "name", None) == exercise.function
    )
    assert isinstance(broken, ast.FunctionDef)
    assert isinstance(shown, ast.FunctionDef)
    assert list(map(ast.unparse, broken.body)) == list(map(ast.unparse, shown.body))


# --- predictions ----------------------------------------------------------------------------------


@each_question
def test_the_code_decides_for_one_of_the_options(question: Prediction) -> None:
    assert question.right() in question.options
    assert all(question.options.values()), "an option without an explanation"
    assert question.why
    assert question.code


@each_question
def test_nothing_is_revealed_before_a_choice(question: Prediction) -> None:
    asked = question()
    before = to_html(asked.now())
    assert question.why not in before
    assert all(said not in before for said in question.options.values())
    wrong = next(option for option in question.options if option != question.right())
    asked.choose(wrong)
    assert f"Surprise: it's “{question.right()}”." in to_text(asked.view)
    assert question.code.split("\n")[0] in asked.view.code
    asked.choose(question.right())
    assert "✓ Right." in to_text(asked.view), "no surprise, once it has been shown"


@each_question
def test_a_saved_answer_shows_the_options_and_which_was_chosen(question: Prediction) -> None:
    card = Recall("From memory", [question], again=[question])
    wrong = next(option for option in question.options if option != question.right())
    card.hear(Event("press", f"0:{list(question.options).index(wrong)}"))
    chosen, open_ = card.view.below
    for saved in (to_static(chosen), to_text(chosen)):
        rows = html.unescape(re.sub(r"<[^>]++>", "", saved)).replace("`", "")
        assert f"● {wrong}".replace("`", "") in rows
        assert f"✓ {question.right()}".replace("`", "") in rows
        assert f"“{wrong}”. {question.options[wrong]}".replace("`", "") in rows
    rows = html.unescape(re.sub(r"<[^>]++>", "", to_static(open_)))
    for option in question.options:
        assert f"○ {option}".replace("`", "") in rows


@each_question
def test_the_code_that_is_shown_runs_and_decides_it(question: Prediction) -> None:
    names: dict[str, Any] = {"__name__": "__main__"}
    program, _, call = question.code.rpartition("\n\n")
    exec(compile(program, "shown", "exec", dont_inherit=True), names)
    assert eval(call, names) == question.right()
    assert "Fact" not in names


@each_question
def test_the_twin_folds_the_answer_away(question: Prediction) -> None:
    shown, _, folded = to_static(question().twin).partition("<details>")
    assert "Why" not in shown
    assert "Why" in folded


def test_no_position_is_right_too_often() -> None:
    """At most 40 %, once there are enough questions for a share to mean something."""
    places = collections.Counter(
        list(question.options).index(question.right()) for question in PREDICTIONS + RECALLS
    )
    if places.total() >= 10:
        assert max(places.values()) <= 0.4 * places.total(), places


@each_lesson
def test_a_lesson_asks_two_things_from_memory(lesson: Lesson) -> None:
    assert lesson.name.startswith("00") or len(lesson.recalls) == 2


@each_lesson
def test_what_is_above_a_prediction_does_not_answer_it(lesson: Lesson) -> None:
    for name, question in lesson.predictions.items():
        above = ""
        for cell in notebook(lesson).cells:
            if cell.cell_type == "code" and f"lesson.{name}()" in cell.source:
                break
            if cell.cell_type == "markdown":
                above += cell.source
        options = "".join(question.options)
        telling = set(re.findall(r"\w{4,}", question.right().lower()))
        telling -= set(re.findall(r"\w+", options.replace(question.right(), "").lower()))
        said = [sentence for sentence in re.split(r"[.?!\n]+", above.lower()) if telling]
        assert not [s for s in said if telling <= set(re.findall(r"\w+", s))], telling


# --- explorers ------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", EXPLORERS)
def test_widget_and_twin_show_the_same_and_it_is_the_same_each_time(make: Any) -> None:
    made: Live = make()
    bundle, again = made._repr_mimebundle_(), make()._repr_mimebundle_()
    for kind in ("text/plain", "text/html"):
        assert bundle[kind] == again[kind], "a twin must be the same on every run"
    assert made.stage.html == to_html(made.twin)
    assert made.stage.head == made.twin.title
    assert not re.search(r"\b\d{1,3}(\.\d{1,3}){3}:\d+", bundle["text/html"]), "a port"


@pytest.mark.parametrize("make", EXPLORERS)
def test_every_field_has_a_label_and_the_picture_says_what_it_shows(make: Any) -> None:
    form = make().stage.form
    fields = re.findall(r'<(?:input|textarea|select)[^>]* id="([^"]+)"', form)
    assert fields == re.findall(r'<label for="([^"]+)"', form)
    picture = make().twin.picture
    if picture is not None:
        assert len(picture.desc) > 30
        assert picture.narrow is None or picture.narrow.width <= 360
        assert "style" not in picture.shapes


# --- the notebook ---------------------------------------------------------------------------------


@each_lesson
def test_most_code_cells_are_code_to_read(lesson: Lesson) -> None:
    cells = code_cells(lesson)
    bare = [cell for cell in cells if re.fullmatch(r"lesson\.\w+\(\)", cell.strip())]
    assert len(bare) <= len(cells) / 4, bare


@each_lesson
def test_every_header_says_the_same_about_skipping_and_only_the_first_how_to_run(
    lesson: Lesson,
) -> None:
    header = notebook(lesson).cells[0].source
    first = lesson.name.startswith("00")
    assert ("Ctrl+Enter" in header) is first
    assert header.endswith("\n\nKnow this already? [Prove it](#Prove-it).") is not first


@each_lesson
def test_the_notebook_uses_everything_that_its_lesson_has(lesson: Lesson) -> None:
    code = "\n".join(code_cells(lesson))
    for name in (*lesson.exercises, *lesson.predictions, *lesson.explorers):
        assert f"lesson.{name}" in code


@each_lesson
def test_an_untouched_notebook_writes_nothing(lesson: Lesson, progress_file: Path) -> None:
    names: dict[str, Any] = {"__name__": "__main__"}
    with redirect_stdout(io.StringIO()):
        for cell in code_cells(lesson):
            exec(cell, names)
    assert list(progress_file.parent.iterdir()) == []


@each_lesson
def test_in_the_solved_edition_every_exercise_passes(lesson: Lesson) -> None:
    names: dict[str, Any] = {"__name__": "__main__"}
    outcomes = []
    for cell in solved(notebook(lesson), lesson)["cells"]:
        if cell["cell_type"] != "code":
            continue
        assert (cell["outputs"], cell["execution_count"]) == ([], None)
        tree = ast.parse(cell["source"])
        with redirect_stdout(io.StringIO()):
            if "exercise" not in cell["metadata"].get("tags", ()):
                exec(cell["source"], names)
                continue
            *before, check = tree.body
            exec("\n".join(map(ast.unparse, before)), names)
            outcomes.append(eval(ast.unparse(check), names).outcome)
    assert outcomes == [Outcome.PASSED] * len(lesson.exercises)


@each_lesson
def test_one_plain_request_hides_nothing(lesson: Lesson) -> None:
    sent = [cell for cell in code_cells(lesson) if "server.http." in cell]
    assert lesson.name.startswith("00") or sent
