"""The command line: `pusherkit lab`, `class`, `wall`, `progress`, `clinic`, `sandbox` and so on."""

from __future__ import annotations

import argparse
import getpass
import json
import logging
import math
import os
import re
import shlex
import shutil
import signal
import sys
import threading
import time
import warnings
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, TextIO

import pusherkit
from pusherkit._terminal import printable
from pusherkit.errors import PusherError

if TYPE_CHECKING:
    from pusherkit._terminal import Terminal
    from pusherkit.credentials import Credentials
    from pusherkit.doctor.consult import Opinion
    from pusherkit.doctor.door import Door
    from pusherkit.sandbox import Entry, Exchange, Reply, SandboxServer
    from pusherkit.sandbox.personalities import Played

DEFAULT_PORT = 8123  # of `pusherkit sandbox`; any free one would change at every start
CLINIC_PORT = 8124  # of `pusherkit clinic`, so that both can run
WALL_PORT = 8090  # of `pusherkit wall`, so that every learner's settings can name it
INTERRUPTED = 130  # the status that shells give to what Ctrl+C ended: 128 + SIGINT
MAX_BODY = 300  # characters of another server's answer that `pusherkit sandbox` prints
MAX_PATH = 500  # characters of a path that `pusherkit sandbox` prints
LAST_WORDS_SECONDS = 0.5  # until `pusherkit sandbox` ends, read or not


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; return its exit status.

    1 is a problem, said in a sentence, 2 a usage error, and INTERRUPTED a Ctrl+C. The doctor and
    the vectors have statuses of their own, which their help lists.
    """
    try:
        return _run(list(sys.argv[1:] if argv is None else argv))
    except KeyboardInterrupt:
        print(file=sys.stderr)  # after the ^C
        return INTERRUPTED


def _run(words: list[str]) -> int:
    parser = _parser()
    if not words:  # somebody wants to know what there is
        parser.print_help(sys.stderr)
        return 2
    # argparse would take options behind -- for its own words.
    cut = words.index("--") if "--" in words else len(words)
    options = parser.parse_args(words[:cut])
    rest = words[cut + 1 :]
    if rest and options.command != "lab":
        parser.error(f"{options.command} takes nothing after --")
    try:
        if options.command == "lab":
            return _lab(options, rest)
        run = {
            "class": _class,
            "progress": _progress,
            "clinic": _clinic,
            "sandbox": _sandbox,
            "wall": _wall,
            "doctor": _doctor,
            "vectors": _vectors,
        }
        return run[options.command](options)
    except PusherError as error:
        print(f"pusherkit {options.command}: {error}", file=sys.stderr)
        return 1


class _Parser(argparse.ArgumentParser):
    """Words that cannot be used are repeated in the error; a secret among them is not."""

    def error(self, message: str) -> NoReturn:
        from pusherkit.doctor.door import Door

        super().error(Door(os.environ.get("PUSHER_SECRET")).hide(message))


def _parser() -> argparse.ArgumentParser:
    from pusherkit.doctor.consult import FORMS
    from pusherkit.sandbox.personalities import PERSONALITIES
    from pusherkit.sandbox.sdk_settings import STACKS

    parser = _Parser(
        prog="pusherkit",
        description="See every byte of a signed Pusher request.",
        epilog="Help on a command: pusherkit lab --help",
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {pusherkit.__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    lab = commands.add_parser(
        "lab",
        help="open the lessons in JupyterLab",
        description="Open the lessons in JupyterLab, at the one that you worked on last. In a "
        "checkout of pusherkit, or installed from one with pip install -e, these are its own "
        "notebooks. Otherwise they are copied to ./pusherkit-lessons, once: a file of yours is "
        "never overwritten. With --dir they are always copied. Stop it with Ctrl+C.",
        epilog="What you write after -- goes to JupyterLab: "
        "pusherkit lab -- --ServerApp.base_url=/course/",
    )
    lab.add_argument(
        "--dir",
        type=Path,
        metavar="FOLDER",
        help="copy the lessons to this folder, and work there; it's made if it isn't there yet",
    )
    lab.add_argument(
        "--solutions",
        action="store_true",
        help="open the lessons with every exercise solved, in a folder of their own: "
        "./pusherkit-solutions, or the one of --dir",
    )
    lab.add_argument("--no-browser", action="store_true", help="open no browser; print the URL")
    lab.add_argument(
        "--port",
        type=_port,
        help="the port to listen on, or the next free one; 0 for any (default: 8888)",
    )
    lab.add_argument("--verbose", action="store_true", help="print JupyterLab's own log as well")
    lab.add_argument(
        "--stock",
        action="store_true",
        help="leave JupyterLab's settings and its kernel connection as they are, to compare",
    )

    room = commands.add_parser(
        "class",
        help="run the lessons for a room full of people, from this machine",
        description="Run a JupyterHub for a class. You get a link for each learner, a wall to "
        "project, and a view that shows who needs help. Everything is kept in one folder. Ctrl+C "
        "stops it; start it again in the same place, and everybody carries on with the link they "
        "have. It needs an extra: pip install 'pusherkit[class]'",
        epilog="Whatever learners run, runs on this machine, as you. docs/class.md says how to "
        "keep people apart, and what a larger class takes.",
    )
    room.add_argument(
        "--learners",
        type=_count,
        metavar="N",
        help="how many learners, called 01, 02 and so on (default: as before, or 20)",
    )
    room.add_argument(
        "--names",
        type=Path,
        metavar="FILE",
        help="the learners' names, one per line, instead of numbers",
    )
    room.add_argument(
        "--host",
        default="127.0.0.1",
        metavar="ADDRESS",
        help="this machine's address on the room's network (default: 127.0.0.1, which only this "
        "machine can reach)",
    )
    room.add_argument(
        "--port", type=_port, default=8000, help="the port to listen on (default: 8000)"
    )
    room.add_argument(
        "--dir",
        type=Path,
        metavar="FOLDER",
        default=Path("pusherkit-class"),
        help="the class's folder; it's made if it isn't there yet (default: ./pusherkit-class)",
    )
    room.add_argument("--title", help="the wall's heading (default: as before)")
    room.add_argument(
        "--certificate", type=Path, metavar="FILE", help="a certificate (PEM), for https"
    )
    room.add_argument("--key", type=Path, metavar="FILE", help="its private key (PEM)")
    room.add_argument(
        "--base-url",
        default="/",
        metavar="PATH",
        help="the path it's under, such as /class/, if it's behind a web server of yours",
    )

    progress = commands.add_parser(
        "progress",
        help="show what was passed, the commonest mistakes, and what surprised people",
        description="Read the progress that the lessons keep beside the notebooks, for one learner "
        "or many. For each exercise you see how many people tried and passed it, in how many "
        "attempts, and the commonest mistakes; and then, which predictions surprised them. What "
        "learners wrote isn't kept, and nobody's name is shown unless you give it. If a file can't "
        "be used, the report says so, and the others still count.",
        epilog="Exit status: 0 every file was read; 1 at least one couldn't be.",
    )
    progress.add_argument(
        "files",
        nargs="*",
        type=Path,
        metavar="FILE",
        help="a progress file, or a folder that has some, in it or up to two levels below "
        "(default: the lessons' folder here)",
    )
    progress.add_argument(
        "--name",
        action="append",
        default=[],
        metavar="NAME",
        help="whose file it is; give one for each file, in the same order (can be repeated)",
    )
    progress.add_argument("--json", action="store_true", help="print the report as JSON")

    sandbox = commands.add_parser(
        "sandbox",
        help="run the practice server",
        description="Run the practice server on 127.0.0.1. It prints its settings, ready for a "
        ".env file, then a line for each request, and the reason under each refusal. Open its "
        "address in a browser for a live page. Stop it with Ctrl+C.",
        epilog="It answers under the names 127.0.0.1 and localhost, to programs and to pages from "
        "there. Behind a proxy with another name (JupyterHub, Binder), allow that name.",
    )
    sandbox.add_argument(
        "--port",
        type=_port,
        default=DEFAULT_PORT,
        help=f"the port to listen on, 0 for any free one (default: {DEFAULT_PORT})",
    )
    sandbox.add_argument("--app-id", help="the app's id (default: 6855671)")
    sandbox.add_argument("--key", help="the app key (default: practice-key)")
    sandbox.add_argument(
        "--secret",
        help="a secret to practise with (default: practice-secret); others on this machine can "
        "read it in the list of processes, so for your app's own use --from-env",
    )
    sandbox.add_argument(
        "--from-env",
        action="store_true",
        help="take the app from PUSHER_APP_ID, PUSHER_KEY and PUSHER_SECRET in the environment, "
        "and do not print its secret",
    )
    sandbox.add_argument(
        "--rate", type=_rate, help="requests per second, above 0 (default: no limit)"
    )
    sandbox.add_argument(
        "--as",
        dest="personality",
        choices=PERSONALITIES,
        metavar="SERVER",
        help="judge and answer as another server does: " + ", ".join(PERSONALITIES) + ". The "
        "lines printed here still say what the strict practice server thinks (default: be that "
        "strict server)",
    )
    sandbox.add_argument(
        "--allow-host",
        action="append",
        default=[],
        metavar="NAME",
        help="another host name that it answers to, as a proxy sends it: hub.example (can be "
        "repeated)",
    )
    sandbox.add_argument(
        "--allow-origin",
        action="append",
        default=[],
        metavar="ORIGIN",
        help="other pages that may use it: http://my-app.test:3000 (can be repeated)",
    )
    sandbox.add_argument(
        "--webhook",
        metavar="URL",
        help="tell your server what happens in the channels: http://127.0.0.1:5000/webhooks, or "
        "another URL on this machine",
    )
    sandbox.add_argument(
        "--subscription-count",
        action="store_true",
        help="tell subscribers, and the webhook, how many connections a channel has",
    )
    sandbox.add_argument(
        "--settings-for",
        choices=STACKS,
        metavar="STACK",
        help="print the settings that make an app's official client talk to this server, and exit: "
        + ", ".join(STACKS),
    )
    wall = commands.add_parser(
        "wall",
        help="show a class what everybody sends, and the trainer who needs help",
        description="Run a class's wall: one practice server for everybody, where each learner has "
        "their own app key, a page to project, and a view for the trainers. It runs as a service "
        "of a JupyterHub, which starts it and decides who may look; `pusherkit class` starts both. "
        "With --site there's no hub, and learners install nothing: they open one address, choose a "
        "name, and do the lessons in their browser.",
        epilog="Every learner's secret is made from the class secret. That's "
        "PUSHERKIT_CLASS_SECRET, if you set it. Otherwise it's in the file `secret` in the folder, "
        "and gets made the first time.",
    )
    wall.add_argument(
        "--site",
        type=Path,
        metavar="FOLDER",
        help="run a class with browsers only, from a folder with a built site: build/site",
    )
    wall.add_argument(
        "--data",
        type=Path,
        required=True,
        metavar="FOLDER",
        help="the folder for what has to survive a restart; it's made if it isn't there yet",
    )
    wall.add_argument(
        "--host",
        default="127.0.0.1",
        help="the address where learners' programs reach it (default: 127.0.0.1)",
    )
    wall.add_argument(
        "--port",
        type=_port,
        default=WALL_PORT,
        help=f"the port to listen on, 0 for any free one (default: {WALL_PORT})",
    )
    wall.add_argument(
        "--allow-host",
        action="append",
        default=[],
        metavar="NAME",
        help="another host name by which programs reach it, such as wall (can be repeated)",
    )
    wall.add_argument("--title", help="the heading on its pages")
    wall.add_argument("--learners", type=_count, metavar="N", help="how many you expect")
    wall.add_argument(
        "--names",
        type=Path,
        metavar="FILE",
        help="the learners' names in the hub, one per line: your view then says who's missing, and "
        "an app key that's nobody's is called that",
    )
    wall.add_argument(
        "--trainer",
        action="append",
        default=[],
        metavar="NAME",
        help="a trainer's name in the hub: what they send is shown, and not counted (can be "
        "repeated)",
    )
    clinic = commands.add_parser(
        "clinic",
        help="show what you can do, with a program in any language",
        description="The capstone: write a program in any language, from an empty file. The clinic "
        "runs a practice server, prints its settings, and judges your program by what reaches the "
        "server. The tasks are at its address, under /clinic.html; the terminal ticks them off. "
        "At the end your program signs its own results, and you get a page to keep. Stop it with "
        "Ctrl+C: what you've shown is kept in .pusherkit-clinic.json in this folder, and next time "
        "it goes on from there.",
        epilog="Exit status: 0 everything is shown; 1 something is still open, or the clinic can't "
        "run; 2 the command line is wrong.",
    )
    clinic.add_argument(
        "--port",
        type=_port,
        default=CLINIC_PORT,
        help=f"the port to listen on, 0 for any free one (default: {CLINIC_PORT})",
    )
    clinic.add_argument("--once", action="store_true", help="end as soon as everything is shown")
    clinic.add_argument(
        "--fresh", action="store_true", help="begin again, and forget what was shown before"
    )
    clinic.add_argument("--json", action="store_true", help="print one JSON object per line")
    clinic.add_argument(
        "--output",
        type=Path,
        metavar="FILE",
        help="write the page to this file, even if something is still open (default: "
        "pusherkit-clinic.html, once everything is shown)",
    )
    clinic.add_argument(
        "--settings-for",
        choices=STACKS,
        metavar="STACK",
        help="print the settings that make an official client talk to the clinic, and exit: "
        + ", ".join(STACKS),
    )
    sabotage = clinic.add_argument_group(
        "sabotage",
        "A queue of broken requests, made from the doctor's own table: you name the cause of each. "
        "It needs no server.",
    )
    sabotage.add_argument(
        "--seed",
        type=_seeds,
        metavar="N",
        help="the queue with this number, which is the same everywhere; --check also takes a "
        "range, such as 1..200",
    )
    one_of = sabotage.add_mutually_exclusive_group()
    one_of.add_argument(
        "--print",
        action="store_true",
        help="print the whole queue, to hand out, without asking anything; a pipe does the same",
    )
    one_of.add_argument("--sheet", action="store_true", help="print the answers, for a trainer")
    one_of.add_argument(
        "--check",
        action="store_true",
        help="check that every case can be solved, and by only one of the answers on offer; exit "
        "status 1 if not",
    )
    doctor = commands.add_parser(
        "doctor",
        help="name the mistake behind a refused request, with proof",
        description="Paste what you have, and the doctor says what it took it for, which mistake "
        "made the signature, with proof, and what the same request looks like signed correctly. "
        f"It reads {FORMS}. Put the app's secret into PUSHER_SECRET; if it isn't there, you're "
        "asked for it, and what you type isn't shown. PUSHER_KEY and PUSHER_APP_ID say which app "
        "it is, if the text doesn't, or has it wrong. Nothing is sent anywhere, nothing that you "
        "paste is run, and the secret is never printed.",
        epilog="Exit status: 0 all of it is signed as it should be; 1 something isn't, and the "
        "mistake or the cause is named; 2 something isn't, and no known mistake explains it; 3 the "
        "input cannot be used.",
    )
    doctor.add_argument("file", nargs="?", help="the file to read (default: standard input)")
    doctor.add_argument("--json", action="store_true", help="print the verdict as JSON")
    doctor.add_argument(
        "--read-files", action="store_true", help="read the files that the command names (-d @file)"
    )
    vectors = commands.add_parser(
        "vectors",
        help="name the mistakes that a test vector cannot detect",
        description="Read signing vectors as JSON, and name the known mistakes that each of them "
        "can't detect, and the smallest addition that would change that. A vector has method, "
        "path, params, body, key, secret and timestamp. The JSON is one vector, a list of them, "
        "or an object whose lists vectors and no_blind_spot contain them; there, anything that "
        "isn't a whole request is skipped.",
        epilog="Exit status: 0 each vector detects every known mistake; 1 at least one doesn't; "
        "3 the input cannot be used.",
    )
    vectors.add_argument("file", nargs="?", help="the file to read (default: standard input)")
    return parser


def _seeds(text: str) -> range:
    from pusherkit.clinic.sabotage import read_seeds

    try:
        return read_seeds(text)
    except PusherError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) <= 65535):
        raise argparse.ArgumentTypeError(f"expected a port from 0 to 65535, got {text!r}")
    return int(text)


def _count(text: str) -> int:
    if not re.fullmatch("[1-9][0-9]{0,5}", text):
        raise argparse.ArgumentTypeError(f"expected a number from 1 to 999999, got {text!r}")
    return int(text)


def _rate(text: str) -> float:
    try:
        rate = float(text)
    except ValueError:
        rate = math.nan
    if not (rate > 0 and math.isfinite(rate)):
        raise argparse.ArgumentTypeError(f"expected requests per second, above 0, got {text!r}")
    return rate


def _lab(options: argparse.Namespace, rest: list[str]) -> int:
    from pusherkit import lab

    port = options.port and lab.free_port(options.port)
    place = lab.solutions_folder if options.solutions else lab.lessons_folder
    folder, said = place(Path.cwd(), options.dir)
    lesson = lab.last_lesson(folder)
    argv = lab.arguments(
        folder,
        lesson,
        port=port,
        browser=not options.no_browser,
        verbose=options.verbose,
        rest=rest,
    )
    told = [
        *([] if port == options.port else [f"Port {options.port} is taken, so I use {port}."]),
        f"Your files: {folder}",
        *([] if lesson == lab.FIRST_LESSON else [f"You left off in {lesson}."]),
        *said,
        "To stop, press Ctrl+C here.",
    ]
    lab.run(argv, told, stock=options.stock, verbose=options.verbose)
    return 0


def _class(options: argparse.Namespace) -> int:
    from pusherkit.classroom import command

    return command.run(
        command.Options(
            folder=options.dir,
            learners=options.learners,
            names=options.names,
            title=options.title,
            host=options.host,
            port=options.port,
            base_url=options.base_url,
            certificate=options.certificate,
            key=options.key,
        ),
        sys.stdout,
    )


def _progress(options: argparse.Namespace) -> int:
    from pusherkit._progress import find, in_words, own, report

    files = find(options.files or [own(Path.cwd())])
    made = report(files, options.name)
    for each in made.problems:
        # On standard error, because a path may have a name in it.
        print(printable(f"{files[each.file - 1]}: {each.problem}"), file=sys.stderr)
    if options.json:
        _out(json.dumps(made.as_json(), indent=2))
    elif made.learners:
        _out(_printable_lines(in_words(made, shutil.get_terminal_size().columns)))
    return 1 if any(each.left_out for each in made.problems) else 0


def _sandbox(options: argparse.Namespace) -> int:
    from pusherkit._terminal import Terminal
    from pusherkit.credentials import Credentials
    from pusherkit.sandbox import PRACTICE_CREDENTIALS, SandboxServer
    from pusherkit.sandbox.sdk_settings import settings_for

    default = Credentials.from_env() if options.from_env else PRACTICE_CREDENTIALS
    credentials = Credentials(
        app_id=default.app_id if options.app_id is None else options.app_id,
        key=default.key if options.key is None else options.key,
        secret=default.secret if options.secret is None else options.secret,
        base_url=default.base_url,
    )
    if options.settings_for:
        if not options.port:
            raise PusherError("--settings-for needs the port that the server will have, not 0.")
        if options.from_env:
            raise PusherError("--settings-for prints the secret, so it can't go with --from-env.")
        where = replace(credentials, base_url=f"http://127.0.0.1:{options.port}")
        print(settings_for(options.settings_for, where), end="")
        return 0
    server = SandboxServer(
        credentials,
        port=options.port,
        rate=options.rate,
        watch=lambda entry: _print(terminal, entry),
        allow_hosts=options.allow_host,
        allow_origins=options.allow_origin,
        webhook=options.webhook,
        subscription_count=options.subscription_count,
        personality=options.personality,
    )
    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())
    terminal = Terminal(sys.stdout)
    logging.basicConfig(handlers=[_ToTerminal(terminal)], level=logging.WARNING)
    logging.getLogger("pusherkit.sandbox").setLevel(logging.INFO)
    with server:
        variables = server.credentials.to_env().items()
        settings = {name: f"{name}={shlex.quote(value)}\n" for name, value in variables}
        if options.from_env:
            settings["PUSHER_SECRET"] = "# PUSHER_SECRET is not shown.\n"  # noqa: S105 - it isn't
        terminal.print(
            "# The practice server is up. Its settings, for a .env file:\n"
            f"{''.join(settings.values())}"
            f"# The live page: {server.url}/\n"
            f"{_webhook_line(credentials, options.webhook)}"
            f"{_plays(server)}"
            "# Each request, and the reason under each refusal. Stop with Ctrl+C."
        )
        while not stopped.wait(timeout=1):  # a timeout, so that Windows sees Ctrl+C
            pass
    terminal.print("# Stopped.")
    terminal.close(LAST_WORDS_SECONDS)
    return 0


def _wall(options: argparse.Namespace) -> int:
    run: Callable[..., None]
    if options.site is None:
        from pusherkit.classroom import wall
        from pusherkit.classroom.invitations import hub_names

        names = hub_names(options.names) if options.names else ()
        run, title = partial(wall.run, names=names, trainers=options.trainer), "The wall"
    else:
        from pusherkit.classroom import site  # it needs the lessons, which take their time

        if options.names or options.trainer:
            raise PusherError(
                "--names and --trainer are for a hub's class. With --site, people choose a name."
            )
        run, title = partial(site.run, site=options.site), "Signing for Pusher"
    run(
        options.data,
        os.environ,
        _out,
        title=title if options.title is None else options.title,
        learners=options.learners,
        host=options.host,
        port=options.port,
        allow_hosts=options.allow_host,
    )
    return 0


def _clinic(options: argparse.Namespace) -> int:
    from pusherkit.clinic import command

    if options.seed is not None:
        return _sabotage(options)
    if options.print or options.sheet or options.check:
        raise PusherError("--print, --sheet and --check need a seed: --seed 7, for example.")
    if options.settings_for:
        print(command.settings_for(options.settings_for, options.port), end="")
        return 0
    return command.run(
        command.Options(
            port=options.port,
            once=options.once,
            as_json=options.json,
            output=options.output,
            fresh=options.fresh,
        )
    )


def _webhook_line(credentials: Credentials, url: str | None) -> str:
    return f"# Webhooks go to {credentials.hide(url)}\n" if url else ""


def _plays(server: SandboxServer) -> str:
    personality = server.sandbox.personality
    if personality is None:
        return ""
    return f"# It answers as {personality.server} does. What it would say itself is under that.\n"


def _doctor(options: argparse.Namespace) -> int:
    from pusherkit.doctor.consult import FORMS, App, examine, needs_secret
    from pusherkit.doctor.door import Door
    from pusherkit.doctor.pasted import MAX_TEXT, read

    secret = os.environ.get("PUSHER_SECRET", "")
    door = Door(secret)
    read_file = partial(_read_bytes, limit=MAX_TEXT) if options.read_files else None
    try:
        pasted = read(_read_text(options.file, FORMS), read_file=read_file)
        if needs_secret(pasted) and not secret:
            secret = _ask_for_the_secret()
            door.learn(secret)
        known = App(
            secret=secret,
            key=os.environ.get("PUSHER_KEY", ""),
            app_id=os.environ.get("PUSHER_APP_ID", ""),
        )
        report = examine(pasted, known, now=time.time())
    except (PusherError, OSError) as error:
        return _unusable("doctor", error, door)
    if options.json:
        told = {**asdict(report), "status": report.status}
        _out(json.dumps(_hidden(told, door), indent=2))
    else:
        opinions = tuple(map(_as_this_terminal_can, report.opinions))
        _say(door, str(replace(report, opinions=opinions)))
    return report.status


def _as_this_terminal_can(opinion: Opinion) -> Opinion:
    """Without a corrected request that this terminal would change as it prints it."""
    if opinion.corrected == _printable_lines(opinion.corrected):
        return opinion
    why = "it holds characters that this terminal cannot show. --json has it."
    return replace(opinion, corrected="", not_corrected=why)


def _ask_for_the_secret() -> str:
    """The app's secret; "" where nobody can be asked, or nobody knows it."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", getpass.GetPassWarning)  # it would be shown as it's typed
        with suppress(EOFError, getpass.GetPassWarning):
            return getpass.getpass("The app's secret: ")
    return ""


