"""The finer points of each form: what its tools do with a value, and what stays unknown."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from pusherkit import UnreadableText
from pusherkit.doctor.forms.archives import MAX_FOUND, requests_in
from pusherkit.doctor.forms.values import MAX_CODE
from pusherkit.doctor.pasted import NOTHING, PastedRequest, read

P = "https://h.example/apps/3/events"
U = f"{P}?auth_key=k&auth_signature=x"


def one(text: str) -> PastedRequest:
    (request,) = read(text).requests
    return request


def sent(text: str) -> tuple[str, str, tuple[tuple[str, str], ...], bytes | None]:
    """Method, whole URL without query, parameters, and the body if it's known."""
    pasted = one(text)
    asked = pasted.request
    body = asked.body if pasted.has_body else None
    return asked.method, pasted.base_url + asked.path, asked.params, body


KX = (("auth_key", "k"), ("auth_signature", "x"))


# --- JavaScript -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "body"),
    [
        (f"fetch('{U}', {{method: 'POST', body: 'a' + 1 + \"b\"}})", b"a1b"),
        (f"fetch('{U}', {{method: 'POST', body: '\\u00e9\\x41\\u{{2615}}\\ud83d\\ude00\\n'}})", "éA☕😀\n".encode()),
        (f"const n = 5; fetch('{U}', {{method: 'POST', body: `{{\"a\":${{n}}}}`}})", b'{"a":5}'),
        (f"fetch(`{U}`, {{method: 'POST', body: `at ${{Date.now()}}`}})", None),
        (f"fetch('{U}', {{method: 'POST', ...options, body: 'x'}})", b"x"),
        (f"fetch('{U}', {{method: 'POST', headers: new Headers({{a: 'b'}}), body: 'x'}})", b"x"),
        (f"fetch('{U}', {{method: 'POST', body: new URLSearchParams({{a: 'b c'}})}})", b"a=b+c"),
        (f"fetch('{U}', {{method: 'POST', body: JSON.stringify({{a: [1, 1.5, -2, true, null], 'b': {{}}}})}})",
         b'{"a":[1,1.5,-2,true,null],"b":{}}'),
        (f"fetch('{U}', {{method: 'POST', signal: AbortSignal.timeout(5), body: String(5) /* five */}})", b"5"),
        (f"got.post('{U}', {{json: {{a: 1}}}})", b'{"a":1}'),
        (f"$.ajax({{url: '{U}', type: 'POST', data: {{a: 'b'}}}})", b"a=b"),
        (f"axios({{method: 'post', url: '{U}', data: {{a: x}}}})", None),
        (f"axios.post('{U}', data)", None),
        (f"axios.put('{U}')", b""),
        (f"fetch('{U}', {{method: 'POST', body: ok ? 'a, b)' : '{{'}})", None),
        (f"fetch('{U}', {{method: 'POST', body: (await made())}})", None),
        (f"fetch('{U}', {{method: 'POST', body: `${{a`}})", None),
        (f"axios.post('{U}', 'x', {{transformRequest(data) {{ return [data, 1] }}, timeout: 5}})", b"x"),
        (f"const broken = [;\nconst b = 'x'\nfetch('{U}', {{method: 'POST', body: b}})", b"x"),
        ("let a = [\n" * 40 + f"const b = 'x'\nfetch('{U}', {{method: 'POST', body: b}})", None),
        (f"xhr.open('POST', '{U}')\nxhr.send([1;", None),
        (f"https.request('{U}', {{method: 'POST'}}).end('x')", b"x"),
    ],
)  # fmt: skip
def test_javascript(code: str, body: bytes | None) -> None:
    method = "PUT" if ".put(" in code else "POST"
    assert sent(code) == (method, P, KX, body)


