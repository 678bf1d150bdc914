"""HTTP as text: a request as a log, a proxy or a REST client's file has it, and traces. Pure."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from typing import Any

from pusherkit.doctor.forms.parts import Claim, PastedRequest, as_bytes, as_text, cut, make_request
from pusherkit.errors import UnreadableText

MAX_HEADERS = 500  # lines of a head; servers read some hundred at most

METHOD = r"(?:GET|POST|PUT|DELETE|PATCH|HEAD|OPTIONS)"
REQUEST_LINE = re.compile(rf"[ \t]*({METHOD}|[A-Z]{{1,20}}(?=[ ]\S+[ ]HTTP/))[ ]+(\S+)")
_STATUS_LINE = re.compile(r"HTTP/[0-9.]+ [0-9]{3}\b")
_HEADER = re.compile(r"[ \t]*([A-Za-z0-9_-]{1,100})[ \t]*:(?!//)[ \t]*(.*)")
_QUERY_LINE = re.compile(r"[ \t]+([?&]\S*)[ \t]*$")
_NEXT = re.compile(rf"###|{METHOD} (?:/|https?://)\S*(?: HTTP/|[ \t\r]*$)")


DUMP_HINT = re.compile(r"^(?:[0-9:.]+ )?=> Send header, [0-9]", flags=re.MULTILINE)
WGET_HINT = re.compile(r"^---request begin---", flags=re.MULTILINE)
TRACE_HINT = re.compile(r"^> ?([A-Z]{1,20}) +(\S+) HTTP/", flags=re.MULTILINE)
HTTP_HINT = re.compile(rf"^[ \t]*(?:{METHOD} +\S|[A-Z]{{1,20}} \S+ HTTP/)", flags=re.MULTILINE)
LOG_HINT = re.compile(rf"\b{METHOD} \"?(?:https?://|/)")


@dataclass(slots=True)
class _Lines:
    """The lines of a text from a place on, one after another."""

    text: str
    at: int

    def peek(self) -> str | None:
        """The next line without its end; None at the end of the text."""
        if self.at >= len(self.text):
            return None
        end = self.text.find("\n", self.at)
        return self.text[self.at : len(self.text) if end < 0 else end].removesuffix("\r")

    def skip(self) -> None:
        end = self.text.find("\n", self.at)
        self.at = len(self.text) if end < 0 else end + 1


def read_http(text: str, start: int) -> Claim | None:
    """A request whose line begins at `start`, as text: head, empty line, body, maybe an answer.

    Raises UnreadableText for what can't have been sent.
    """
    line = REQUEST_LINE.match(text, start)
    if line is None:
        return None
    lines = _Lines(text, start)
    lines.skip()
    target, method = line[2], line[1]
    while (more := lines.peek()) is not None and (query := _QUERY_LINE.match(more)):
        target += query[1]
        lines.skip()
    fields: list[tuple[str, str]] = []
    while (header := lines.peek()) is not None and len(fields) < MAX_HEADERS:
        found = _HEADER.fullmatch(header)
        if not found:
            break
        fields.append((found[1], found[2]))
        lines.skip()
    head_ends = lines.at
    names = {name.lower(): value.strip() for name, value in fields}
    bare = "HTTP/" not in text[line.end() : line.end() + 10] and not fields
    first = not text[:start].strip()
    if bare and not first and not re.match(r"https?://", target) and "/apps/" not in target:
        return None  # "GET /", in the middle of prose
    following = lines.peek()
    if following is not None and not following.strip():
        lines.skip()
    elif following is None or not following.lstrip().startswith(("{", "[")):
        lines.at = len(text)  # no empty line, so no body
    alone = lines.at >= len(text)
    body, end, response = _rest(text, lines.at) if lines.at < len(text) else ("", head_ends, "")
    length = names.get("content-length", "")
    body, after = _without_answer(body, length)
    notes: list[str] = []
    data = _measured(body, length, notes)
    missing = not data and length.strip("0") != ""
    if missing:
        notes = [
            f"Content-Length says {cut(length)} bytes, and none of them are in the text, so "
            "nothing is said of the body."
        ]
    request = make_request(
        method,
        target,
        data,
        host=names.get("host", ""),
        headers=fields,
        # A browser's console shows the line alone, and a log may show the head alone.
        has_body=not (missing or (alone and bare and method != "GET")),
        notes=notes,
        response=response or after,
    )
    response = response or after
    return Claim(start, end, form="an HTTP request", requests=(request,), said=response)


def _rest(text: str, start: int) -> tuple[str, int, str]:
    """The body that begins at `start`, where the next request begins, and the answer between."""
    lines = _Lines(text, start)
    body_ends: int | None = None
    while (line := lines.peek()) is not None:
        if _NEXT.match(line):
            break
        if body_ends is None and _STATUS_LINE.match(line):
            body_ends = lines.at
        lines.skip()
    end = lines.at
    if body_ends is None:
        body = text[start:end]
        return (body.rstrip("\r\n") if end < len(text) else body), end, ""
    return _without_gap(text[start:body_ends]), end, text[body_ends:end].strip()


def _without_gap(body: str) -> str:
    """A body without the empty line between it and the answer."""
    for gap in ("\r\n\r\n", "\n\n"):
        if body.endswith(gap):
            return body[: -len(gap)]
    return body


def _without_answer(body: str, length: str) -> tuple[str, str]:
    """A body, and what somebody pasted below it: it ends where its length or its JSON does."""
    if re.fullmatch(r"[0-9]{1,15}", length):
        data = as_bytes(body)
        rest = as_text(data[int(length) :])
        if rest[:1] in ("\r", "\n") and rest.strip():
            return as_text(data[: int(length)]), rest.strip()
        return body, ""
    if not body.startswith("{"):
        return body, ""
    try:
        _, ends = json.JSONDecoder().raw_decode(body)
    except (ValueError, RecursionError):
        return body, ""
    after = body[ends:]
    if re.match(r"[ \t]*\r?\n", after) and after.strip():
        return body[:ends], after.strip()
    return body, ""


def _measured(body: str, length: str, notes: list[str]) -> bytes:
    """The body as far as its Content-Length goes; a note where they don't agree."""
    data = as_bytes(body)
    if not re.fullmatch(r"[0-9]{1,15}", length):
        # An editor ends the last line, and that newline isn't the body's.
        return data.removesuffix(b"\n").removesuffix(b"\r")
    said = int(length)
    if len(data) < said:
        notes.append(
            f"Content-Length says {said:,} bytes, and {len(data):,} stand here: the body was cut "
            "short on its way, or when it was copied."
        )
    elif data[said:].strip():
        notes.append(
            f"Content-Length says {said:,} bytes, and {len(data):,} stand here: a server reads the "
            f"first {said:,}."
        )
    return data[:said]


