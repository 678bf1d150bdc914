"""`pusherkit class`: a hub for a room full of people, from one command, on one machine.

It makes everybody's link, starts the hub as a process of its own, and then shows one line about
how the class is doing. What makes the hub a class is in hub.py.
"""

from __future__ import annotations

import contextlib
import csv
import errno
import getpass
import io
import itertools
import json
import math
import os
import secrets
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import textwrap
import threading
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.util import find_spec
from ipaddress import ip_address
from pathlib import Path
from typing import TextIO

from pusherkit._terminal import printable
from pusherkit.classroom import invitations
from pusherkit.classroom.addresses import lan_address
from pusherkit.classroom.invitations import Class, cannot_write, write_private
from pusherkit.classroom.line import Line, Watch
from pusherkit.classroom.store import InUse, locked
from pusherkit.errors import PusherError

DEFAULT_PORT = 8000  # JupyterHub's own
DEFAULT_LEARNERS = 20
DEFAULT_TITLE = "Signing for Pusher"
MAX_TITLE = 80  # characters; one line on a projector
LOOPBACK = "127.0.0.1"

PROXY = "configurable-http-proxy"
PROXY_VERSIONS = "^5"  # what it's tested with
NPM_SECONDS = 300  # for npm to install it, over a slow line
READY_SECONDS = 120  # for the hub to answer after its start
STOP_SECONDS = 30  # for the hub to stop everybody's server, and itself
STARTS = 3  # of a hub that keeps ending by itself; after that, one more won't help
PORTS = ("hub", "proxy", "pages", "api")  # that only this machine's own programs use

LINKS_SHOWN = 30  # in the terminal; all of them are in the file
NOTE_INDENT, NOTE_WIDTH = 12, 96  # characters
MB_PER_LEARNER = 160  # a server and a kernel, measured: 107 + 47
MB_FOR_THE_CLASS = 400  # the hub, the proxy, the wall and Python's own


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the command line says. None where it says nothing: then it's as before, or default."""

    folder: Path
    learners: int | None = None
    names: Path | None = None
    title: str | None = None
    host: str = LOOPBACK
    port: int = DEFAULT_PORT
    base_url: str = "/"
    certificate: Path | None = None
    key: Path | None = None


def run(options: Options, out: TextIO) -> int:
    """Run a class until Ctrl+C. Raises PusherError for what keeps it from starting."""
    _needs()
    base_path(options.base_url)  # it's cheap, and what follows may install something
    address = _address(options.host)
    _check_certificate(options)
    folder = options.folder.absolute()
    running = folder / "hub"
    try:
        for each in (folder, running):
            each.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise cannot_write(folder, error) from error
    with _alone(folder, out) as lock:
        kept = _class(options, invitations.load(folder))
        _check_port(address, options)
        proxy = _proxy(running, out)
        kept = replace(kept, ports=_inner_ports(kept.ports, options.port))
        url = _url(options, options.host)
        invitations.save(folder, kept)
        write_private(folder / "links.csv", _csv(kept, f"{url}hub"))
        token = secrets.token_hex(32)
        _configure(folder, running, options, address, proxy, token)
        stopped = threading.Event()
        hub = _Hub(running, f"{_url(options, address)}hub/health", stopped, lock)
        with _interrupts(stopped):
            _say(out, "Starting the hub…")
            try:
                _start(hub, out)
                if not stopped.is_set():
                    _say(out, *welcome(options, kept, folder, url))
                    _follow(hub, Watch(_live(options, kept), token, len(kept.names)), out)
                _say(out, "Stopping everybody's server, the wall and the hub.")
            finally:
                hub.stop()
    _say(out, f"Stopped. Everything is in {folder}. Start it again, and the class goes on.")
    return 0


def _start(hub: _Hub, out: TextIO) -> None:
    """Start the hub, and once more if it wasn't up in time: on a busy machine, its proxy is slow.

    JupyterHub gives its proxy ten seconds, and has no setting for that.
    """
    try:
        hub.start()
    except PusherError as error:
        _say(out, *str(error).splitlines(), "I'll try once more.")
        hub.start()