def test_javascript_queries_and_bases() -> None:
    code = (
        "axios.get('/apps/3/channels', {baseURL: 'https://h.example', params: {info: 'a,b', n: 1}})"
    )
    assert sent(code) == (
        "GET",
        "https://h.example/apps/3/channels",
        (("info", "a,b"), ("n", "1")),
        b"",
    )
    named = "const q = 'a=' + encodeURIComponent('b c&')\nfetch('https://h.example/apps/3?' + q)"
    assert sent(named)[2] == (("a", "b c&"),)
    node = "http.request({host: '127.0.0.1', port: 80, path: '/apps/3', method: 'GET'}).end()"
    assert sent(node)[1] == "http://127.0.0.1:80/apps/3"


@pytest.mark.parametrize(
    "code",
    [
        "fetch(x)",
        "fetch(",
        "fetch()",
        "fetch({)",
        "fetch(5)",
        "fetch('/apps/3/channels)",
        "fetch(x ? (",
        "fetch('/apps/3', " + "[" * 50 + "]" * 50 + ")",
        "axios({method: 'post', data: {}})",
        "api.get(cache)",
        "api.get('cache-key')",
        "http.get('x')",
        "http.request({path: '/apps/3/channels'})",
    ],
)
def test_javascript_that_sends_nothing_known(code: str) -> None:
    assert read(code).requests == ()


def test_javascript_whose_host_only_the_program_knows() -> None:
    with pytest.raises(UnreadableText, match="The URL is put together by code, HOST"):
        read("https.request({hostname: HOST, path: '/apps/3/events', method: 'POST'}).end('{}')")


@pytest.mark.parametrize(
    "code", [f"fetch('{U}')", f"requests.post('{U}', data='x')", f"irm '{U}' -Method Post"]
)
def test_a_text_that_is_longer_than_programs_are_is_a_log(code: str) -> None:
    assert read(code).form != "a log or an exception"
    assert read("\n" * MAX_CODE + code).form == "a log or an exception"


# --- Python ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "body"),
    [
        (f"requests.post('{U}', data={{'a': 'b c'}})", b"a=b+c"),
        (f"requests.post('{U}', 'text')", b"text"),
        (f"requests.post(url='{U}', json={{'a': 'é'}})", b'{"a": "\\u00e9"}'),
        (f"httpx.post('{U}', json={{'a': 'é'}})", '{"a":"é"}'.encode()),
        (f"httpx.request('POST', '{U}', content=b'\\xff')", b"\xff"),
        (f"requests.post('{U}', files={{'a': open('b')}})", None),
        (f"requests.post('{U}', data=b'a' + b'b')", b"ab"),
        (f"requests.post('{U}', data='é'.encode('latin-1'))", b"\xe9"),
        (f"requests.post('{U}', data='a'.encode('none'))", None),
        (f"requests.post('{U}', data=json.dumps([1], indent=1))", b"[\n 1\n]"),
        (f"requests.post('{U}', data=json.dumps(body()))", None),
        (f"requests.post('{U}', data=json.dumps([1], cls=Odd))", None),
        (f"requests.post('{U}', data=f'at {{now()}}')", None),
        (f"requests.post('{U}', data='%s' % 1)", None),
        (f"requests.post('{U}', json={{**a}})", None),
        (f"requests.post('{U}', data=urlencode({{'a': 'b'}}), headers={{'A': token()}})", b"a=b"),
        (f"import requests\nself.body = 'x'\nrequests.post('{U}', data=self.body)", None),
        (f"requests.post('{U}', data=payload.encode())", None),
        (f"requests.post('{U}', data=json.dumps([1], indent='\t'))", None),
        (f"requests.post('{U}', data=json.dumps(b'x'))", None),
        (f"import requests\nrequests.Session().post('{U}', data='x')", b"x"),
        (f"import urllib.request\nq = urllib.request.Request('{U}', b'x')\nurllib.request.urlopen(q)", b"x"),
        (f"s = requests.Session()\ns.post('{U}', data='x')", b"x"),
        (f"with httpx.Client() as client:\n    client.post('{U}', data='x')\n", b"x"),
        (f"urllib.request.urlopen('{U}', b'x')", b"x"),
        (f"import urllib\nq = urllib.request.Request('{U}', b'x', {{'A': 'b'}}, method='POST')", b"x"),
    ],
)  # fmt: skip
def test_python(code: str, body: bytes | None) -> None:
    assert sent(code) == ("POST", P, KX, body)


