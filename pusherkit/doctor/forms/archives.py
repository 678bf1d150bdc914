"""Requests out of JSON: HAR files, Postman's and Insomnia's exports, and objects in a log. Pure."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any
from urllib.parse import urlencode

from pusherkit.doctor.forms.parts import PastedRequest, as_bytes, cut, make_request
from pusherkit.errors import UnreadableText

MAX_FOUND = 1_000  # requests of one archive; the rest are left out

_NONE_OF_OURS = "None of its {count:,} requests goes to /apps/…, so none is one of this API."


def requests_in(value: Any) -> tuple[str, list[PastedRequest], str]:
    """What a JSON value is, the requests in it, and what it says besides.

    The name is "" for a value that is none of the forms known here. Raises UnreadableText.
    """
    if not isinstance(value, dict):
        return "", [], ""
    log = value.get("log")
    if isinstance(log, dict) and isinstance(log.get("entries"), list):
        return _har(log["entries"])
    if isinstance(value.get("request"), dict) and "startedDateTime" in value:
        return _har([value])  # one entry of it
    if isinstance(value.get("item"), list) and isinstance(value.get("info"), dict):
        return _postman(value)
    if isinstance(value.get("resources"), list):
        return _insomnia(value["resources"])
    if request := _logged(value):
        return "a request in JSON", [request], ""
    return "", [], ""


def _made(
    read: Callable[[dict[str, Any]], PastedRequest], asked: Iterable[dict[str, Any]]
) -> list[PastedRequest]:
    """The requests that can be read; the others are left out. Raises UnreadableText if all are."""
    made: list[PastedRequest] = []
    problem: UnreadableText | None = None
    for each in asked:
        try:
            made.append(read(each))
        except UnreadableText as error:
            problem = problem or error
        if len(made) == MAX_FOUND:
            break
    if problem and not made:
        raise problem
    return made


def _objects(value: Any) -> Iterator[dict[str, Any]]:
    """Every object inside a value, an outer one before those in it."""
    waiting = [value]
    while waiting:
        inner = waiting.pop()
        if isinstance(inner, dict):
            yield inner
            waiting += reversed(inner.values())
        elif isinstance(inner, list):
            waiting += reversed(inner)


# --- HAR ------------------------------------------------------------------------------------------


def _har(entries: list[Any]) -> tuple[str, list[PastedRequest], str]:
    made = _made(_har_request, (entry for entry in entries if _is_ours(entry)))
    said = "" if made else _NONE_OF_OURS.format(count=len(entries))
    what = "1 request" if len(entries) == 1 else f"{len(entries):,} requests"
    return f"a HAR file with {what}", made, said


def _is_ours(entry: Any) -> bool:
    """Whether it asks this API, delivers a webhook, or asks for authorization."""
    asked = entry.get("request") if isinstance(entry, dict) else None
    url = str(asked.get("url", "")) if isinstance(asked, dict) else ""
    if not url.startswith(("http://", "https://")):
        return False  # a data: URL, an extension's own
    return "/apps/" in url or "auth_key=" in url or re.search(r"/auth\b|webhook", url) is not None


def _har_request(entry: dict[str, Any]) -> PastedRequest:
    asked = entry["request"]
    posted = asked.get("postData")
    posted = posted if isinstance(posted, dict) else {}
    text = posted.get("text")
    params = posted.get("params")
    if not isinstance(text, str) and isinstance(params, list) and params:
        text = urlencode([(str(p.get("name")), str(p.get("value"))) for p in params if p])
    size = asked.get("bodySize")
    has_body = isinstance(text, str) or not (isinstance(size, int) and size > 0)
    return make_request(
        str(asked.get("method", "GET")),
        str(asked.get("url", "")),
        _decoded(text if isinstance(text, str) else "", posted.get("encoding")),
        headers=_pairs(asked.get("headers")),
        has_body=has_body,
        response=_har_answer(entry.get("response")),
    )


def _decoded(text: str, encoding: Any) -> bytes:
    if encoding != "base64":
        return as_bytes(text)
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:
        raise UnreadableText("The body in the HAR file isn't base64, as it says.") from None


def _pairs(headers: Any) -> list[tuple[str, str]]:
    """Headers as a list of {name, value} or {key, value}, or as an object."""
    if isinstance(headers, dict):
        return [(str(name), _one(value)) for name, value in headers.items()]
    if not isinstance(headers, list):
        return []
    kept = [h for h in headers if isinstance(h, dict) and not h.get("disabled")]
    return [(str(h.get("name", h.get("key", ""))), str(h.get("value", ""))) for h in kept]


def _one(value: Any) -> str:
    return str(value[0]) if isinstance(value, list) and value else str(value)


def _har_answer(answer: Any) -> str:
    if not isinstance(answer, dict) or not answer.get("status"):
        return ""
    content = answer.get("content")
    text = content.get("text", "") if isinstance(content, dict) else ""
    headers = "".join(f"{name}: {value}\n" for name, value in _pairs(answer.get("headers")))
    status = f"HTTP/1.1 {answer.get('status')} {answer.get('statusText', '')}".strip()
    return f"{status}\n{headers}\n{text}".strip()


# --- Postman, Insomnia ----------------------------------------------------------------------------

_VARIABLE = re.compile(r"\{\{\s*([^{}\n]{1,100}?)\s*\}\}")


def _postman(collection: dict[str, Any]) -> tuple[str, list[PastedRequest], str]:
    named = collection.get("variable")
    values = {
        str(v.get("key")): str(v.get("value", ""))
        for v in (named if isinstance(named, list) else [])
        if isinstance(v, dict)
    }
    made = _made(lambda asked: _postman_request(asked, values), _postman_items(collection["item"]))
    return "a Postman collection", made, ""


def _postman_items(items: list[Any]) -> Iterator[dict[str, Any]]:
    for item in _objects(items):  # of folders inside folders
        if isinstance(item.get("request"), dict):
            yield item["request"]
        elif isinstance(item.get("request"), str):
            yield {"method": "GET", "url": item["request"]}


def _postman_request(request: dict[str, Any], values: dict[str, str]) -> PastedRequest:
    url = request.get("url", "")
    text = _filled(_postman_url(url) if isinstance(url, dict) else str(url), values, "URL")
    body, has_body, notes = _postman_body(request.get("body"), values)
    if "://" not in text[:20]:
        text = f"http://{text}"
    return make_request(
        str(request.get("method", "GET")),
        text,
        body,
        headers=_pairs(request.get("header")),
        has_body=has_body,
        notes=notes,
    )


def _postman_url(url: dict[str, Any]) -> str:
    if isinstance(url.get("raw"), str):
        return str(url["raw"])
    host, path = url.get("host", ""), url.get("path", "")
    host = ".".join(map(str, host)) if isinstance(host, list) else str(host)
    path = "/".join(map(str, path)) if isinstance(path, list) else str(path).lstrip("/")
    query = "&".join(f"{name}={value}" for name, value in _pairs(url.get("query")))
    port = f":{url['port']}" if url.get("port") else ""
    return f"{url.get('protocol', 'http')}://{host}{port}/{path}" + (f"?{query}" if query else "")


def _filled(text: str, values: dict[str, str], what: str) -> str:
    """A text with the collection's own variables put in."""
    text = _VARIABLE.sub(lambda found: values.get(found[1], "") or found[0], text)
    if left := _VARIABLE.search(text):
        raise UnreadableText(
            f"The {what} holds a variable, {cut(left[0])}, so the text doesn't contain what was "
            "sent. Postman's console (View, Show Postman Console) shows it: paste it from there."
        )
    return text


