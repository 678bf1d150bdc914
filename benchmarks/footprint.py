"""What the kit takes of a disk and of a kernel's memory, next to the same without it."""

from __future__ import annotations

import importlib.util
import json
import statistics
import subprocess
import tempfile
import zipfile
from collections.abc import Iterator
from functools import partial
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from benchmarks import peers
from benchmarks.measure import Run, Spread, ratio
from benchmarks.report import Row, Target

MEBIBYTE = 2**20
START_SECONDS = 60  # until a kernel or a cell that hangs is given up
FIRST_LESSON = peers.ROOT / "notebooks" / "00-start-here.ipynb"
# What goes into the wheel beside its metadata, as pyproject.toml says.
IN_THE_WHEEL = ("pusherkit/**/*", "notebooks/*.ipynb")


def run(run: Run) -> Iterator[Row]:
    """Sizes first, which are exact; then memory."""
    yield from _installs()
    yield from _own()
    try:
        yield _kernels(run)
    except peers.Missing as absent:
        yield Row(figure="a kernel after lesson 00 ÷ an empty one", missing=str(absent))


# --- on the disk ---------------------------------------------------------------------------------


def _installs() -> Iterator[Row]:
    own = sum(size for _, size in _packed())  # what is installed editable has no files of its own
    try:
        base, lab = _size(needed("pusherkit")) + own, _size(needed("pusherkit", "lab")) + own
        plain = _size(needed("jupyterlab"))
    except PackageNotFoundError as absent:
        missing = f'{absent.name} (pip install -e ".[lab]")'
        yield Row(figure="size of an install", missing=missing)
        return
    yield Row(
        figure="an install of pusherkit with all it needs, in MiB",
        ratio=Spread.of([base / MEBIBYTE]),
        target=Target("≤", 50),
        measured=f"{own / MEBIBYTE:.1f} MiB of it are the kit's own",
        if_missed="Most of it is what ipywidgets brings: IPython and jedi",
    )
    yield Row(
        figure="size of an install of pusherkit[lab] ÷ of jupyterlab",
        ratio=Spread.of([lab / plain]),
        target=Target("≤", 1.2),
        measured=f"{lab / MEBIBYTE:.1f} MiB against {plain / MEBIBYTE:.1f} MiB",
    )


def needed(name: str, extra: str = "") -> dict[str, Distribution]:
    """A package, and all that it brings along on this machine, by name."""
    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name

    found: dict[str, Distribution] = {}
    seen: set[tuple[str, str]] = set()
    todo = [(canonicalize_name(name), each) for each in {"", extra}]
    while todo:
        name, extra = todo.pop()
        if (name, extra) in seen:
            continue
        seen.add((name, extra))
        package = found.setdefault(name, distribution(name))
        for requirement in map(Requirement, package.requires or ()):
            if requirement.marker is None or requirement.marker.evaluate({"extra": extra}):
                other = canonicalize_name(requirement.name)
                todo += [(other, each) for each in {"", *requirement.extras}]
    return found


def _size(packages: dict[str, Distribution]) -> int:
    """The bytes of their files, without bytecode: that is written when they are imported."""
    files = {
        Path(str(package.locate_file(file))).resolve()
        for package in packages.values()
        for file in package.files or ()
        if file.suffix != ".pyc"
    }
    return sum(file.stat().st_size for file in files if file.is_file())


def _packed() -> list[tuple[Path, int]]:
    """The files of the wheel, with their bytes."""
    return [
        (file, file.stat().st_size)
        for pattern in IN_THE_WHEEL
        for file in sorted(peers.ROOT.glob(pattern))
        if file.is_file() and file.suffix != ".pyc"
    ]


def _own() -> Iterator[Row]:
    files = _packed()
    with tempfile.TemporaryFile() as packed:
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as wheel:
            for file, _ in files:
                wheel.write(file, file.relative_to(peers.ROOT))
        zipped = packed.tell()
    yield Row(
        figure="the wheel, in MiB",
        ratio=Spread.of([zipped / MEBIBYTE]),
        target=Target("≤", 1),
        measured=f"{len(files)} files, of {sum(size for _, size in files) / MEBIBYTE:.2f} MiB",
    )
    sizes = [size for file, size in files if file.suffix == ".ipynb"]
    yield Row(
        figure="the notebooks, in KiB each",
        ratio=Spread.of(size / 1024 for size in sizes),
        target=Target("≤", 40),
        measured=f"{len(sizes)} notebooks, {sum(sizes) / 1024:.0f} KiB, the largest "
        f"{max(sizes) / 1024:.0f} KiB",
    )


# --- in memory -----------------------------------------------------------------------------------


def _kernels(run: Run) -> Row:
    """A kernel that ran lesson 00 against one that ran nothing."""
    for module, extra in (("jupyter_client", "lab"), ("psutil", "test")):
        if importlib.util.find_spec(module) is None:
            raise peers.Missing(f'{module} (pip install -e ".[{extra}]")')
    notebook = json.loads(FIRST_LESSON.read_text(encoding="utf-8"))
    lesson = ["".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "code"]
    works = {"lesson": partial(_memory, lesson), "empty": partial(_memory, ["pass"])}
    rounds = run.pick(full=5, quick=1)
    bytes_of = run.interleave("footprint: kernels", works, rounds, warm_up=False)
    lesson_mib, empty_mib = (
        statistics.median(bytes_of[name]) / MEBIBYTE for name in ("lesson", "empty")
    )
    return Row(
        figure="memory of a kernel after lesson 00 ÷ of an empty one",
        ratio=ratio(bytes_of["lesson"], bytes_of["empty"]),
        target=Target("≤", 1.75),
        measured=f"{lesson_mib:.1f} MiB against {empty_mib:.1f} MiB, shared pages left out",
        if_missed="It goes to httpx with its TLS, to ipywidgets, and to Tornado's HTTP server",
    )


def _memory(cells: list[str]) -> float:
    """The bytes that a kernel has for itself after some cells (its unique set size)."""
    import psutil
    from jupyter_client.manager import KernelManager

    with tempfile.TemporaryDirectory(prefix="pusherkit-benchmarks-") as folder:
        manager = KernelManager(kernel_name="python3")
        # The folder is where a lesson may keep progress; the kernel's word on stderr is no error.
        manager.start_kernel(cwd=folder, stderr=subprocess.DEVNULL)
        client = manager.client()
        client.start_channels()
        try:
            client.wait_for_ready(START_SECONDS)
            for cell in cells:
                reply = client.execute_interactive(
                    cell, timeout=START_SECONDS, output_hook=lambda _: None
                )
                assert reply["content"]["status"] == "ok", reply["content"]
            process = psutil.Process(manager.provisioner.pid)  # type: ignore[union-attr]
            return float(process.memory_full_info().uss)
        finally:
            client.stop_channels()
            manager.shutdown_kernel(now=True)