def test_python_bases_and_queries() -> None:
    code = "import httpx\nclient = httpx.Client(base_url='https://h.example')\nclient.get('/apps/3', params={'a': 1})"
    assert sent(code) == ("GET", "https://h.example/apps/3", (("a", "1"),), b"")
    code = "import http.client\nconn = http.client.HTTPConnection('127.0.0.1', 8123)\nconn.request('GET', '/apps/3')"
    assert sent(code) == ("GET", "http://127.0.0.1:8123/apps/3", (), b"")


@pytest.mark.parametrize(
    "code",
    [
        "requests.get(x)",
        "import requests\nheaders.get('a')",
        "requests.post(",
        "requests.post('é\n'",
        "import requests",
        "import requests\nprint(requests.get(x))",
        "import requests\nclient.get(5)",
        "Then requests.get(x) fails.",
        "import requests\nx = " + "-" * 20_000 + "1",
    ],
)
def test_python_that_sends_nothing_known(code: str) -> None:
    assert read(code).requests == ()


def test_python_whose_json_is_none() -> None:
    with pytest.raises(UnreadableText, match="What json= is given isn't JSON"):
        read(f"requests.post('{U}', json=b'x')")


def test_python_that_breaks_off_deep_inside_is_given_up() -> None:
    deep = "".join(" " * level + "if a:\n" for level in range(8))
    assert read(f"import requests\nrequests.get('{U}')\n{deep}").form == "a log or an exception"


@pytest.mark.parametrize("terms", [500, 900, 980, 1_200, 3_000])
def test_python_that_nests_as_deep_as_it_likes(terms: int) -> None:
    added = "+".join(["'a'"] * terms)
    assert len(read(f"import requests\nrequests.post('{U}', data={added})").requests) == 1


# --- PowerShell -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "body"),
    [
        (f"irm '{U}' -Method Post -Body \"a`\"b`n\"\"c$([char]0x263a)\"", 'a"b\n"c☺'.encode()),
        (f"$a = 'x'\n$b = \"<$a>\" + '!'\niwr -Uri '{U}' -Method POST -Body $b", b"<x>!"),
        (f"iwr '{U}' -Method POST -Body ([System.Text.Encoding]::UTF8.GetBytes(\"é\"))", "é".encode()),
        (f"iwr '{U}' -Method POST -Body @{{a = 'b'; c = 'd'}}", b"a=b&c=d"),
        (f"iwr '{U}' -Method POST -Body \"at $(Get-Date)\"", None),
        (f"iwr '{U}' -Method POST -Body $unknown", None),
        (f"iwr '{U}' -Method POST -Body (Get-Content x | Out-String) -UseBasicParsing", None),
        (f"iwr '{U}' -Method POST -Body (ConvertTo-Json (Get-Data))", None),
        (f"iwr '{U}' -Method POST -Body $null", b""),
        (f"$f = {{ 'later' }}\n$b = 'x'\niwr '{U}' -Method POST -Body $b", b"x"),
        (f"iwr '{U}' -Method POST @rest", None),
        ("$a = (b c\n" * 3_000 + f"$b = 'x'\niwr '{U}' -Method POST -Body $b", None),
        (f"iwr '{U}' -Method POST -ContentType text/plain -Body x", b"x"),
        (f"curl -Uri '{U}' -Method POST -Body 'it''s'", b"it's"),
    ],
)  # fmt: skip
def test_powershell(code: str, body: bytes | None) -> None:
    assert sent(code) == ("POST", P, KX, body)


def test_powershell_commands_share_their_variables() -> None:
    code = (
        "$h = 'h.example'\nirm $h/apps/3/channels\nirm \"$h/apps/3/channels\"\nirm h.example/apps/3"
    )
    asked = [r.base_url + r.request.path for r in read(code).requests]
    assert asked[-2:] == ["http://h.example/apps/3/channels", "http://h.example/apps/3"]