def _follow(hub: _Hub, watch: Watch, out: TextIO) -> None:
    """Show how the class is doing until it's stopped, and keep the hub running."""
    line = Line(out)
    starts = 1
    watch.start()
    try:
        while not hub.stopped.wait(0.5):
            if not hub.running:
                line.close()
                if starts == STARTS:
                    raise PusherError(
                        f"The hub stopped by itself {STARTS} times. Learners' servers are still "
                        f"running: start again, and they go on. {hub.why()}"
                    )
                starts += 1
                _say(
                    out,
                    "The hub stopped by itself. I'm starting it again; hub/log.1 may say why.",
                )
                hub.start()
                _say(out, "It's back.")
            line.show(watch.line, time.monotonic())
    finally:
        line.close()


@contextlib.contextmanager
def _interrupts(stopped: threading.Event) -> Iterator[None]:
    """Make Ctrl+C, kill and closing the terminal stop the class in order.

    Under nohup the class outlives its terminal, because that's what nohup is for.
    """
    signals = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}
    if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
        signals.remove(signal.SIGHUP)
    before = {each: signal.signal(each, lambda *_: stopped.set()) for each in signals}
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


def _say(out: TextIO, *lines: str) -> None:
    with contextlib.suppress(OSError, ValueError):  # there may be nobody left to read it
        print("\n".join(map(printable, lines)), file=out, flush=True)


# --- what it needs ----------------------------------------------------------------------------


def _needs() -> None:
    if os.name != "posix":
        raise PusherError(
            "JupyterHub doesn't run on Windows itself. In WSL (the Windows Subsystem for Linux) it "
            "does: install pusherkit there, and start the class from there."
        )
    missing = [each for each in ("jupyterhub", "jupyterlab") if find_spec(each) is None]
    if missing:
        raise PusherError(
            f"A class needs {' and '.join(missing)}, which "
            f"{'is' if len(missing) == 1 else 'are'} not installed. "
            'Install it with: pip install "pusherkit[class]"'
        )


def _address(host: str) -> str:
    """The IPv4 address to listen on. Raises PusherError for a name that has none."""
    try:
        address = str(socket.getaddrinfo(host, None, socket.AF_INET)[0][4][0])
    except (OSError, UnicodeError):
        raise PusherError(
            f"--host {host}: there's no such address here. Give this machine's IPv4 address on "
            f"your room's network{_probably()}."
        ) from None
    if ip_address(address).is_unspecified:
        raise PusherError(
            f"--host {host} means every address at once, and links need one that learners can "
            f"open. Give this machine's address on your room's network{_probably()}."
        )
    return address


def _probably() -> str:
    address = lan_address()
    return f", which is probably {address}" if address else ""


def _check_certificate(options: Options) -> None:
    if options.certificate is None and options.key is None:
        return
    if options.certificate is None or options.key is None:
        raise PusherError("TLS needs both: --certificate CERT.pem and --key KEY.pem.")
    for file in (options.certificate, options.key):
        try:
            file.open("rb").close()
        except OSError as error:
            raise PusherError(f"{file} can't be read: {error.strerror}.") from error

    def password() -> str:
        raise PusherError(
            f"{options.key} is locked with a password, and there's nobody to type it when the "
            "class starts again. Unlock a copy: openssl pkey -in KEY.pem -out UNLOCKED.pem"
        )

    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(
            options.certificate, options.key, password
        )
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            raise PusherError(
                f"{options.key} doesn't belong to the certificate in {options.certificate}. Give "
                "the private key that was made with it."
            ) from error
        raise PusherError(
            f"{options.certificate} and {options.key} can't be used for TLS. Both must be PEM: "
            "text that begins with -----BEGIN, the certificate in one and its private key in the "
            "other."
        ) from error


def _check_port(address: str, options: Options) -> None:
    if not options.port:
        raise PusherError(
            "--port 0 means any free port, and everybody's link has the port in it, so it has to "
            f"stay the same. Choose one, for example --port {DEFAULT_PORT}."
        )
    try:
        with socket.create_server((address, options.port)):
            return
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise PusherError(
                f"Port {options.port} is taken: another program, or another class, is using it. "
                f"Choose another, for example --port {options.port + 10}."
            ) from error
        if error.errno == errno.EADDRNOTAVAIL:
            raise PusherError(
                f"--host {options.host} isn't an address of this machine. Give the one it has on "
                f"your room's network{_probably()}."
            ) from error
        raise PusherError(
            f"Port {options.port} can't be used: {error.strerror}. Choose one from 1024 up."
        ) from error


