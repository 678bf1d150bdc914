"""Requests in what SDKs and HTTP libraries log, and in the exceptions that they raise. Pure.

Such a text names the URL, often the method, seldom the body. Where the method isn't there, the path
tells it: events are posted, and the rest is asked for.
"""

from __future__ import annotations

import re
from dataclasses import replace

from pusherkit.doctor.forms.http_text import METHOD, read_http
from pusherkit.doctor.forms.javascript import unescape_js
from pusherkit.doctor.forms.parts import Claim, PastedRequest, as_bytes, make_request
from pusherkit.errors import UnreadableText

LOOK_BACK = 200  # characters before a URL in which its method is sought
LOOK_AHEAD = 20_000  # characters after it in which method and body are

URL_HINT = re.compile(
    r"https?://[\w.:\[\]-]{1,260}(?:/[^\s'\"`<>?\\]*)?/apps/[^\s'\"`<>\\]{1,9999}"
    r"|(?<![\w./])/apps/[^\s'\"`<>?\\]{1,999}\?[^\s'\"`<>\\]{0,9999}auth_[^\s'\"`<>\\]{1,9999}"
)
QUOTED_HINT = re.compile(
    rf"(?:\b(?:send|request): |<- ?|\b)?(?P<literal>b?[\"']{METHOD} \S{{1,9999}} HTTP/1\.\d\\r\\n)"
)
_METHOD_BEFORE = re.compile(rf"\b({METHOD}|Get|Post|Put|Delete|get|post)\b(?![^\n]*\b{METHOD}\b)")
_METHOD_NAMED = re.compile(rf"\bmethod['\"]?\s*(?::|=>|=)\s*['\"]?({METHOD})\b", re.IGNORECASE)
_POSTED = re.compile(r"/(?:events|batch_events|terminate_connections)$")
_PHP_BODY = re.compile(r"\btrigger POST: (\{.*\})[ \t\r]*(?:\[\] ?)*$", flags=re.MULTILINE)
_PHP_CONTEXT = re.compile(r"\"post_value\":(\"(?:[^\"\\]++|\\.)*+\")")
_JS_BODY = re.compile(
    r"\bdata['\"]?: (?:'((?:[^'\\\n]++|\\.)*+)'|\"((?:[^\"\\\n]++|\\.)*+)\"|`((?:[^`\\]++|\\.)*+)`)"
)
LOGGED = "a log or an exception"
_NAMED_BODY = re.compile(  # in somebody's own words, or a browser's: "Request body: {…}"
    r"^\W{0,9}(?:request )?(?:body|payload|data)\W{0,3}[:=][ \t]*"
    r"(\{[^\n]*\"(?:name|batch)\"[^\n]*\})[ \t\r]*$",
    flags=re.MULTILINE | re.IGNORECASE,
)
GUESSED = "The text doesn't name the method; {method} is what this path is asked with."


def read_url(text: str, found: re.Match[str]) -> Claim | None:
    """A request of which a log or an exception names the URL."""
    url = found[0].rstrip("),;:]}*")
    if not url.endswith("..."):  # three dots say that it was cut short
        url = url.rstrip(").,;:]}*")
    begin = text.rfind("\n", 0, found.start()) + 1
    ends = text.find("\n", found.end())
    ends = len(text) if ends < 0 else ends + 1
    after = text[found.end() : found.end() + LOOK_AHEAD]
    following = URL_HINT.search(after)  # what comes after it isn't this one's
    after = after[: following.start()] if following else after
    path = url.partition("?")[0]
    method, notes = _method(text[max(0, found.start() - LOOK_BACK) : found.start()], after, path)
    host = ""
    if url.startswith("/"):  # urllib3 names the host apart from the URL
        pool = re.search(r"host='([\w.-]+)', port=(\d+)", text[max(0, begin - 200) : found.start()])
        host = f"{pool[1]}:{pool[2]}".removesuffix(":443") if pool else ""
    body = _body(after) if method == "POST" else None
    try:
        request = make_request(
            method,
            url,
            as_bytes(body or ""),
            host=host,
            has_body=body is not None or method == "GET",
            notes=notes,
        )
    except UnreadableText:
        return None
    said = text[begin:ends]
    return Claim(begin, ends, form=LOGGED, requests=(request,), said=said)