@pytest.mark.parametrize(
    "code",
    [
        "irm",
        "irm -Uri @{",
        "irm -Uri @{a b}",
        "irm -Uri (a b",
        "irm /apps/3 -Body " + "(" * 50 + "'x'" + ")" * 50,
        "Invoke-RestMethod fails, says irm.",
    ],
)
def test_powershell_that_sends_nothing_known(code: str) -> None:
    assert not [r for r in read(code).requests if "/apps/" in r.request.path]


# --- commands on Windows --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "body"),
    [
        (f"C:\\>curl -X POST '{U}' -d \"x\"", b"x"),
        (f'C:\\>curl -X POST "{U}" -d x | jq .\nC:\\>dir\n', b"x"),
        (f'C:\\>curl -X POST "{U}" -d x & echo done', b"x"),
        (f'C:\\>curl -X POST "{U}" -d x\nC:\\>dir\n', b"x"),
        (f'PS C:\\> curl.exe "{U}" -d a\'b\'"c" \n', b"abc"),
        (f'PS C:\\> curl.exe "{U}" -d x ; ls', b"x"),
        (f'PS C:\\> curl.exe "{U}" -d x ', b"x"),
    ],
)
def test_commands_on_windows(line: str, body: bytes) -> None:
    assert sent(line) == ("POST", P, KX, body)


@pytest.mark.parametrize("prompt", ["C:\\>curl", "PS C:\\> curl.exe"])
def test_a_quote_on_windows_that_has_no_end(prompt: str) -> None:
    with pytest.raises(UnreadableText, match="quote"):
        read(f'{prompt} "{U}" -d "x')


# --- archives -------------------------------------------------------------------------------------


def collection(request: Any, **more: Any) -> str:
    return json.dumps({"info": {"name": "x"}, "item": [{"request": request}], **more})


@pytest.mark.parametrize(
    ("request_", "body"),
    [
        ({"method": "POST", "url": U, "body": {"mode": "raw", "raw": "{}"}}, b"{}"),
        ({"method": "POST", "url": U, "body": {"mode": "raw", "raw": "{{body}}"}}, None),
        ({"method": "POST", "url": U, "body": {"mode": "formdata", "formdata": []}}, None),
        ({"method": "POST", "url": U, "body": {"mode": "urlencoded", "urlencoded": [
            {"key": "a", "value": "b c"}, {"key": "off", "value": "", "disabled": True}]}}, b"a=b+c"),
        ({"method": "POST", "url": {"protocol": "https", "host": ["h", "example"], "path": ["apps", "3", "events"],
            "query": [{"key": "auth_key", "value": "k"}, {"key": "auth_signature", "value": "x"}]}}, b""),
    ],
)  # fmt: skip
def test_postman(request_: Any, body: bytes | None) -> None:
    assert sent(collection(request_)) == ("POST", P, KX, body)


def test_postman_as_a_string_and_with_what_only_postman_knows() -> None:
    assert sent(collection(U))[0] == "GET"
    with pytest.raises(UnreadableText, match=r"a variable, \{\{signature\}\}.*Postman's console"):
        read(collection({"method": "POST", "url": U + "{{signature}}"}))


def test_postman_folders_and_what_else_they_hold() -> None:
    broken = {"request": {"method": "POST", "url": U + "{{signature}}"}}
    bare = {"request": {"method": "GET", "url": "localhost:8123/apps/3/channels"}}
    folders: dict[str, Any] = {"item": [None, broken, bare, {"request": U}]}
    for _ in range(100):
        folders = {"name": "folder", "item": [folders]}
    assert [
        (asked.base_url, asked.request.path)
        for asked in read(json.dumps({"info": {}, **folders})).requests
    ] == [("http://localhost:8123", "/apps/3/channels"), ("https://h.example", "/apps/3/events")]


