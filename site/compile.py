"""Byte-compile the archives in /from into /to. Run by compile.mjs, inside Pyodide.

Modules become .pyc alone, but ours keep their source: the lessons show it. Every run writes the
same bytes.
"""

import py_compile
import zipfile
from pathlib import Path

EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest that an archive can hold
LEFT_OUT = (
    ".data/data/",  # a front end's files, which are in the site already
    "anywidget/static/",
    "jedi/third_party/django-stubs/",
    "/tests/",
    "pusherkit/notebooks/",  # the site has them
)
# What the lessons never import. Bytecode takes more room, so it would only be fetched for nothing.
AS_SOURCE = (
    "anyio/",
    "certifi/",
    "h11/",
    "httpcore/",
    "packaging/",
    "pygments/formatters/",
    "pygments/lexers/",
    "pygments/styles/",
)


def compiled(name: str, source: bytes) -> bytes:
    """A module's bytecode, used without a look at its source or at any date."""
    file, cache = Path("/tmp/module.py"), "/tmp/module.pyc"  # noqa: S108 - in Pyodide's memory
    file.write_bytes(source)
    unchecked = py_compile.PycInvalidationMode.UNCHECKED_HASH
    py_compile.compile(str(file), cache, name, doraise=True, invalidation_mode=unchecked)
    return Path(cache).read_bytes()


def cached(name: str) -> str:
    """Where Python looks for the bytecode of a module that has its source beside it."""
    path = Path(name)
    return str(path.parent / "__pycache__" / f"{path.stem}.cpython-314.pyc")


def convert(archive: Path, target: Path) -> None:
    """Write an archive with its modules compiled."""
    with_source = archive.name.startswith("pusherkit-")
    with zipfile.ZipFile(archive) as old:
        files = {
            each: old.read(each)
            for each in old.namelist()
            if not each.endswith("/") and not any(part in each for part in LEFT_OUT)
        }
    modules = [each for each in files if each.endswith(".py") and not each.startswith(AS_SOURCE)]
    for name in modules:
        bytecode = compiled(name, files[name])
        if with_source:
            files[cached(name)] = bytecode
        else:
            del files[name]
            files[f"{name}c"] = bytecode
    with zipfile.ZipFile(target, "w") as new:
        for name in sorted(files):
            entry = zipfile.ZipInfo(name, EPOCH)
            new.writestr(entry, files[name], zipfile.ZIP_DEFLATED, 9)


for each in sorted(Path("/from").iterdir()):
    convert(each, Path("/to", each.name))
