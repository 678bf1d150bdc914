"""Write docs/doctor.md from the doctor's tables and from the cases that people reported.

    python scripts/doctor_page.py

A mistake's name, reason and fix are in the doctor's tables; who reported it is in tests/cases.
Only what people see, and the faults that aren't mistakes in signing, are written down here.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path

from pusherkit.doctor import mistakes, subscription_mistakes, webhooks
from pusherkit.doctor.mistakes import Mistake, Row
from pusherkit.doctor.search import ANOTHER_APP, OLD_SIGNATURE, SIGNED_NOT_SENT

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "doctor.md"
INDEX = ROOT / "tests" / "cases" / "index.json"

HEAD = """\
# What goes wrong, and how to fix it

Every mistake that the doctor can prove, and what else people meet on the way to their first
accepted request. “Reported” counts the public threads and pages that we know of; the texts in
[tests/cases](../tests/cases) tell them again, with keys of our own. A dash means that we met it in
published code, or made it ourselves, and know of nobody who has asked about it in public.

To find out which one is yours, paste what you have: `pusherkit doctor`. [The
toolbox](toolbox.md) shows how.
"""

SIGNATURE = "401, `Invalid signature`"
SEEN = {  # what a server says to a mistake on each axis
    "digest": "401, `Invalid body_md5`; `Invalid signature` if the server hashes by itsel",
    "query": SIGNATURE,
    "path": f"{SIGNATURE}; 404 where the path itself is wrong",
    "method": SIGNATURE,
    "newline": SIGNATURE,
    "timestamp": f"{SIGNATURE}, or `Timestamp expired`",
    "secret": SIGNATURE,
    "mac": SIGNATURE,
    "encoding": SIGNATURE,
}
REQUEST_TITLES = {
    "digest": "The body and its hash",
    "query": "The parameters",
    "path": "The path",
    "method": "The method",
    "newline": "How the lines are joined",
    "timestamp": "The timestamp",
    "secret": "The secret",
    "mac": "The HMAC call",
    "encoding": "How the signature is written",
}
IN_A_WRAPPER = Mistake(  # search.py makes one of these for each parameter
    "signature-in-a-wrapper",
    "encoding",
    "The signature was sent with something around it, such as Some(…) or Optional(…).",
    "Take the value out of what holds it or prints it, and send the hex digits alone.",
    mistakes.LESSONS["encoding"],
)
UNTABLED = (ANOTHER_APP, OLD_SIGNATURE, SIGNED_NOT_SENT, IN_A_WRAPPER)

FAULTS = {  # what is no mistake in the tables: what it is, what people see, what to do
    "query-dropped": (
        "A proxy drops the query.",
        "`Authentication signature invalid`; in the server's log, a path without `?auth_key=…`",
        "In nginx, end a `proxy_pass` that has a path or a variable with `$is_args$args`.",
    ),
    "body-cut": (
        "The server gets a part of the body.",
        "401 for long bodies, and none for short ones",
        "Look for a limit on the way, and compare Content-Length with what arrived.",
    ),
    "another-host-or-cluster": (
        "The request goes to a server that doesn't know this app.",
        "`Unknown auth_key`; 4001, `App key … not in this cluster`, `Application does not exist`",
        "Set the host or the cluster that the app's settings show.",
    ),
    "no-such-app": (
        "The path's app id isn't one of this server's.",
        "`No matching application for ID […]`",
        "Put the app id into the path, and not the app's name or key.",
    ),
    "key-and-secret-swapped": (
        "Key and secret are swapped.",
        "`Unknown auth_key`, with your secret in it",
        "Swap them back, and get a new secret: this one went over the wire.",
    ),
    "app-id-as-auth-key": (
        "auth_key holds the app id.",
        "`Unknown auth_key`",
        "Send the app key; the app id belongs in the path.",
    ),
    "clock-wrong": (
        "A clock is wrong, or takes local time for UTC.",
        "`Timestamp expired: Given timestamp (…) not within 600s of server time (…)`",
        "Set the clock with NTP, and take Unix time straight from it.",
    ),
    "uptime-for-unix-time": (
        "auth_timestamp is the time since a start, such as `millis()`.",
        "`Timestamp expired`, with a date in 1970",
        "Set the clock first, on a small device with NTP; then send Unix time.",
    ),
    "fraction-sent": (
        "auth_timestamp has a fraction.",
        "`Timestamp required`, or `Timestamp expired`",
        "Cut it to whole seconds, then sign it and send it.",
    ),
    "body-md5-missing": (
        "A request with a body has no body_md5.",
        "`Missing parameter: body_md5`, or `body_md5 is required`",
        "Hash the body's bytes, sign the hash, and send it.",
    ),
    "parameters-missing": (
        "auth_key and its like aren't in the query.",
        "`Missing parameter: auth_key`",
        "Sign them, and send what you signed.",
    ),
    "parameters-elsewhere": (
        "The parameters are in a header or in the body.",
        "`Missing parameter: auth_key`",
        "Put them into the URL's query.",
    ),
    "token-or-password": (
        "A Bearer token, or a user and password, in place of a signature.",
        "`Missing parameter: auth_key`",
        "Sign the request. No server of this kind takes a token, and the secret stays at home.",
    ),
    "variables-in-the-paste": (
        "The command holds variables, so it isn't what was sent.",
        "the doctor's own words",
        "Run it after `set -x`, and paste what the shell shows.",
    ),
    "cors": (
        "A browser keeps the request, or its answer, from the page.",
        "`blocked by CORS policy`",
        "Publish from your server, and let the page ask that. The secret doesn't belong in a page.",
    ),
    "no-such-host": (
        "The host's name can't be resolved; often it's the cluster's.",
        "`cURL error 6`, `ENOTFOUND`, `Could not resolve host`",
        "Write out the host, or leave it empty and set the cluster.",
    ),
    "another-server-answered": (
        "Another web server answered: wrong host or port, or http where https is asked.",
        "HTML, 404, 405, a page of a CDN",
        "Ask the API's own host and port, with its scheme.",
    ),
    "too-large": (
        "The data is too large.",
        "413, `Payload too large`, `exceeds the allowed maximum (10240 bytes)`",
        "Send less, or a reference; data may have 10 KB at Pusher, 100 KB here.",
    ),
    "name-missing": (
        "The event has no name, or it isn't text.",
        "400, `Expected name parameter to be a string`",
        "Send name, data and channel; the signature was fine.",
    ),
    "subscription-unauthorized": (
        "The server refuses a subscription and says no more.",
        "4009, `The connection is unauthorized.`",
        "Paste the frame: auth, channel, channel_data and socket_id. Often it's the secret.",
    ),
    "no-sign-in": (
        "The app asks for a sign-in, and none came.",
        "4009, `Connection not authorized within timeout`",
        "Sign the user in, or turn off “authorized connections” in the app's settings.",
    ),
}  # fmt: skip


def main() -> None:
    """Write the page."""
    PAGE.write_text(page(), encoding="utf-8")


def page() -> str:
    """The page as Markdown."""
    reports = _reports()
    return "\n".join([HEAD, *_faults(reports), *_requests(reports), *_others(reports)])


def request_mistakes() -> dict[str, list[Mistake]]:
    """The mistakes with a request, each once, by axis."""
    by_axis: dict[str, dict[str, Mistake]] = {axis: {} for axis in mistakes.LESSONS}
    for table in (mistakes.TABLE, mistakes.IN_REQUESTS, mistakes.ALONE):
        for axis, rows in table.items():
            by_axis[axis] |= {mistake.name: mistake for mistake, _ in rows}
    for mistake in UNTABLED:
        by_axis[mistake.axis][mistake.name] = mistake
    return {axis: list(found.values()) for axis, found in by_axis.items()}


def _reports() -> dict[str, list[str]]:
    """The addresses for each fault."""
    found: dict[str, list[str]] = {}
    for case in json.loads(INDEX.read_text(encoding="utf-8")).values():
        known = found.setdefault(case["fault"], [])
        known += [address for address in case["reports"] if address not in known]
    return found


def _reported(addresses: Iterable[str]) -> str:
    links = [f"[{number}]({address})" for number, address in enumerate(addresses, start=1)]
    return f"{len(links)}: {' '.join(links)}" if links else "–"


def _table(rows: Iterable[tuple[str, str, str, str]]) -> Iterator[str]:
    yield "| mistake | what people see | reported | fix |"
    yield "| --- | --- | --- | --- |"
    yield from (
        f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |" for row in rows
    )
    yield ""


def _row(mistake: Mistake, seen: str, reports: dict[str, list[str]]) -> tuple[str, str, str, str]:
    why, fix = (text.replace("DATA", "channel_data") for text in (mistake.why, mistake.fix))
    return f"**{mistake.name}**: {why}", seen, _reported(reports.get(mistake.name, ())), fix


def _faults(reports: dict[str, list[str]]) -> Iterator[str]:
    yield "## Before the signature matters\n"
    yield from _table(
        (f"**{name}**: {what}", seen, _reported(reports.get(name, ())), fix)
        for name, (what, seen, fix) in FAULTS.items()
    )


def _requests(reports: dict[str, list[str]]) -> Iterator[str]:
    yield "## A request\n"
    for axis, found in request_mistakes().items():
        yield f"### {REQUEST_TITLES[axis]}\n"
        yield from _table(_row(mistake, SEEN[axis], reports) for mistake in found)


def _others(reports: dict[str, list[str]]) -> Iterator[str]:
    yield "## A subscription, or a user's sign-in\n"
    tables = (subscription_mistakes.WRAPPING, subscription_mistakes.SIGNED)
    seen = "code null, `Invalid signature: Expected HMAC SHA256 hex digest of …`"
    yield from _table(_row(each, seen, reports) for table in tables for each in in_table(table))
    yield "## A webhook\n"
    seen = "your own code says that the signature doesn't fit"
    # Some have the name of a mistake with a request, and are others.
    known = {"body-written-again": reports.get("body-written-again", [])}
    yield from _table(_row(each, seen, known) for each in in_table(webhooks.TABLE))


def in_table(table: dict[str, list[Row]]) -> list[Mistake]:
    """The mistakes of a table, each once."""
    return list({mistake.name: mistake for rows in table.values() for mistake, _ in rows}.values())


if __name__ == "__main__":
    main()