def test_an_archive_is_read_up_to_so_many_requests() -> None:
    entries = [{"request": {"method": "GET", "url": f"{P}?n={n}"}} for n in range(MAX_FOUND + 1)]
    form, found, _ = requests_in({"log": {"entries": entries}})
    assert form == "a HAR file with 1,001 requests"
    assert [asked.request.params for asked in found[-1:]] == [(("n", str(MAX_FOUND - 1)),)]


@pytest.mark.parametrize(
    ("entry", "body"),
    [
        ({"postData": {"text": "{}"}}, b"{}"),
        ({"postData": {"text": base64.b64encode(b"\xff").decode(), "encoding": "base64"}}, b"\xff"),
        ({"postData": {"params": [{"name": "a", "value": "b c"}]}}, b"a=b+c"),
        ({"bodySize": 68}, None),
        ({"bodySize": 0}, b""),
    ],
)
def test_har(entry: Any, body: bytes | None) -> None:
    answer = {
        "status": 401,
        "statusText": "Unauthorized",
        "content": {"text": "why"},
        "headers": [],
    }
    entries = [
        {"request": {"method": "POST", "url": U, **entry}, "response": answer},
        None,
        {"request": 1},
    ]
    text = json.dumps({"log": {"entries": entries}})
    assert sent(text) == ("POST", P, KX, body)
    assert one(text).response == "HTTP/1.1 401 Unauthorized\n\nwhy"


def test_har_whose_own_request_cannot_be_read() -> None:
    page = {"request": {"method": "GET", "url": "chrome-extension://abc/auth.html"}}
    body = {"text": '{"name":"foo"}', "encoding": "base64"}
    asked = {"request": {"method": "POST", "url": U, "postData": body}}
    assert "None of its 1 requests" in read(json.dumps({"log": {"entries": [page]}})).said
    with pytest.raises(UnreadableText, match="isn't base64"):
        read(json.dumps({"log": {"entries": [page, asked]}}))


def test_other_requests_in_json() -> None:
    insomnia = {
        "_type": "export",
        "resources": [
            {"_type": "workspace", "name": "x"},
            {"_type": "request", "method": "GET", "url": "{{ _.base_url }}/apps/3/channels"},
            {"_type": "request", "method": "POST", "url": U, "body": {"text": "{}"}},
        ],
    }
    assert sent(json.dumps(insomnia)) == ("POST", P, KX, b"{}")
    workspace = {"resources": [{"_type": "workspace", "name": "x"}]}
    assert read(json.dumps(workspace)).form == NOTHING
    caddy = {
        "request": {
            "method": "POST",
            "host": "h.example",
            "uri": U.removeprefix("https://h.example"),
        },
        "status": 401,
    }
    assert sent(json.dumps(caddy)) == ("POST", P, KX, None)
    cloud = {
        "httpMethod": "POST",
        "rawPath": "/apps/3/events",
        "rawQueryString": "auth_key=k&auth_signature=x",
        "body": "{}",
    }
    assert sent(json.dumps(cloud)) == ("POST", "/apps/3/events", KX, b"{}")


LOGGED = json.dumps({"request": {"method": "GET", "host": "h.example", "uri": "/apps/3"}})


@pytest.mark.parametrize(
    ("before", "known"),
    [
        ('{"request": [\n  ', 1),  # the value around it is broken off
        ('{"a":' * 100_000 + "\n", 1),
        ('["\n' * 1_900, 1),
        ('["\n' * 2_100, 0),  # no JSON, then
    ],
)
def test_a_line_of_json_under_what_is_none(before: str, known: int) -> None:
    assert len(read(f"{before}{LOGGED}\n  oops").requests) == known


def test_which_object_of_a_log_is_the_request() -> None:
    asked = {"method": "POST", "url": U, "data": "{}"}
    for outer in (
        {"url": U, "level": "error"},  # without a method
        {"method": "POST", "url": f"{P}?auth_key=k…"},  # cut short
    ):
        assert sent(json.dumps({**outer, "config": asked})) == ("POST", P, KX, b"{}")
    answer = {"method": "POST", "url": U, "status": 401, "body": '{"error":"why"}'}
    assert sent(json.dumps(answer)) == ("POST", P, KX, None)


