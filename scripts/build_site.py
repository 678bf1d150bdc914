"""Build the static site: the lessons, their practice server and the doctor, inside a browser tab.

    python scripts/build_site.py [FOLDER]    # build/site, if you don't say where
    python scripts/build_site.py --lock      # after a version in site/*.txt was changed

Needs node and npm, and PyPI and npm the first time; what they gave is kept in the cache folder
`pusherkit-site`. What goes in is named in site/, with its hashes, so two builds of one checkout
are equal. The result is plain files for any web server, and asks no other server for anything:

    python -m http.server --directory build/site
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import venv
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
SITE = ROOT / "site"
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "pusherkit-site"
PAGE_PYTHON = "3.14"  # that of the Pyodide in site/package.json
FOR_THE_PAGE = ("--platform=any", f"--python-version={PAGE_PYTHON}")
CORE = ("pyodide.mjs", "pyodide.asm.mjs", "pyodide.asm.wasm")  # of npm's pyodide
LITE_WHEELS = "share/jupyter/labextensions/@jupyterlite/pyodide-kernel-extension/static/pypi"
# Light or dark as the browser is, and so as the site's own pages.
ADAPTIVE_THEME = {"@jupyterlab/apputils-extension:themes": {"adaptive-theme": True}}
# What a visit needn't wait for: a file of others → what stands in it, and what takes its place.
PATCHES = {
    # The folder with the lessons is on the other side of a service worker. As the first of Python's
    # paths it was asked at every import, 100 times until a kernel is ready; now it's the last.
    "pyodide.mjs": ('sys.path.insert(0,"")', 'sys.path.append("")'),
    # It passed every file through itself, and none of them is one that it would keep. What it
    # leaves alone the browser takes from its own cache, compiled scripts included.
    "service-worker.js": (
        "shouldDrop(t,a)||(n=maybeFromCache(e))",
        "enableCache&&!shouldDrop(t,a)&&(n=maybeFromCache(e))",
    ),
}
LISTING = Path("api", "contents", "all.json")  # of the lessons; a built site is known by it
LONG_AGO = "2020-01-01T00:00:00Z"  # for dates that nobody reads
QUIET = ("--quiet", "--disable-pip-version-check")
WHEELS = ("--only-binary=:all:",)  # for any platform, as all of these are


def run(command: Iterable[str | Path], **options: Any) -> None:
    """Run a tool; what it says is printed only if it fails."""
    words = [str(word) for word in command]
    done = subprocess.run(words, capture_output=True, text=True, check=False, **options)
    if done.returncode:
        raise SystemExit(f"{' '.join(words)}\n{done.stdout}{done.stderr}")


def kept(name: str, inputs: bytes, make: Callable[[Path], None]) -> Path:
    """A folder of the cache, made if these inputs are new."""
    folder = CACHE / f"{name}-{hashlib.sha256(inputs).hexdigest()[:16]}"
    if not folder.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=CACHE) as unfinished:
            made = Path(unfinished, "made")
            made.mkdir()
            make(made)
            try:
                made.rename(folder)
            except OSError:
                if not folder.exists():  # then no other build was quicker
                    raise
    return folder


# --- what goes in ---------------------------------------------------------------------------------


def tools() -> Path:
    """The Python that has what tools.txt names."""
    listed = SITE / "tools.txt"

    def make(folder: Path) -> None:
        venv.create(folder, with_pip=True)
        install = ["-m", "pip", "install", *QUIET, "--no-deps", "--require-hashes", *WHEELS]
        run([_python(folder), *install, "-r", listed])

    return _python(kept("tools", listed.read_bytes() + sys.version.encode(), make))


def patch(file: Path) -> None:
    """Change the one place that PATCHES names; a file in which it isn't there ends the build."""
    old, new = PATCHES[file.name]
    text = file.read_text(encoding="utf-8")
    if text.count(old) != 1:
        raise SystemExit(
            f"{file.name} should hold this once, and holds it {text.count(old)} times: {old}\n"
            "A new version may do without the patch: look at PATCHES in scripts/build_site.py."
        )
    file.write_text(text.replace(old, new), encoding="utf-8")