def _vectors(options: argparse.Namespace) -> int:
    from pusherkit.doctor.door import Door
    from pusherkit.doctor.vectors import blind_spots, read_vectors, report

    door = Door(os.environ.get("PUSHER_SECRET"))
    try:
        vectors = read_vectors(_read_text(options.file, "vectors as JSON"))
    except (PusherError, OSError) as error:
        return _unusable("vectors", error, door)
    for vector in vectors:
        _say(door, report(vector))
    return 1 if any(map(blind_spots, vectors)) else 0


def _sabotage(options: argparse.Namespace) -> int:
    """A queue of broken requests: to be worked on, printed, answered or checked."""
    from pusherkit.clinic import desk
    from pusherkit.clinic.sabotage import check, queue

    seeds: range = options.seed
    beside = ("once", "fresh", "json", "output", "settings_for")
    if given := [f"--{name.replace('_', '-')}" for name in beside if getattr(options, name)]:
        raise PusherError(f"--seed runs no server, so {' and '.join(given)} can't go with it.")
    if options.check:
        return _check_seeds(seeds, check)
    if len(seeds) > 1:
        raise PusherError("--seed: a range goes with --check. Take one of them, such as --seed 7.")
    if options.sheet:
        _out(_printable_lines(desk.sheet(seeds[0])))
        return 0
    cases = queue(seeds[0])
    _out(_printable_lines(desk.heading(seeds[0], cases)))
    if sys.stdin.isatty() and not options.print:
        desk.work(cases, _ask_line, lambda text: _out(_printable_lines(text)))
    else:
        for case in cases:
            _out(_printable_lines(f"{desk.text_of(case, len(cases))}\n"))
    return 0