def _inner_ports(before: Mapping[str, int], public: int) -> dict[str, int]:
    """Free ports of this machine; where possible, the same as last time.

    A learner's server that was still running when the hub ended finds it there again.
    """
    with contextlib.ExitStack() as held:
        found: dict[str, int] = {}
        for name in PORTS:
            wanted = before.get(name, 0)
            try:
                probe = socket.create_server((LOOPBACK, 0 if wanted == public else wanted))
            except OSError:
                probe = socket.create_server((LOOPBACK, 0))
            held.enter_context(probe)  # until all are found, so that none is found twice
            found[name] = probe.getsockname()[1]
    return found


@contextlib.contextmanager
def _alone(folder: Path, out: TextIO) -> Iterator[int]:
    """The class's lock, which its hub holds, too. Waits for a hub whose command was killed."""
    deadline = math.inf
    with contextlib.ExitStack() as held:
        while True:
            try:
                lock = held.enter_context(locked(folder))
                break
            except OSError as error:
                raise cannot_write(folder, error) from error
            except InUse as error:
                if error.running:
                    raise PusherError(
                        f"{error} Two trainers can share it: both open the trainer's link. For "
                        "another class, choose another folder with --dir, and another --port."
                    ) from error
            if deadline == math.inf:
                _say(out, "The last command was killed, and its hub is still stopping. A moment…")
                deadline = time.monotonic() + STOP_SECONDS
            elif time.monotonic() > deadline:
                raise PusherError(
                    f"The hub in {folder} is still running after {STOP_SECONDS} seconds, although "
                    "its command was killed. hub/log may say why. End it, or restart the machine."
                )
            time.sleep(0.2)
        yield lock


def _class(options: Options, before: Class | None) -> Class:
    """Who is in the class, and its title: as the command line says, as before, or as usual."""
    if options.learners is not None and options.names is not None:
        raise PusherError("Give --learners or --names, not both: --names says how many there are.")
    if options.names is not None:
        names: Sequence[str] = invitations.read_names(options.names)
    elif options.learners is not None or before is None:
        names = invitations.numbered(options.learners or DEFAULT_LEARNERS)
    else:
        names = before.names
    title = (
        options.title if options.title is not None else before.title if before else DEFAULT_TITLE
    )
    title = " ".join(title.split())
    if not title.isprintable() or not 0 < len(title) <= MAX_TITLE:
        raise PusherError(f"--title: expected 1 to {MAX_TITLE} characters that can be printed.")
    return invitations.invite(before, title, names)


def _proxy(running: Path, out: TextIO) -> list[str]:
    """The command that runs the proxy; installed in the class's folder if it's nowhere yet."""
    own = running / "node_modules" / ".bin"
    if found := shutil.which(PROXY) or shutil.which(PROXY, path=own):
        return [found]
    npm = shutil.which("npm")
    if npm is None:
        raise PusherError(
            f"A class needs {PROXY}, which is JupyterHub's own proxy, and npm to install it. "
            "Neither is here. Install Node.js, which brings npm (https://nodejs.org, or your "
            "system's packages: sudo apt install npm), and start again; the rest happens by itself."
        )
    _say(out, f"This first time, npm is installing {PROXY} into {running}.")
    try:
        ran = subprocess.run(  # noqa: S603  # npm, with words of ours
            [
                npm,
                "install",
                "--no-audit",
                "--no-fund",
                f"--prefix={running}",
                PROXY + "@" + PROXY_VERSIONS,
            ],
            capture_output=True,
            text=True,
            errors="replace",
            stdin=subprocess.DEVNULL,
            timeout=NPM_SECONDS,
        )
        said = ran.stderr.strip().splitlines() if ran.returncode else []
    except subprocess.TimeoutExpired:
        said = [f"it wasn't done after {NPM_SECONDS} seconds"]
    found = shutil.which(PROXY, path=own)
    if not found:
        raise PusherError(
            f"npm couldn't install {PROXY}: {printable(said[0]) if said else 'it says nothing'}\n"
            "npm needs the network for this, once. When this machine has it, start again, or run\n"
            f"  npm install -g {PROXY}\n"
            f"Without it, copy another class's hub/node_modules to {running}: that's all it needs."
        )
    return [found]


# --- what it says -----------------------------------------------------------------------------


def _url(options: Options, host: str) -> str:
    """Where people find the class, with a slash at the end."""
    scheme, usual = ("https", 443) if options.certificate else ("http", 80)
    port = "" if options.port == usual else f":{options.port}"
    return f"{scheme}://{host}{port}{base_path(options.base_url)}"