def _python(environment: Path) -> Path:
    """The interpreter of a virtual environment."""
    return environment / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def download(what: Iterable[str | Path], folder: Path) -> None:
    """Let pip put wheels into a folder: these, and nothing that they ask for."""
    pip = [sys.executable, "-m", "pip", "download", *QUIET, "--no-deps", *WHEELS]
    run([*pip, "-d", folder, *what])


def pyodide() -> Path:
    """npm's package: Python for the browser, and its standard library."""
    files = [SITE / "package.json", SITE / "package-lock.json"]

    def make(folder: Path) -> None:
        for file in files:
            shutil.copy(file, folder)
        npm = shutil.which("npm")
        if npm is None or shutil.which("node") is None:
            raise SystemExit("node and npm are missing; install Node 20 or newer.")
        run([npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=folder)

    folder = kept("npm", b"".join(file.read_bytes() for file in files), make)
    return folder / "node_modules" / "pyodide"


def wheels() -> Path:
    """The packages that page.txt names."""
    listed = SITE / "page.txt"

    def make(folder: Path) -> None:
        download([*FOR_THE_PAGE, "--require-hashes", "-r", listed], folder)

    return kept("wheels", listed.read_bytes(), make)


def kit(python: Path, folder: Path) -> None:
    """Put the wheel of this checkout into a folder."""
    wheel: list[str | Path] = ["-m", "pip", "wheel", *QUIET, "--no-deps", "--no-build-isolation"]
    run([python, *wheel, "-w", folder, ROOT])


# --- Python for the page --------------------------------------------------------------------------


def python_for_the_page(core: Path, archives: Path, work: Path) -> tuple[Path, list[str]]:
    """Python and all packages, compiled, in a folder; and the packages' names.

    The folder is named after what is in it, so whatever a browser keeps of it stays right.
    """
    ready = work / "python"
    ready.mkdir()
    shutil.copy(core / "python_stdlib.zip", archives)
    run(["node", SITE / "compile.mjs", core, archives, ready])
    for name in CORE:
        shutil.copy(core / name, ready)
    patch(ready / "pyodide.mjs")
    packages = {}
    for wheel in sorted(ready.glob("*.whl")):
        name, version = wheel.name.split("-")[:2]
        package = re.sub(r"[-_.]+", "-", name).lower()
        with zipfile.ZipFile(wheel) as inside:
            tops = {each.split("/")[0] for each in inside.namelist()}
        packages[package] = {
            "name": package,
            "version": version,
            "file_name": wheel.name,
            "install_dir": "site",
            "sha256": hashlib.sha256(wheel.read_bytes()).hexdigest(),
            "package_type": "package",
            "imports": sorted(each.removesuffix(".pyc") for each in tops if "-" not in each),
            "depends": [],  # nothing: all of them are loaded together
            "unvendored_tests": False,
            "shared_library": False,
        }
    lock = json.loads((core / "pyodide-lock.json").read_bytes()) | {"packages": packages}
    (ready / "pyodide-lock.json").write_text(json.dumps(lock), encoding="utf-8")
    digest = hashlib.sha256()
    for file in sorted(ready.iterdir()):
        digest.update(file.name.encode() + hashlib.sha256(file.read_bytes()).digest())
    return ready.rename(work / f"python-{digest.hexdigest()[:12]}"), list(packages)


# --- JupyterLite ----------------------------------------------------------------------------------


def lite(out: Path, tool: Path, python: str, packages: list[str], source: Path) -> None:
    """Write JupyterLite, set up as `pusherkit lab` sets JupyterLab up."""
    source.mkdir()
    settings = (SITE / "jupyter-lite.json").read_text(encoding="utf-8")
    settings = settings.replace("$python", f"./{python}")
    settings = settings.replace('"$packages"', json.dumps(packages))
    (source / "jupyter-lite.json").write_text(settings, encoding="utf-8")
    lab = ROOT / "pusherkit/jupyter-config/labconfig/default_setting_overrides.json"
    overrides = json.loads(lab.read_bytes()) | ADAPTIVE_THEME
    (source / "overrides.json").write_text(json.dumps(overrides), encoding="utf-8")
    options = ["--no-sourcemaps", "--apps", "lab", "--output-dir", str(out)]
    run([tool, "-m", "jupyterlite_core", "build", *options], cwd=source)
    patch(out / "service-worker.js")
    for name in ("rspack.config.*", "jupyterlite.schema.*", "package.json", "doc"):
        for unused in out.glob(name):
            shutil.rmtree(unused) if unused.is_dir() else unused.unlink()


def lessons(out: Path) -> None:
    """Write the notebooks, and the listing in which JupyterLite finds them."""
    listed = []
    (out / "files").mkdir()
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        shutil.copy(path, out / "files")
        listed.append(_entry(path.name, "notebook", size=path.stat().st_size))
    (out / LISTING).parent.mkdir(parents=True)
    listing = _entry("", "directory") | {"content": listed, "format": "json"}
    (out / LISTING).write_text(json.dumps(listing), encoding="utf-8")


def _entry(name: str, kind: str, size: int | None = None) -> dict[str, Any]:
    """One entry of a listing, as Jupyter's contents API has it."""
    empty = dict.fromkeys(("content", "format", "mimetype"))
    dates = dict.fromkeys(("created", "last_modified"), LONG_AGO)
    return {
        **empty,
        **dates,
        "name": name,
        "path": name,
        "size": size,
        "type": kind,
        "writable": True,
    }


# --- the command ----------------------------------------------------------------------------------


def build(out: Path) -> None:
    """Build the site into a folder, in place of the one that is there.

    Ends if something else is there, which would be deleted.
    """
    if out.is_dir() and any(out.iterdir()) and not (out / LISTING).is_file():
        raise SystemExit(f"{out} has something else in it. Name a new folder, or an empty one.")
    tool = tools()
    with tempfile.TemporaryDirectory() as temporary:
        work, new = Path(temporary), Path(temporary, "out")
        archives = work / "archives"
        shutil.copytree(wheels(), archives)
        kit(tool, archives)
        lite_wheels = tool.parents[1] / LITE_WHEELS
        for name in ("piplite", "pyodide_kernel", "ipykernel"):
            (wheel,) = lite_wheels.glob(f"{name}-*.whl")
            shutil.copy(wheel, archives)
        python, packages = python_for_the_page(pyodide(), archives, work)
        lite(new, tool, python.name, packages, work / "lite")
        shutil.copytree(python, new / python.name)
        lessons(new)
        run([tool, SITE / "pages.py", new, python.name])
        if out.exists():
            shutil.rmtree(out)
        shutil.copytree(new, out)


def lock() -> None:
    """Write the hashes of site/*.txt again, for the versions in them."""
    for file, options in ((SITE / "tools.txt", ()), (SITE / "page.txt", FOR_THE_PAGE)):
        lines = file.read_text(encoding="utf-8").splitlines()
        pinned = [line.split()[0] for line in lines if line and not line.startswith("#")]
        with tempfile.TemporaryDirectory() as folder:
            download([*options, *pinned], Path(folder))
            hashes = {}
            for wheel in Path(folder).iterdir():
                name = re.sub(r"[-_.]+", "-", wheel.name.split("-")[0]).lower()
                hashes[name] = hashlib.sha256(wheel.read_bytes()).hexdigest()
        comments = [line for line in lines if line.startswith("#")]
        locked = [f"{each} --hash=sha256:{hashes[each.split('==')[0]]}" for each in sorted(pinned)]
        file.write_text("\n".join([*comments, *locked]) + "\n", encoding="utf-8")


def main() -> int:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("folder", nargs="?", type=Path, default=ROOT / "build" / "site")
    parser.add_argument("--lock", action="store_true", help="write the hashes in site/*.txt again")
    options = parser.parse_args()
    if options.lock:
        lock()
        return 0
    build(options.folder)
    size = sum(file.stat().st_size for file in options.folder.rglob("*") if file.is_file())
    print(f"{options.folder}: {size / 1e6:.1f} MB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