# --- traces -------------------------------------------------------------------------------------

_SENT_LINE = re.compile(r"> ?(.*)")
_GOT_LINE = re.compile(r"< ?(.*)")


def read_trace(text: str, found: re.Match[str]) -> Claim:
    """`curl -v`, and what writes like it (Guzzle's debug, wget's): `> ` sent, `< ` received.

    Such a trace doesn't hold the body.
    """
    lines = _Lines(text, found.start())
    lines.skip()
    fields: list[tuple[str, str]] = []
    while (line := lines.peek()) is not None and len(fields) < MAX_HEADERS:
        sent = _SENT_LINE.fullmatch(line)
        header = _HEADER.fullmatch(sent[1] if sent else line)  # PHP marks the first line alone
        if not header and not sent:
            break
        if header:
            fields.append((header[1], header[2]))
        lines.skip()
        if sent and not sent[1].strip():
            break
    said: list[str] = []
    while (line := lines.peek()) is not None and not TRACE_HINT.match(line):
        got = _GOT_LINE.fullmatch(line)
        said.append(got[1] if got else line)
        lines.skip()
    names = {name.lower(): value.strip() for name, value in fields}
    empty = found[1] in ("GET", "HEAD") and "content-length" not in names
    request = make_request(
        found[1],
        found[2],
        host=names.get("host", ""),
        headers=fields,
        has_body=empty or names.get("content-length") == "0",
        response=_answer(said),
    )
    return Claim(
        found.start(),
        lines.at,
        form="a `curl -v` trace",
        requests=(request,),
        said="\n".join(said),
    )


def _answer(lines: list[str]) -> str:
    """What a trace received: from the status line on, without curl's own remarks."""
    begin = next((at for at, line in enumerate(lines) if _STATUS_LINE.match(line)), None)
    if begin is None:
        return ""
    kept = [line for line in lines[begin:] if not re.match(r"\* |[{}] \[\d+ bytes data\]", line)]
    return "\n".join(kept).strip()


_DUMP_LINE = re.compile(r"([0-9a-f]{4,8}): (.*)")
_HEX = re.compile(r"((?:[0-9a-f]{2} ){1,16})")