def _postman_body(body: Any, values: dict[str, str]) -> tuple[bytes, bool, list[str]]:
    """The bytes of a body, whether they are known, and why not."""
    mode = body.get("mode") if isinstance(body, dict) else None
    if mode == "raw":
        try:
            return as_bytes(_filled(str(body.get("raw", "")), values, "body")), True, []
        except UnreadableText as problem:
            return b"", False, [str(problem)]
    if mode == "urlencoded":
        return as_bytes(urlencode(_pairs(body.get("urlencoded")))), True, []
    return b"", mode is None, []


def _insomnia(resources: list[Any]) -> tuple[str, list[PastedRequest], str]:
    made = _made(
        _insomnia_request,
        (each for each in resources if isinstance(each, dict) and each.get("_type") == "request"),
    )
    return ("an Insomnia export" if made else ""), made, ""


def _insomnia_request(resource: dict[str, Any]) -> PastedRequest:
    body = resource.get("body")
    text = body.get("text", "") if isinstance(body, dict) else ""
    return make_request(
        str(resource.get("method", "GET")),
        _filled(str(resource.get("url", "")), {}, "URL"),
        as_bytes(str(text)),
        headers=_pairs(resource.get("headers")),
    )


# --- a request as an object in a log --------------------------------------------------------------


def _logged(value: dict[str, Any]) -> PastedRequest | None:
    """A request as axios, Caddy, a cloud's function or a log has it: an object with its URL."""
    for candidate in _objects(value):
        url = next(
            (
                candidate[name]
                for name in ("url", "uri", "requestUri", "rawPath", "path", "request_uri")
                if isinstance(candidate.get(name), str) and "/apps/" in candidate[name]
            ),
            "",
        )
        if not url:
            continue
        query = candidate.get("rawQueryString", candidate.get("queryString", ""))
        if isinstance(query, str) and query and "?" not in url:
            url += f"?{query}"
        body = next(
            (candidate[n] for n in ("body", "data") if isinstance(candidate.get(n), str)), None
        )
        if candidate.get("status") or candidate.get("statusCode"):
            body = None  # an answer's
        method = next((candidate[n] for n in ("method", "httpMethod") if candidate.get(n)), "")
        if not isinstance(method, str) or not method:
            continue
        host = candidate.get("host", "")
        try:
            return make_request(
                method,
                url,
                as_bytes(body or ""),
                host=host if isinstance(host, str) and url.startswith("/") else "",
                headers=_pairs(candidate.get("headers")),
                has_body=body is not None or method.upper() == "GET",
            )
        except UnreadableText:
            continue
    return None