def base_path(base_url: str) -> str:
    """A base URL with a slash at both ends: "class" is /class/. PusherError for an odd one."""
    path = f"/{base_url.strip('/')}/".replace("//", "/")
    if not all(
        each.isascii() and (each.isalnum() or each in "-._~") for each in path.replace("/", "")
    ):
        raise PusherError(
            f"--base-url {printable(base_url)}: expected a path such as /class/, of letters, "
            "digits and hyphens."
        )
    return path


def _csv(kept: Class, hub: str) -> str:
    made = io.StringIO()
    writer = csv.writer(made, lineterminator="\n")
    writer.writerow(["name", "link"])
    writer.writerows(kept.links(hub))
    return made.getvalue()


def welcome(options: Options, kept: Class, folder: Path, url: str) -> list[str]:
    """What the trainer reads once the class is open."""
    (_, trainer), *learners = kept.links(f"{url}hub")
    width = max(len(name) for name, _ in learners)
    shown = learners if len(learners) <= LINKS_SHOWN else learners[: LINKS_SHOWN // 2]
    left_out = len(learners) - len(shown)
    return [
        "",
        f"The class is open: {kept.title}, {len(kept.names)} "
        f"{'learner' if len(kept.names) == 1 else 'learners'}.",
        "",
        f"  Your view              {trainer}",
        f"  The wall, to project   {kept.wall_link(f'{url}hub')}",
        "",
        "One link for each learner. Opening it makes you that learner, so give each to one person:",
        "",
        *[f"  {name:<{width}}  {link}" for name, link in shown],
        *([f"  and {left_out} more in the file"] if left_out else []),
        "",
        *_note("As a table", str(folder / "links.csv")),
        *_reach(options),
        *_note("Kept in", f"{folder} (what everybody wrote, the wall, the links)"),
        *_roommates(),
        *_memory(len(kept.names)),
        "",
        "To stop, press Ctrl+C here. Start it again in the same place, and the class goes on.",
        "",
    ]


def _note(about: str, text: str) -> list[str]:
    """A few lines in a column of their own. A path isn't broken, so that it can be copied."""
    return textwrap.wrap(
        text,
        NOTE_WIDTH,
        initial_indent=f"{about + ':':<{NOTE_INDENT}}",
        subsequent_indent=" " * NOTE_INDENT,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _reach(options: Options) -> list[str]:
    if ip_address(_address(options.host)).is_loopback:
        return _note(
            "Reachable",
            "from this machine only. For a room, start it with the address at which others can "
            f"reach you: --host {lan_address() or 'ADDRESS'}",
        )
    told = _note(
        "Reachable",
        f"by anybody who can open {options.host}:{options.port}. That's the hub, and people see "
        "the wall through it. Only this machine's programs reach the wall's API.",
    )
    if options.certificate is None:
        told += _note(
            "Careful",
            "there's no TLS, so others on this network can read the traffic, invitations "
            "included. Unless you trust everybody there, add --certificate and --key.",
        )
    return told


def _roommates() -> list[str]:
    if os.geteuid() == 0:
        return _note(
            "Careful",
            "you're root, so whatever a learner runs, runs as root on this machine. Start the "
            "class as a user who owns nothing else. docs/class.md shows hubs that keep people "
            "apart.",
        )
    return _note(
        "Careful",
        f"whatever a learner runs, runs as you ({_user()}). Learners could read each "
        "other's files, and yours. docs/class.md shows hubs that keep people apart.",
    )


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user can be a number without a name
        return f"user {os.geteuid()}"


def _memory(learners: int) -> list[str]:
    need = (MB_FOR_THE_CLASS + learners * MB_PER_LEARNER) / 1024  # GB
    try:
        have = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
    except (ValueError, OSError):
        return []
    if need < have * 0.8:  # the rest is the system's, and the browser's
        return []
    return _note(
        "Careful",
        f"{learners} learners take about {need:.0f} GB of memory, and this machine has "
        f"{have:.0f}. When that runs out, the system kills programs.",
    )


def _live(options: Options, kept: Class) -> str:
    """Where the trainer's view gets its news: on this machine, without going through the proxy."""
    port = kept.ports["pages"]
    return f"ws://{LOOPBACK}:{port}{base_path(options.base_url)}services/wall/trainer/live"


# --- the hub's process ------------------------------------------------------------------------


def _configure(
    folder: Path, running: Path, options: Options, address: str, proxy: Sequence[str], token: str
) -> None:
    """Write what the hub reads when it starts."""
    settings = {
        "bind_url": _url(options, address),
        "certificate": str(options.certificate.absolute()) if options.certificate else "",
        "key": str(options.key.absolute()) if options.key else "",
        "proxy": list(proxy),
        "line_token": token,
        "parent": os.getpid(),
    }
    write_private(running / "settings.json", json.dumps(settings, indent=2))
    write_private(
        running / "jupyterhub_config.py",
        "# `pusherkit class` writes this at every start.\n"
        "from pathlib import Path\n\n"
        "from pusherkit.classroom.hub import configure_laptop\n\n"
        f"configure_laptop(get_config(), Path({str(folder)!r}))\n",
    )


def _telling(log: str) -> str:
    """The last line of a log that reports something wrong; "" if there's none.

    Where that's only a traceback's heading, it's the traceback's end, which has the message.
    """
    lines = log.splitlines()
    at = [n for n, each in enumerate(lines) if each.startswith(("[E ", "[C ", "pusherkit"))]
    if not at:
        return ""
    heading = lines[at[-1]].rstrip()
    if not heading.endswith("]"):
        return heading
    below = itertools.takewhile(lambda each: not each.startswith("["), lines[at[-1] + 1 :])
    *_, last = "", *filter(None, map(str.strip, below))
    return f"{heading} {last}".rstrip()


class _Hub:
    """JupyterHub, as a process of its own that Ctrl+C in the terminal doesn't reach directly."""

    def __init__(self, folder: Path, health: str, stopped: threading.Event, lock: int) -> None:
        self._folder = folder
        self._log = folder / "log"
        self._health = health
        self._lock = lock
        self._process: subprocess.Popen[bytes] | None = None
        self.stopped = stopped

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start it and wait until it answers, or until the class is stopped."""
        self._proxy()
        try:
            if self._log.exists():
                self._log.replace(self._log.with_name("log.1"))
            with open(os.open(self._log, os.O_WRONLY | os.O_CREAT, 0o600), "wb") as log:
                self._process = subprocess.Popen(
                    [sys.executable, "-m", "jupyterhub", "--config=jupyterhub_config.py"],
                    cwd=self._folder,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                    pass_fds=(self._lock,),
                )
        except OSError as error:
            raise cannot_write(self._folder, error) from error
        deadline = time.monotonic() + READY_SECONDS
        while not self._answers():
            if not self.running:
                raise PusherError(f"The hub couldn't start. {self.why()}")
            if time.monotonic() > deadline:
                self.stop()
                raise PusherError(
                    f"The hub didn't answer within {READY_SECONDS} seconds. {self.why()}"
                )
            if self.stopped.wait(0.5):
                return

    def _answers(self) -> bool:
        # Its certificate is for the name that people use, and we ask by the address.
        unchecked = ssl._create_unverified_context()  # noqa: S323
        here = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=unchecked)
        )
        try:
            with here.open(self._health, timeout=5):
                return True
        except OSError:
            return False

    def why(self) -> str:
        """What its log says: the last line that reports something wrong."""
        with contextlib.suppress(OSError):
            if telling := _telling(self._log.read_text(encoding="utf-8", errors="replace")):
                return f"It says: {printable(telling)}\nThe rest is in {self._log}."
        return f"What it says is in {self._log}."

    def stop(self) -> None:
        """Stop it, and with it everybody's server, the wall and the proxy."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        # A hub that could end in order has taken its proxy and the proxy's file with it.
        with contextlib.suppress(OSError):
            if process := self._proxy():
                os.kill(process, signal.SIGTERM)

    def _proxy(self) -> int:
        """The number of a proxy that a hub left behind; 0 if there's none.

        After a power cut the file is still there, and its number may be another program's by now.
        The file is removed then: JupyterHub ends whatever has that number when it starts.
        """
        file = self._folder / "proxy.pid"
        with contextlib.suppress(OSError, ValueError):
            process = int(file.read_text(encoding="ascii"))
            if process > 1 and PROXY in _command_line(process):
                return process
        with contextlib.suppress(OSError):
            file.unlink()
        return 0


def _command_line(process: int) -> str:
    """The command that a process was started with; "" if there's no such process."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{process}/cmdline").read_text(encoding="utf-8", errors="replace")
    ps = shutil.which("ps")  # where there's no /proc, as on macOS
    if ps is None:
        return ""
    asked = [ps, "-ww", "-o", "command=", "-p", str(process)]
    ran = subprocess.run(asked, capture_output=True, text=True, errors="replace")  # noqa: S603
    return ran.stdout