def _check_seeds(seeds: range, check: Callable[[int], list[str]]) -> int:
    """Say what is unfair in these seeds."""
    unfair = 0
    for seed in seeds:
        if problems := check(seed):
            unfair += 1
            _out(_printable_lines("\n".join(problems)))
    which = f"Seed {seeds[0]} is" if len(seeds) == 1 else f"{len(seeds)} seeds: all are"
    if unfair:
        which = f"{unfair} of {len(seeds)} seeds aren't solvable and fair."
    else:
        which += " solvable and fair."
    _out(which)
    return 1 if unfair else 0


def _ask_line(prompt: str) -> str | None:
    """A line that somebody types; None once they leave."""
    try:
        return input(prompt)
    except (EOFError, KeyboardInterrupt):
        _out("")
        return None


def _read_text(file: str | None, what: str) -> str:
    from pusherkit.doctor.pasted import MAX_TEXT, decoded, too_long

    if file is None and sys.stdin.isatty():
        end = "Ctrl+Z and Enter" if sys.platform == "win32" else "Ctrl+D"
        print(f"Paste {what}.\nThen end it with {end}, on a line of its own.", file=sys.stderr)
    limit = MAX_TEXT + 1  # bytes; one more shows that there is more
    data = sys.stdin.buffer.read(limit) if file is None else _read_bytes(file, limit=MAX_TEXT)
    if len(data) > MAX_TEXT:
        raise too_long()
    return decoded(data)


