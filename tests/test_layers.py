"""The order of the layers, read from the imports: an arrow never points back up."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

import pusherkit

ROOT = Path(pusherkit.__file__).parent

# The rooms, in reading order: each may import those above it. A name covers what is inside it, as
# long as no longer name does: "lessons.kit" is a room of its own, below the lessons.
ORDER = [
    "errors",
    "_spellings",
    "credentials",
    "signing",
    "events",
    "encryption",
    "httpx_auth",
    "_proxies",
    "_page",
    "client",
    "authorization",
    "snippets",
    "doctor.mistakes",
    "doctor.search",
    "doctor.signed_texts",
    "doctor.subscription_mistakes",
    "doctor.subscriptions",
    "doctor.webhooks",
    "doctor.door",
    "doctor.wrappings",
    "doctor.sentences",
    "doctor.failures",
    "doctor.refusals",
    "doctor.forms",
    "doctor.pasted",
    "doctor.misplaced",
    "doctor.consult",
    "doctor.vectors",
    "doctor",
    "subscription",
    "subscriber",
    "sandbox",
    "clinic",
    "pusherkit",  # the package's own __init__
    "lessons.kit",
    "lessons",
    "_first_cell",
    "_kernel_startup",
    "_jupyter",
    "lab",
    "_terminal",
    "clinic.command",
    "_progress",
    "classroom",
    "cli",
    "__main__",
    "pytest_plugin",
]
PURE = [
    "errors",
    "_spellings",
    "credentials",
    "signing",
    "events",
    "authorization",
    "doctor",
    "doctor.mistakes",
    "doctor.door",
    "doctor.search",
    "doctor.signed_texts",
    "doctor.subscription_mistakes",
    "doctor.subscriptions",
    "doctor.webhooks",
    "doctor.vectors",
    "doctor.wrappings",
    "doctor.sentences",
    "doctor.failures",
    "doctor.refusals",
    "doctor.forms",
    "doctor.forms.clients",
    "doctor.forms.commands",
    "doctor.forms.curl",
    "doctor.forms.http_text",
    "doctor.forms.options",
    "doctor.forms.values",
    "doctor.forms.subscriptions",
    "doctor.forms.python",
    "doctor.forms.powershell",
    "doctor.forms.json_text",
    "doctor.forms.javascript",
    "doctor.forms.dumps",
    "doctor.forms.archives",
    "doctor.forms.parts",
    "doctor.forms.shell",
    "doctor.forms.windows",
    "doctor.pasted",
    "doctor.misplaced",
    "doctor.consult",
    "snippets",
    "subscription",
    "sandbox.sdk_settings",
    "sandbox.api",
    "sandbox.channels",
    "sandbox.cache",
    "sandbox.keys",
    "sandbox.personalities",
    "sandbox.rate",
    "sandbox.routes",
    "sandbox.users",
    "sandbox.visitors",
    "clinic",
    "clinic.capstone",
    "clinic.tasks",
    "clinic.document",
    "clinic.page",
    "clinic.tasks_page",
    "clinic.terminal",
    "clinic.api",
    "sandbox.webhooks",
    "clinic.faults",
    "clinic.programs",
    "clinic.scenes",
    "clinic.sabotage",
    "clinic.desk",
    "classroom",
    "classroom.roster",
    "classroom.badges",
    "classroom.calls",
    "classroom.learners",
    "classroom.board",
]

# What a pure module never imports, though the standard library has it.
CLOCKS_AND_WORLD = {"time", "random", "secrets", "socket", "threading", "asyncio", "logging"}
CLOCKS_AND_WORLD |= {"subprocess", "pathlib", "os", "io", "tempfile", "urllib.request", "http"}

WHO_MAY_IMPORT = {
    "httpx": {"httpx_auth", "_page", "client", "sandbox.transport", "sandbox.posting", "lessons"},
    "nacl": {"encryption"},
    "tornado": {f"sandbox.{name}" for name in ("server", "handler", "entrance", "live", "sockets")}
    | {f"classroom.{name}" for name in ("wall", "doors", "hub", "links", "site")},
    "websockets": {"subscriber", "sandbox.sockets", "classroom.line"},
    "jupyterhub": {"classroom.doors", "classroom.hub", "classroom.learner"},
    "ipywidgets": {"lessons"},
    "jupyter_server": {"_jupyter"},
    "jupyterlab": {"lab", "cli"},
}


@dataclass(frozen=True)
class Import:
    importer: str  # "sandbox.api"
    imported: str  # "json", or "pusherkit.sandbox.channels"


def name_of(path: Path) -> str:
    """sandbox/api.py is "sandbox.api", sandbox/__init__.py is "sandbox"."""
    parts = [part for part in path.relative_to(ROOT).with_suffix("").parts if part != "__init__"]
    return ".".join(parts) or "pusherkit"


SOURCES = {name_of(path): path.read_text(encoding="utf-8") for path in ROOT.rglob("*.py")}
TREES = {name: ast.parse(source) for name, source in SOURCES.items()}


def imports_of(name: str, tree: ast.AST) -> Iterator[Import]:
    """Every import of a module, also those inside functions and for types alone."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(name, alias.name)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name} imports relatively"
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"  # a module, or a name inside one
                is_module = inner.removeprefix("pusherkit.") in SOURCES
                yield Import(name, inner if is_module else node.module)
        else:
            yield from imports_of(name, node)


IMPORTS = [found for name, tree in TREES.items() for found in imports_of(name, tree)]
WITHIN = [found for found in IMPORTS if found.imported.split(".")[0] == "pusherkit"]


def module(imported: str) -> str:
    """pusherkit.sandbox.api is "sandbox.api"."""
    return imported.removeprefix("pusherkit.")