def test_a_log_of_any_depth_is_read() -> None:
    asked = {"method": "POST", "url": U, "data": "{}"}
    assert sent('{"a":[' * 400 + json.dumps(asked) + "]}" * 400) == ("POST", P, KX, b"{}")


# --- command lines --------------------------------------------------------------------------------


def test_curl_headers_and_targets() -> None:
    asked = one(f"curl '{U}' --oauth2-bearer t -A agent -e from -b 'a=b' --json '{{}}' -H 'X: y'")
    assert dict(asked.headers) == {
        "x": "y",
        "authorization": "Bearer (from --oauth2-bearer)",
        "user-agent": "agent",
        "referer": "from",
        "cookie": "a=b",
        "content-type": "application/json",
    }
    assert one(f"curl '{U}' -u key:secret").header("authorization") == "Basic (from -u)"
    assert sent("curl h.example/x --request-target /apps/3 --proto-default https") == (
        "GET", "https://h.example/apps/3", (), b"",
    )  # fmt: skip
    files = {"f": b"a b\n"}
    read_file = files.__getitem__
    (asked,) = read("curl h/apps/3 -G --data-urlencode n@f", read_file=read_file).requests
    assert asked.request.params == (("n", "a b\n"),)
    (asked,) = read("curl h/apps/3 -T f", read_file=read_file).requests
    assert (asked.request.method, asked.request.body) == ("PUT", b"a b\n")
    with pytest.raises(UnreadableText, match="not read unasked"):
        read("curl h/apps/3 -G --data-urlencode n@f")
    with pytest.raises(UnreadableText, match="The query isn't in the text"):
        read('curl h/apps/3 -G -d "$Q"')
    with pytest.raises(UnreadableText, match="The method holds a shell variable"):
        read(f'curl -X "$M" {P}')
    assert "--variable" in " ".join(one(f"curl '{U}' --variable a=b").notes)


def test_httpie_items() -> None:
    asked = one(f"http -a k:s --form POST '{P}' a=b 'c d=e' X:y n==v 'esc\\:aped=1' lonely")
    assert asked.request.body == b"a=b&c+d=e&esc%3Aaped=1"
    assert asked.request.params == (("n", "v"),)
    assert dict(asked.headers) == {"x": "y", "authorization": "Basic (from -a)"}
    assert one("http :8123/apps/3").base_url == "http://localhost:8123"
    assert one("http POST :/apps/3 a=b").request.body == b'{"a": "b"}'
    assert "at its first &" in one(f"http POST {U} a=b").notes[0]
    with pytest.raises(UnreadableText, match="isn't followed by JSON"):
        read(f"http POST '{P}' a:=b")
    with pytest.raises(UnreadableText, match=r"\$A"):
        read(f'http POST "{P}?$A"')


def test_wget_files_and_users() -> None:
    (asked,) = read(f"wget --post-file=f --user=k '{U}'", read_file=lambda name: b"x").requests
    assert (asked.request.method, asked.request.body) == ("POST", b"x")
    assert asked.header("authorization") == "Basic (from --user)"
    assert not one(f"wget --body-file f --method PUT '{U}'").has_body
    assert "at its first &" in one(f"wget {U}").notes[0]


def test_what_a_client_asks_an_endpoint_is_no_request() -> None:
    pasted = read("POST /pusher/user-auth HTTP/1.1\nHost: h\n\nsocket_id=1.2")
    assert pasted.requests == pasted.subscriptions == ()
    assert len(read("POST /other HTTP/1.1\nHost: h\n\na=b").requests) == 1
    form = "&".join(f"field{n}=1" for n in range(101))
    assert len(read(f"POST /other HTTP/1.1\nHost: h\n\n{form}").requests) == 1