def _read_bytes(file: str, *, limit: int) -> bytes:
    """A file's bytes, and one more than the limit where it's longer: it may have no end."""
    with Path(file).open("rb") as opened:
        return opened.read(limit + 1)


def _unusable(command: str, error: Exception, door: Door) -> int:
    """Say why there is nothing to look at; return the exit status for that."""
    reason = str(error)
    if isinstance(error, OSError):
        reason = f"{error.filename}: {error.strerror}" if error.filename else f"{error.strerror}"
    _say(door, f"pusherkit {command}: {reason}", to=sys.stderr)
    return 3


def _say(door: Door, text: str, to: TextIO | None = None) -> None:
    """The one way out for what the doctor and the vectors say: no secret, no control character."""
    _out(_printable_lines(door.hide(text)), to)


def _out(text: str, to: TextIO | None = None) -> None:
    """Print at once. The reader may have enough and leave, as `head` does."""
    stream = to or sys.stdout
    try:
        print(text, file=stream, flush=True)
    except BrokenPipeError:
        # Python would complain when it ends and flushes; now it writes to nowhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _hidden(value: object, door: Door) -> object:
    """A value for JSON whose every text has gone through the door."""
    if isinstance(value, str):
        return door.hide(value)
    if isinstance(value, dict):
        return {key: _hidden(inner, door) for key, inner in value.items()}
    return [_hidden(inner, door) for inner in value] if isinstance(value, list | tuple) else value