def _method(before: str, after: str, path: str) -> tuple[str, list[str]]:
    line = before.rpartition("\n")[2]
    if found := _METHOD_BEFORE.search(line) or _METHOD_NAMED.search(before):
        return found[1].upper(), []
    if found := _METHOD_NAMED.search(after[:4_000]):
        return found[1].upper(), []
    method = "POST" if _POSTED.search(path) else "GET"
    return method, [GUESSED.format(method=method)]


def _body(after: str) -> str | None:
    """The body, where the log of an SDK has it: PHP's set_logger(), axios's config."""
    if found := _PHP_CONTEXT.search(after):
        return unescape_js(found[1][1:-1])
    if found := _PHP_BODY.search(after):
        return found[1]
    for found in _JS_BODY.finditer(after):
        body = unescape_js(found[found.lastindex or 0])
        if body.startswith("{") and '"error"' not in body:  # an answer is called data, too
            return body
    if found := _NAMED_BODY.search(after):
        return found[1]
    return None


# --- HTTP inside quotes ---------------------------------------------------------------------------

_QUOTED = re.compile(r"b?(?:\"((?:[^\"\\]++|\\.)*+)\"|'((?:[^'\\]++|\\.)*+)')", flags=re.DOTALL)
_PLUS = re.compile(r"\s*\+\s*")
_BYTES = re.compile(r"(?:\\x[0-9A-Fa-f]{2})+")


def read_quoted(text: str, found: re.Match[str]) -> Claim | None:
    """An HTTP request as a string literal: Python's http.client, Ruby's Net::HTTP, Go's %q.

    Python and Ruby write the body as a literal of its own on the next line.
    """
    quoted = _QUOTED.match(text, found.start("literal"))
    if not quoted:
        return None
    message, end = _joined(text, quoted)
    head, blank, body = message.partition("\r\n\r\n")
    length = re.search(r"^content-length: ?(\d+)", head, flags=re.MULTILINE | re.IGNORECASE)
    if blank and not body and length and length[1] != "0":
        again = re.compile(r"\s*(?:send: |<- ?|-> )?(?=b?['\"])").match(text, end)
        more = _QUOTED.match(text, again.end()) if again and again.end() > end else None
        if more and len(as_bytes(_literal(more))) == int(length[1]):
            message, end = message + _literal(more), more.end()
    claim = read_http(message, 0)
    if not claim:
        return None
    if blank and length and length[1] != "0" and message.endswith("\r\n\r\n"):
        bare = replace(claim.requests[0], has_body=False, notes=())  # the head alone was logged
        claim = replace(claim, requests=(bare,))
    begin = text.rfind("\n", 0, found.start()) + 1
    return Claim(
        begin, end, form="an HTTP request in a log", requests=claim.requests, said=claim.said
    )


def _joined(text: str, quoted: re.Match[str]) -> tuple[str, int]:
    """A literal and those that a `+` adds to it, as Node prints a long one; and where they end."""
    pieces = [_literal(quoted)]
    while (plus := _PLUS.match(text, quoted.end())) and (more := _QUOTED.match(text, plus.end())):
        pieces.append(_literal(more))
        quoted = more
    return "".join(pieces), quoted.end()


def _literal(quoted: re.Match[str]) -> str:
    """A string literal's text; bytes written as \\xNN are UTF-8, as they went over the wire."""
    text = quoted[1] if quoted[1] is not None else quoted[2]
    text = _BYTES.sub(
        lambda found: bytes.fromhex(found[0].replace("\\x", "")).decode(errors="surrogateescape"),
        text,
    )
    return unescape_js(text)


def merge(requests: list[PastedRequest]) -> list[PastedRequest]:
    """Without those that say the same as another and less: a trace beside its command.

    Two requests are the same if method, path and parameters are; the one with a body stays, with
    the answer of the other.
    """
    merged: list[PastedRequest] = []
    places: dict[object, int] = {}
    for request in requests:
        target = _target(request)
        at = places.get(target)
        if at is None:
            places[target] = len(merged)
            merged.append(request)
            continue
        first = merged[at]
        if first.has_body and request.has_body and first.request.body != request.request.body:
            merged.append(request)
            continue
        best = request if request.has_body and not first.has_body else first
        merged[at] = replace(
            best,
            base_url=first.base_url or request.base_url,
            headers=best.headers or first.headers or request.headers,
            response=first.response or request.response,
        )
    return merged


def _target(request: PastedRequest) -> object:
    return request.request.method, request.request.path, request.request.params