def read_dump(text: str, start: int) -> Claim | None:
    """`curl --trace` and `--trace-ascii`: blocks of what was sent and received, with offsets."""
    lines = _Lines(text, start)
    blocks: list[tuple[str, int, list[str]]] = []
    while (line := lines.peek()) is not None:
        if block := re.match(r"(?:[0-9:.]+ )?(=>|<=) (?:Send|Recv) (header|data), (\d{1,9})", line):
            blocks.append((block[1] + block[2], int(block[3]), []))
        elif blocks and (row := _DUMP_LINE.fullmatch(line)):
            blocks[-1][2].append(row[2])
        lines.skip()
    head = as_text(_undump(blocks[0])[0])  # a dump begins with what was sent
    claim = read_http(head.replace("\r\n", "\n") + "\n\n", 0)
    if claim is None:
        return None
    bodies = [_undump(block) for block in blocks if block[0] == "=>data"]
    answer = "".join(
        as_text(_undump(block)[0]).strip("\r\n") + "\n"
        for block in blocks
        if block[0].startswith("<=")
    )
    whole = all(whole for _, whole in bodies)
    request = _with_body(
        claim,
        b"".join(body for body, _ in bodies) if whole else None,
        notes=()
        if whole
        else ("The dump shows some bytes of the body as dots. `curl --trace FILE` has them all.",),
        response=answer.strip(),
    )
    return Claim(start, lines.at, form="a `curl --trace`", requests=(request,), said=answer)


def _with_body(claim: Claim, body: bytes | None, **more: Any) -> PastedRequest:
    """The request of a head, with the body that stood apart from it; None if that's unknown."""
    (request,) = claim.requests
    sent = replace(request.request, body=body or b"")
    return replace(request, request=sent, has_body=body is not None, **more)


def _undump(block: tuple[str, int, list[str]]) -> tuple[bytes, bool]:
    """The bytes of a block, and whether they are all known."""
    kind, size, rows = block
    if rows and all(_HEX.match(row) for row in rows):
        content = b"".join(bytes.fromhex(found[1]) for row in rows if (found := _HEX.match(row)))
        if len(content) == size:
            return content, True
    # --trace-ascii breaks after 64 characters and after each line of a head.
    joined = [row if len(row) == 64 or kind.endswith("data") else row + "\n" for row in rows]
    content = as_bytes("".join(joined))
    return content, len(content) == size and (b"." not in content or b"\\u" in content)


_WGET_MARK = re.compile(r"---request (begin|end)---")
_DEBUG_BODY = re.compile(r"\[(?:BODY|POST) data: (.*)\]$")


def read_wget_debug(text: str, start: int) -> Claim | None:
    """`wget -d`: the head between two marks, then the body in brackets."""
    mark = _WGET_MARK.search(text, start + 1)
    if not mark or mark[1] != "end":
        return None
    end = mark.start()
    head = text[start:end].partition("\n")[2]
    claim = read_http(head.rstrip() + "\n\n", 0)
    if claim is None:
        return None
    lines = _Lines(text, end)
    lines.skip()
    body: bytes | None = None if claim.requests[0].header("content-length") else b""
    if found := _DEBUG_BODY.match(lines.peek() or ""):
        lines.skip()
        body = as_bytes(found[1])
    made = _with_body(claim, body, notes=())
    return Claim(start, lines.at, form="`wget -d`", requests=(made,))


# --- access logs ---------------------------------------------------------------------------------

_LOGGED = re.compile(
    rf'"(?P<method>{METHOD}) (?P<target>[^\s"`<>]+)(?: HTTP/[\d.]+)?"'
    rf"|\b(?P<method2>{METHOD}) \"?(?P<target2>(?:https?://[^\s\"/]+)?/[^\s\"'`<>]*)"
)


def read_log_line(text: str, start: int, end: int) -> Claim | None:
    """A line of an access log: method, path and query, but no body."""
    found = _LOGGED.search(text, start, end)
    if found is None:
        return None
    target = found["target"] or found["target2"]
    if "/apps/" not in target and "auth_" not in target:
        return None
    method = found["method"] or found["method2"]
    before = re.search(
        r"(https?://[\w.:-]+)\s*$", text[max(start, found.start() - 200) : found.start()]
    )
    if before and target.startswith("/"):  # urllib3 logs the host before the request
        target = before[1].removesuffix(":443").removesuffix(":80") + target
    try:
        request = make_request(method, target, has_body=method == "GET")
    except UnreadableText:
        return None
    served = re.match(r"\"? [1-5]\d\d\b", text[found.end() - 1 : found.end() + 6])
    form = "a line of an access log" if served else "a log or an exception"
    return Claim(start, end, form=form, requests=(request,), said=text[start:end])