def _printable_lines(text: str) -> str:
    return "\n".join(printable(line) for line in text.split("\n"))


class _ToTerminal(logging.Handler):
    """Where the practice server's warnings go: among its lines, which nothing has to wait for."""

    def __init__(self, terminal: Terminal) -> None:
        super().__init__()
        self._terminal = terminal
        self.setFormatter(logging.Formatter("%(asctime)s  %(message)s", "%H:%M:%S"))

    def emit(self, record: logging.LogRecord) -> None:
        self._terminal.print(_printable_lines(self.format(record)))


def _print(terminal: Terminal, entry: Entry) -> None:
    """One line for a request, a client event or a webhook; under a refusal, why, and what to do."""
    from pusherkit.sandbox import Exchange, RefusedSubscription, WebhookCall

    clock = datetime.fromtimestamp(entry.time).strftime("%H:%M:%S")
    if isinstance(entry, Exchange):
        terminal.print(f"{clock}  {_exchange_lines(entry)}")
    elif isinstance(entry, RefusedSubscription):
        line = f"{entry.code or 'refused'}  {entry.diagnosis.what} {entry.channel}".rstrip()
        line = printable(f"{line} from {entry.socket_id}")
        terminal.print("\n".join([f"{clock}  {line}", *_indented(entry.note.split("\n"))]))
    elif isinstance(entry, WebhookCall):
        line = printable(f"{entry.status or 'no answer'}  webhook {entry.webhook}")
        note = entry.note.split("\n") if entry.note else []
        terminal.print("\n".join([f"{clock}  {line}", *_indented(note)]))
    elif entry.client_event:  # the others were printed with their request
        event = entry.event
        said = f"{event.name} → {event.channels[0]} from {event.socket_id}"
        terminal.print(f"{clock}  client event  {printable(said)}")