def layer(module_name: str) -> int:
    """Where a module's room is in ORDER; the longest name that covers it counts."""
    names = [name for name in ORDER if f"{module_name}.".startswith(f"{name}.")]
    assert names, f"{module_name} has no place in ORDER yet: what may it import?"
    return ORDER.index(max(names, key=len))


def circles(arrows: set[tuple[str, str]]) -> set[str]:
    """The modules on a circle of imports: take away those without an arrow in or out."""
    while arrows:
        ends = {target for _, target in arrows}
        starts = {source for source, _ in arrows}
        inner = {(a, b) for a, b in arrows if a in ends and b in starts}
        if inner == arrows:
            break
        arrows = inner
    return {name for arrow in arrows for name in arrow}


def test_the_modules_named_here_exist():
    assert set(PURE) <= SOURCES.keys()
    assert {
        "httpx_auth",
        "client",
        "subscriber",
        "sandbox.transport",
        "sandbox.server",
    } <= SOURCES.keys()
    assert len(WITHIN) > 20


@pytest.mark.parametrize("name", sorted(SOURCES))
def test_no_import_points_up(name):
    upward = {
        (found.importer, module(found.imported))
        for found in WITHIN
        if found.importer == name and layer(module(found.imported)) > layer(name)
    }
    assert upward == set()


def test_no_circle_of_imports_whether_for_types_or_inside_a_function():
    assert circles({(f.importer, module(f.imported)) for f in WITHIN}) == set()


def test_a_circle_is_found():
    chain = {("a", "b"), ("b", "c"), ("c", "d")}
    assert circles(chain) == set()
    assert circles(chain | {("c", "b")}) == {"b", "c"}
    assert circles(chain | {("d", "a"), ("e", "a")}) == {"a", "b", "c", "d"}
    assert circles({("a", "a")}) == {"a"}


def test_no_lesson_imports_a_lesson():
    lessons = {name for name in SOURCES if re.fullmatch(r"lessons\.(?!kit$)[a-z]\w*", name)}
    assert len(lessons) >= 10
    assert not [f for f in WITHIN if {f.importer, module(f.imported)} <= lessons]


@pytest.mark.parametrize("room", ["doctor", "sandbox", "lessons", "classroom"])
def test_nobody_reaches_for_a_private_name(room):
    """Of another room, or of another file in the same room."""
    reached = [
        (name, f"{node.module}.{alias.name}")
        for name, tree in TREES.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and f"{node.module}.".startswith(f"pusherkit.{room}.")
        for alias in node.names
        if alias.name.startswith("_") and f"{module(node.module)}.{alias.name}" not in SOURCES
    ]
    assert reached == []


def test_within_the_sandbox_the_order_is_channels_api_shells():
    order = [
        "sandbox.routes",
        "sandbox.personalities",
        "sandbox.channels",
        "sandbox.api",
        "sandbox.transport",
        "sandbox.server",
        "sandbox",
    ]
    for found in WITHIN:
        target = module(found.imported)
        if found.importer in order and target in order:
            assert order.index(target) < order.index(found.importer)
    shells = {"sandbox.transport", "sandbox.server"}
    assert not [f for f in WITHIN if f.importer in shells and module(f.imported) in shells]


@pytest.mark.parametrize("name", PURE)
def test_a_pure_module_imports_the_standard_library_and_pure_modules(name):
    for found in IMPORTS:
        if found.importer == name:
            if found in WITHIN:
                assert module(found.imported) in PURE
            else:
                assert found.imported.split(".")[0] in sys.stdlib_module_names


@pytest.mark.parametrize("name", PURE)
def test_a_pure_module_reads_no_clock_and_touches_no_world(name):
    imported = {found.imported for found in IMPORTS if found.importer == name}
    allowed = {"os"} if name == "credentials" else set()
    assert imported & CLOCKS_AND_WORLD <= allowed
    called = [node.func for node in ast.walk(TREES[name]) if isinstance(node, ast.Call)]
    methods = {func.attr for func in called if isinstance(func, ast.Attribute)}
    functions = {func.id for func in called if isinstance(func, ast.Name)}
    assert not methods & {"now", "utcnow", "today"}
    assert not functions & {"open", "print", "input"}


def test_credentials_know_the_environment_only_as_the_default_of_from_env():
    uses = [n for n in ast.walk(TREES["credentials"]) if isinstance(n, ast.Name) and n.id == "os"]
    (from_env,) = (
        node
        for node in ast.walk(TREES["credentials"])
        if isinstance(node, ast.FunctionDef) and node.name == "from_env"
    )
    assert [ast.unparse(default) for default in from_env.args.defaults] == ["os.environ"]
    assert len(uses) == 1


@pytest.mark.parametrize("package", WHO_MAY_IMPORT)
def test_a_dependency_has_its_place(package):
    importers = {found.importer for found in IMPORTS if found.imported.split(".")[0] == package}
    allowed = WHO_MAY_IMPORT[package]
    assert {name for name in importers if not {name, name.split(".")[0]} & allowed} == set()


def test_importing_the_package_loads_no_server_no_notebook_and_no_doctor():
    heavy = [
        "ipywidgets",
        "nacl",
        "tornado",
        "websockets",
        "jupyterlab",
        "pusherkit.doctor.search",
        "html",
    ]
    code = (
        f"import json, sys, pusherkit; print(json.dumps([m for m in {heavy} if m in sys.modules]))"
    )
    unmeasured = {name: value for name, value in os.environ.items() if "COVERAGE" not in name}
    ran = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
        env=unmeasured,  # coverage would bring modules of its own, html among them
    )
    assert json.loads(ran.stdout) == []