def _exchange_lines(exchange: Exchange) -> str:
    reply = exchange.reply
    path = printable(exchange.path[:MAX_PATH])
    line = f"{reply.status}  {printable(exchange.method)} {path}"
    if exchange.played and exchange.strict:
        return "\n".join(
            [line, *_indented(_played_lines(exchange.played, exchange.strict, reply.note))]
        )
    first, *rest = reply.note.split("\n")
    if reply.status < 400:
        return f"{line}  {printable(first)}".rstrip()
    return "\n".join([line, *_indented([first, *rest])])


def _played_lines(played: Played, strict: Reply, note: str) -> list[str]:
    """What went out as another server's answer, then what the strict one thinks."""
    body = played.answer.body
    shown = body if len(body) <= MAX_BODY else body[:MAX_BODY] + "…"
    said = [f"as {played.server}: {shown.strip() or '(an empty body)'}"]
    if played.accepts and strict.status < 400:
        return [*said, note] if note else said
    said.append(f"It refuses this: {played.case}." if played.case else f"It accepts this: {note}")
    first, *rest = strict.note.split("\n")
    return [*said, f"Strictly it's {strict.status}. {first}".rstrip(), *rest]


def _indented(lines: list[str]) -> list[str]:
    return [f"          {printable(text)}" for text in lines]
