"""Every form that people paste, and what is read out of it.

The files in pasted/ are what the tools wrote when they sent the request below to a server on
127.0.0.1: curl 7.88, wget 1.21, HTTPie 3.2, requests 2.34, httpx 0.28, axios 1.21, the official
Node library 5.3, PHP 8.2.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from pusherkit import UnreadableText
from pusherkit.doctor.forms.dumps import LOGGED
from pusherkit.doctor.pasted import NOTHING, Pasted, PastedRequest, PastedSubscription, read
from pusherkit.signing import Request

PASTED = Path(__file__).parent / "pasted"
QUERY = (
    "auth_key=278d425bdf160c739803&auth_timestamp=1353088179&auth_version=1.0"
    "&body_md5=ec365a775a4cd0599faeb73354201b6f"
    "&auth_signature=ef728567b8fa59ad9ffda67ac44f85481676c5f80758610ce6fd229e44a5375c"
)
PARAMS = tuple(pair.split("=") for pair in QUERY.split("&"))
BODY = '{"name":"foo","channels":["project-3"],"data":"{\\"some\\":\\"data\\"}"}'
SPACED = '{"name": "foo", "channels": ["project-3"], "data": "\\u00e9 \\"x\\""}'
URL = f"https://h.example/apps/3/events?{QUERY}"
REQUEST = Request(
    "POST", "/apps/3/events", [(name, value) for name, value in PARAMS], BODY.encode()
)
SHORT = "https://h.example/apps/3/events?auth_key=k&auth_signature=x"


def one(text: str) -> PastedRequest:
    pasted = read(text)
    assert len(pasted.requests) == 1, pasted
    return pasted.requests[0]


# --- as tools write them --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "form", "body"),
    [
        ("curl-v", "a `curl -v` trace", None),
        ("curl-trace", "a `curl --trace`", BODY),
        ("curl-trace-ascii", "a `curl --trace`", BODY),
        ("wget-d", "`wget -d`", BODY),
        ("httpie-v", "an HTTP request", SPACED),
        ("requests-debug", "an HTTP request in a log and a line of an access log", BODY),
        ("httpx-log", "a log or an exception (2 of them)", None),
        ("axios-error", "an HTTP request in a log (2 of them)", BODY),
        ("axios-error-json", "a request in JSON", BODY),
        ("php-curl-verbose", "a `curl -v` trace", None),
    ],
)
def test_what_tools_write(name: str, form: str, body: str | None) -> None:
    text = (PASTED / f"{name}.txt").read_text(encoding="utf-8")
    pasted = read(text)
    assert pasted.form == form
    (request,) = pasted.requests
    assert request.base_url == "http://127.0.0.1:18231"
    assert request.request == Request(
        "POST", "/apps/3/events", REQUEST.params, (body or "").encode()
    )
    assert request.has_body == (body is not None)


@pytest.mark.parametrize("name", ["curl-v", "curl-trace", "curl-trace-ascii", "httpie-v"])
def test_the_answer_in_a_trace(name: str) -> None:
    (request,) = read((PASTED / f"{name}.txt").read_text(encoding="utf-8")).requests
    assert request.response.startswith("HTTP/1.1 401 Unauthorized")
    assert "Content-Length: 292" in request.response


@pytest.mark.parametrize("name", ["node-pusher-401", "node-pusher-refused"])
def test_the_body_in_an_error_of_the_node_library_is_the_answer(name: str) -> None:
    text = (PASTED / f"{name}.txt").read_text(encoding="utf-8")
    request = one(text)
    assert not request.has_body
    assert request.request.values("auth_key") == ["278d425bdf160c739803"]
    assert read(text).said == text.strip("\n")


# --- the same request in every form -----------------------------------------------------------------

JSON_BODY = json.dumps(BODY)
FOR_ARGV = re.sub(r'(\\*)"', r'\1\1\\"', BODY)  # how a program on Windows is given quotes
FORMS = {
    "curl": f"curl -X POST '{URL}' -d '{BODY}'",
    "curl of Chrome": f"curl '{URL}' \\\n  -H 'accept: */*' \\\n  -b 'a=b; c=d' \\\n  --data-raw '{BODY}' \\\n"
    "  --compressed",
    "curl for cmd.exe, of Chrome": 'curl ^"'
    + URL.replace("&", "^&")
    + '^" ^\n  -H ^"accept: */*^" ^\n  --data-raw ^"'
    + BODY.replace("\\", "\\\\").replace('"', '\\"').translate({ord(c): f"^{c}" for c in '{}"\\&'})
    + '^" ^\n  --compressed',
    "curl in cmd.exe": f'C:\\Users\\me>curl -X POST "{URL}" -d "{FOR_ARGV}"',
    "a pipe after it": f"curl -s '{URL}' -d '{BODY}' | jq .",
    "a pipe before it": f"echo '{BODY}' | curl -s '{URL}' -d @-",
    "printf before it": f"printf '%s' '{BODY}' | curl '{URL}' --data-binary @-",
    "a heredoc": f"curl -X POST '{URL}' -d @- <<'EOF'\n{BODY}\nEOF\n",
    "cat with a heredoc": f"cat <<'EOF' | curl '{URL}' -d @-\n{BODY}\nEOF\n",
    "a here-string": f"curl '{URL}' -d @- <<< '{BODY}'",
    "a variable": f"BODY='{BODY}'\ncurl \"{URL}\" -d \"$BODY\"",
    "a variable of a heredoc": f"export BODY=$(cat <<'EOF'\n{BODY}\nEOF\n)\ncurl -d \"${{BODY}}\" '{URL}'",
    "a file written before": f"cat > body.json <<'EOF'\n{BODY}\nEOF\ncurl '{URL}' -d @body.json",
    "inside $(…)": f"answer=$(curl -s '{URL}' -d '{BODY}')",
    "set -x": f"+ curl -X POST '{URL}' -d '{BODY}'",
    "set -x, deeper": f"++ date +%s\n+++ curl -X POST '{URL}' -d '{BODY}'",
    "a prompt": f"user@host:~$ curl '{URL}' -d '{BODY}'",
    "root's prompt": f"root@abc123:/app# curl '{URL}' -d '{BODY}'",
    "zsh's prompt": f"me@mac ~ % curl '{URL}' -d '{BODY}'",
    "a prompt that waits": f"$ curl '{URL}' \\\n> -d '{BODY}'\n",
    "sudo": f"sudo -u www curl '{URL}' -d '{BODY}'",
    "in prose": f"Then I ran curl '{URL}' -d '{BODY}' and got a 401.",
    "a fence": f"I run this:\n\n```bash\ncurl '{URL}' -d '{BODY}'\n```\n\nIt doesn't work.",
    "colours": f"\x1b[32m$\x1b[0m curl '{URL}' -d '{BODY}'",
    "PowerShell and curl.exe": f"PS C:\\> curl.exe \"{URL}\" `\n  -d '{FOR_ARGV}'",
    "wget": f"wget -qO- --header 'Content-Type: application/json' --post-data='{BODY}' '{URL}'",
    "HTTPie": f"http POST '{URL}' Content-Type:application/json --raw '{BODY}'",
    "HTTPie, piped": f"echo -n '{BODY}' | http '{URL}'",
    "HTTPie, query apart": "https h.example/apps/3/events "
    + " ".join(f"{name}=={value}" for name, value in PARAMS)
    + f" --raw '{BODY}'",
    "xh": "xh POST '" + URL + "' name=foo channels:='[\"project-3\"]' data='{\"some\":\"data\"}'",
    "HTTP": f"POST /apps/3/events?{QUERY} HTTP/1.1\nHost: h.example\nContent-Length: 68\n\n{BODY}",
    "REST client": "### it\nPOST https://h.example/apps/3/events\n    ?"
    + QUERY.replace("&", "\n    &")
    + f"\nContent-Type: application/json\n\n{BODY}\n\n### next\n",
    "HTTP, with a refusal under it": f"POST /apps/3/events?{QUERY} HTTP/1.1\nHost: h.example\n\n{BODY}\n\nInvalid signature",
    "HTTP, measured, with a refusal under it": f"POST /apps/3/events?{QUERY} HTTP/1.1\nHost: h.example\nContent-Length: 68\n\n{BODY}\nInvalid signature",
    "method, URL and body": f"POST {URL}\n{BODY}\n",
    "a browser's headers": f"Request URL: {URL}\nRequest Method: POST\nStatus Code: 401 Unauthorized\nRequest body: {BODY}\n",
    "fetch": f'fetch("{URL}", {{"method": "POST", "body": {JSON_BODY}}});',
    "fetch, with variables": f"const url = '{URL}'\nconst body = JSON.stringify({{name: 'foo', "
    "channels: ['project-3'], data: JSON.stringify({some: 'data'})})\n"
    "const r = await fetch(url, {method: 'POST', body})",
    "axios": f"const r = await axios.post('{URL}', {BODY}, {{headers: {{a: 'b'}}}})",
    "axios of Postman": f"let data = {JSON_BODY};\nlet config = {{\n  method: 'post',\n  url: '{URL}',\n"
    "  headers: { 'Content-Type': 'application/json' },\n  data : data\n};\n\naxios.request(config)",
    "XMLHttpRequest": f'var xhr = new XMLHttpRequest();\nxhr.open("POST", "{URL}");\nxhr.send({JSON_BODY});',
    "Node's https": "const req = https.request({hostname: 'h.example', method: 'POST', "
    f"path: '/apps/3/events?{QUERY}'}}, done);\nreq.write({JSON_BODY});\nreq.end();",
    "requests": f"import requests\nr = requests.post({URL!r}, data={BODY!r})\nprint(r.text)\n",
    "requests, in steps": "import json, requests\n"
    "body = json.dumps({'name': 'foo', 'channels': ['project-3'], "
    "'data': json.dumps({'some': 'data'}, separators=(',', ':'))}, separators=(',', ':'))\n"
    f"url = f'https://h.example/apps/{{3}}/events?{QUERY}'\n"
    "response = requests.request('POST', url, headers={}, data=body.encode())\n",
    "httpx": f"httpx.post({URL!r}, json={BODY})",
    "urllib": f"from urllib.request import Request, urlopen\nq = Request({URL!r}, data={BODY.encode()!r})\n",
    "http.client": "import http.client\nconn = http.client.HTTPSConnection('h.example')\n"
    f"conn.request('POST', '/apps/3/events?{QUERY}', {BODY!r}, {{}})\n",
    "a Python prompt": f">>> import requests\n>>> requests.post({URL!r},\n...   data={BODY!r})\n"
    "<Response [401]>\n",
    "Invoke-RestMethod": f"Invoke-RestMethod -Uri '{URL}' -Method Post -Body '{BODY}'",
    "Invoke-WebRequest of Chrome": f'Invoke-WebRequest -UseBasicParsing -Uri "{URL}" `\n-Method "POST" `\n'
    '-Headers @{\n"accept"="*/*"\n  "a"="b"\n} `\n-Body "' + BODY.replace('"', '`"') + '"',
    "PowerShell, in steps": f"$body = @'\n{BODY}\n'@\n$p = @{{ Uri = '{URL}'; Method = 'POST'; "
    "Body = $body }\nInvoke-RestMethod @p",
    "Postman": json.dumps(
        {
            "info": {"name": "x"},
            "variable": [{"key": "host", "value": "https://h.example"}],
            "item": [
                {
                    "name": "folder",
                    "item": [
                        {
                            "request": {
                                "method": "POST",
                                "body": {"mode": "raw", "raw": BODY},
                                "url": {"raw": URL.replace("https://h.example", "{{host}}")},
                            }
                        }
                    ],
                }
            ],
        }
    ),
    "HAR": json.dumps(
        {
            "log": {
                "entries": [
                    {"request": {"method": "GET", "url": "https://h.example/style.css"}},
                    {"request": {"method": "POST", "url": URL, "postData": {"text": BODY}}},
                ]
            }
        },
        indent=2,
    ),
    "a log line in JSON": json.dumps({"level": "debug", "message": f"curl '{URL}' -d '{BODY}'"}),
    "PHP's set_logger()": f"Pusher: create_curl( {URL} )\nPusher: trigger POST: {BODY}\n",
    "PHP's set_logger() in Laravel": f"[2024-05-01 12:11:54] local.DEBUG: create_curl( {URL} )\n"
    f'local.DEBUG: trigger POST: {{post_value}} {{"post_value":{JSON_BODY}}}\n',
    "Ruby's debug output": f'<- "POST /apps/3/events?{QUERY} HTTP/1.1\\r\\nHost: h.example\\r\\n'
    f'Content-Length: 68\\r\\n\\r\\n"\n<- {JSON_BODY}\n-> "HTTP/1.1 401 Unauthorized\\r\\n"\n',
}  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
def test_the_same_request_in_every_form(form: str) -> None:
    request = one(FORMS[form])
    assert request.request == REQUEST
    assert request.has_body
    assert request.base_url.endswith("://h.example")


@pytest.mark.parametrize(
    ("text", "form"),
    [
        (f'1.2.3.4 - - [1/May/2024:1:1:1 +0000] "POST /apps/3/events?{QUERY} HTTP/1.1" 401 45 "-" "x"',
         "a line of an access log"),
        (f'INFO:     127.0.0.1:5 - "POST /apps/3/events?{QUERY} HTTP/1.1" 401 Unauthorized',
         "a line of an access log"),
        (f"Client error: `POST {URL}` resulted in a `401 Unauthorized` response:\nInvalid signature",
         "a log or an exception"),
        (f'2024/05/01 12:00:00 Post "{URL}": dial tcp: lookup h.example: no such host',
         "a log or an exception"),
        (f"cURL error 6: Could not resolve host: h.example (see https://x) for {URL}.",
         "a log or an exception"),
        (f"> POST /apps/3/events?{QUERY} HTTP/2\n> Host: h.example\n> content-length: 68\n> \n"
         "* We are completely uploaded and fine\n< HTTP/2 401\n< \n", "a `curl -v` trace"),
    ],
)  # fmt: skip
def test_what_cannot_hold_a_body_claims_nothing_of_it(text: str, form: str) -> None:
    request = one(text)
    assert read(text).form == form
    assert (request.request.path, request.request.params) == (REQUEST.path, REQUEST.params)
    assert (request.request.method, request.request.body, request.has_body) == ("POST", b"", False)


def test_a_command_and_its_trace_are_one_request_with_its_answer() -> None:
    text = (
        f"+ curl -v '{SHORT}' -d '{{}}'\n*   Trying 127.0.0.1...\n> POST /apps/3/events?auth_key=k"
        "&auth_signature=x HTTP/1.1\n> Host: h.example\n> Content-Length: 2\n> \n"
        "< HTTP/1.1 401 Unauthorized\n< \n* Connection left intact\nInvalid signature"
    )
    request = one(text)
    assert (request.request.body, request.has_body) == (b"{}", True)
    assert request.response == "HTTP/1.1 401 Unauthorized\n\nInvalid signature"


def test_what_stands_under_a_body_is_the_answer() -> None:
    text = f"POST /apps/3/events HTTP/1.1\nHost: h\n\n{BODY}\n\nInvalid signature: x"
    assert one(text).response == read(text).said == "Invalid signature: x"
    whole = one("POST /apps/3/events HTTP/1.1\nHost: h\n\n{} and more")
    assert whole.request.body == b"{} and more"


def test_an_answer_right_under_the_body() -> None:
    request = one("POST /apps/3/events HTTP/1.1\nHost: h\n\n{}\nHTTP/1.1 401 Unauthorized\n\nwhy")
    assert request.request.body == b"{}"
    assert request.response == "HTTP/1.1 401 Unauthorized\n\nwhy"


def test_a_body_that_is_no_json_stays_as_it_is() -> None:
    request = one('POST /apps/3/events HTTP/1.1\nHost: h\n\n{"name":"foo",}')
    assert request.request.body == b'{"name":"foo",}'


@pytest.mark.parametrize(
    ("text", "body"),
    [
        ("> POST /apps/3/events HTTP/1.1\n> Host: h", None),
        ("---request begin---\nPOST /apps/3/events HTTP/1.1\nHost: h\nContent-Length: 68\n", None),
        ("---request begin---\nPOST /apps/3/events HTTP/1.1\nHost: h\nContent-Length: 68\n\n"
         "---request end---\n", None),
        ("send: b'POST /apps/3/events HTTP/1.1\\r\\nHost: h", None),
        ("=> Send header, 43 bytes (0x2b)\n0000: POST  /apps/3/events HTTP/1.1\n001f: Host: h\n"
         "=> Send data, 16 bytes (0x10)\n0000: 42 is the answer\n", b"42 is the answer"),
        ("=> Send header, 43 bytes (0x2b)\n0000: POST /apps/3/events HTTP/1.1\n001e: Host: h\n"
         "=> Send data, 16 bytes (0x10)\n0000: 7b 22 6e 61 6d\n", None),
    ],
)  # fmt: skip
def test_a_trace_that_was_cut(text: str, body: bytes | None) -> None:
    request = one(text)
    assert (request.request.method, request.request.path) == ("POST", "/apps/3/events")
    assert (request.request.body, request.has_body) == (body or b"", body is not None)


@pytest.mark.parametrize(
    "text",
    [
        "---request begin---\nGET /apps/3/channels HTTP/1.1\nHost: h\n\n---request end---\n"
        "HTTP request sent, awaiting response...",
        "send: b'GET /apps/3/channels HTTP/1.1\\r\\nHost: h\\r\\n\\r\\n'\nreply: 'HTTP/1.1 401'",
    ],
)
def test_a_trace_of_a_request_without_a_body(text: str) -> None:
    request = one(text)
    assert request.request == Request("GET", "/apps/3/channels")
    assert request.has_body


def test_prose_about_curl_before_the_command() -> None:
    """Each "doesn't" opens a quote that has no end, and a shell would read on to look for it."""
    prose = "I've tried curl and it doesn't work.\n"
    assert one(f"{prose * 5}$ curl '{SHORT}' -d '{{}}'").request.body == b"{}"
    assert read(f"{prose * 400}$ curl '{SHORT}' -d '{{}}'").form == LOGGED  # the URL alone


def test_several_requests_each_with_its_answer() -> None:
    pasted = read(
        f"$ curl '{SHORT}' -d 1\n{{\"error\":\"a\"}}\n$ curl '{SHORT}' -d 2\nHTTP/1.1 401\n"
    )
    assert [(r.request.body, r.response) for r in pasted.requests] == [
        (b"1", '{"error":"a"}'),
        (b"2", "HTTP/1.1 401"),
    ]
    assert pasted.form == "a curl command (2 of them)"
    assert pasted.said == '{"error":"a"}\nHTTP/1.1 401'


# --- what is noticed --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "note"),
    [
        (f"curl -X POST {SHORT} -d '{{}}'", "at its first &"),
        (f"curl -X POST '{SHORT}' \\ \n -d '{{}}'", "A space follows the backslash"),
        (f"curl -X POST '{SHORT}'\n  -d '{{}}'", "no backslash ends the line before it"),
        (f"curl '{SHORT}' -H Content-Type: application/json -d '{{}}'", "'application/json' is outside"),
        (f"curl '{SHORT}' --dta x -d '{{}}'", "curl has no option --dta"),
        (f"curl -W '{SHORT}' -d '{{}}'", "curl has no option -W"),
        (f"curl '{SHORT}' -K c.txt -d '{{}}'", "from the file 'c.txt' (-K)"),
        (f"curl “{SHORT}” -d '{{}}'", "typographic"),
        (f"curl '{SHORT}&id=$ID' -d '{{}}'", "$ID in single quotes"),
        (f"C:\\>curl \"{SHORT}\" -d '{{}}'", "doesn't know single quotes"),
        (f"PS C:\\> curl.exe \"{SHORT}\" -d '{{\"a\":1}}'", "PowerShell before 7.3"),
        (f"Invoke-RestMethod '{SHORT}' -Method Post -Body 'é'", "Latin-1"),
        ("POST /apps/3/events HTTP/1.1\nHost: h\nContent-Length: 68\n\n{", "Content-Length says 68"),
        ("POST /apps/3/events HTTP/1.1\nHost: h\nContent-Length: 1\n\n{}", "reads the first 1."),
        (f"{SHORT} failed", "doesn't name the method; POST"),
    ],
)  # fmt: skip
def test_what_is_noticed(text: str, note: str) -> None:
    assert note in " ".join(one(text).notes)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (f"curl '{SHORT}' -d @body.json", "'body.json', which is not read unasked"),
        (f"curl '{SHORT}' -d @-", "from its input, which isn't in the text"),
        (f"cat body.json | curl '{SHORT}' -d @-", "comes from `cat body.json`"),
        (f"curl '{SHORT}' -d \"$BODY\"", "comes from $BODY"),
        (f"curl '{SHORT}' -d \"at $(date)\"", "set -x"),
        (f"curl '{SHORT}' -d @- < body.json", "comes from the file 'body.json'"),
        (f"curl '{SHORT}' -d @- <<E\n{{\"at\":\"$(date)\"}}\nE\n", "comes from $("),
        (f"curl '{SHORT}' -d @- <<E\n{{\"at\":\"`date`\"}}\nE\n", "comes from `"),
        (f"printf '%05d' 7 | curl '{SHORT}' -d @-", "comes from `printf %05d 7`"),
        (f"http POST '{SHORT}' name=foo \"data=$DATA\"", "comes from $DATA"),
        (f"curl '{SHORT}' -F a=b", "multipart"),
        (f"fetch('{SHORT}', {{method: 'POST', body: JSON.stringify({{at: Date.now()}})}})", "Date.now()"),
        (f"requests.post('{SHORT}', data=make())\n", "make()"),
        (f"Invoke-RestMethod '{SHORT}' -Method Post -Body ($x | ConvertTo-Json)", "ConvertTo-Json"),
        (f"http '{SHORT}' a@file", "made of a file"),
        ("POST /apps/3/events HTTP/1.1\nHost: h\nContent-Length: 68\n", "none of them are in the text"),
        ("POST /apps/3/events HTTP/1.1\nHost: h\nContent-Length: 68\n\n", "none of them are in the text"),
    ],
)  # fmt: skip
def test_a_body_that_is_not_in_the_text(text: str, why: str) -> None:
    request = one(text)
    assert (request.has_body, request.request.body) == (False, b"")
    assert why in " ".join(request.notes)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('curl "https://h/apps/3/events?t=$(date +%s)"', "Run the command after `set -x`"),
        ("curl 'https://h/apps/3/events", "A quote in the command is not closed"),
        ("curl https://h/apps/3/events -d $(cat body.json", "is not closed"),
        ("wget -qO- --post-data '{}'", "Expected one URL in the command, got 0"),
        ("http POST -v", "Expected a URL in the command, got none"),
        ("POST https://{{host}}/apps/3/events HTTP/1.1\n", "a variable, {{host}}"),
        pytest.param(f"curl '{SHORT}{'a' * 65_536}'", "over the limit of 65,536", id="a long URL"),
        ("fetch('https://h/apps/3/events?s=' + sig, {method: 'POST'})", "put together by code"),
        ("requests.post(base + '/apps/3/events', json={})\n", "Print the URL and the body"),
        ("> POST /w HTTP/1.1\n> Host: h\n> X-Pusher-Signature: x\n> Content-Length: 5\n> \n",
         "This is a webhook"),
        ("PK\x03\x04abc", "a ZIP archive"),
        ("\x1f\udc8babc", "a gzip archive"),
        ("a\0b", "binary data"),
    ],
)  # fmt: skip
def test_what_cannot_be_judged_says_what_to_paste(text: str, said: str) -> None:
    with pytest.raises(UnreadableText) as caught:
        read(text)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "I ran curl and it said: don't.",
        "curl: (7) Failed to connect to 127.0.0.1 port 6001: Connection refused",
        "It's served over https and http both.",
        'Invalid signature: you should have sent HmacSHA256Hex("POST\\n/apps/3/events\\na=b", x)',
        '<html lang="en"><body>404</body></html>',
        "{'a': 1}",
        '{"error":"Unknown auth_key"}',
        "fetch(url)",
        "requests.get(x)",
        "I ask for\nGET /channels\nand it says 404.",
        "I send a GET https://h.example and get nothing.",
        '1.2.3.4 - - [1/May/2024:1:1:1 +0000] "GET /favicon.ico HTTP/1.1" 404 9',
        'Invalid signature, for "POST /apps/3/events?auth_key=k… HTTP/1.1"',
        "Invalid signature, for https://h.example/apps/3/events?auth_key=k...",
        "=> Send header, 176 bytes (0xb0)",
        "---request begin---\n\n---request end---",
        "send: b'GET \\n HTTP/1.1\\r\\n'",
        "X-Pusher-Key: k\nX-Pusher-Signature: s",
        '{"event":"pusher:subscribe","data":"private-x"}',
    ],
)
def test_what_holds_no_request_is_what_was_said(text: str) -> None:
    assert read(text) == Pasted(form=NOTHING, said=text)


# --- subscriptions and webhooks ---------------------------------------------------------------------

AUTH = "278d425bdf160c739803:58df8b0c36d6982b82c3ecf6b4662e34fe8c25bba48f5369f135bf843651c3a4"
SUBSCRIBED = PastedSubscription(socket_id="1234.1234", channel="private-foobar", auth=AUTH)


@pytest.mark.parametrize(
    "text",
    [
        '{"event":"pusher:connection_established","data":"{\\"socket_id\\":\\"1234.1234\\"}"}\n'
        f'{{"event":"pusher:subscribe","data":{{"auth":"{AUTH}","channel":"private-foobar"}}}}',
        f"socket_id: 1234.1234\nchannel: private-foobar\nauth: {AUTH}",
        f"'socketId' => '1234.1234',\n'channelName' => 'private-foobar',\n'auth' => '{AUTH}',",
        "Pusher :  : [\"State changed\",\"connecting -> connected with new socket ID 1234.1234\"]\n"
        f'Pusher :  : ["Event sent",{{"event":"pusher:subscribe","data":{{"auth":"{AUTH}",'
        '"channel":"private-foobar"}}]',
        "curl 'https://h/broadcasting/auth' --data-raw 'socket_id=1234.1234&channel_name=private-foobar'\n"
        f'{{"auth":"{AUTH}"}}',
        "POST /pusher/auth HTTP/1.1\nHost: h\nContent-Type: application/json\n\n"
        '{"socket_id":"1234.1234","channel_name":"private-foobar"}\n\nHTTP/1.1 200 OK\n\n'
        f'{{"auth":"{AUTH}"}}',
    ],
)  # fmt: skip
def test_a_subscription(text: str) -> None:
    assert read(text).subscriptions == (SUBSCRIBED,)
    assert read(text).requests == ()


def test_channel_data_is_the_text_that_was_sent() -> None:
    data = '{"user_id":"7","user_info":{"name":"Ann"}}'
    lines = "socket_id: 1.2\nchannel: presence-x\nauth: k:s\nchannel_data: "
    for shown in (data, json.dumps(data), f'"{data}"'):  # some logs don't escape the quotes
        assert read(lines + shown).subscriptions[0].channel_data == data
    for answered, meant in ((json.loads(data), data), (None, None)):
        answer = {"auth": "k:s", "channel_data": answered}
        assert read(json.dumps(answer)).subscriptions[0].channel_data == meant


@pytest.mark.parametrize("times", [1, 2, 3])
def test_a_line_that_was_logged_inside_json_is_found_some_levels_deep(times: int) -> None:
    line = "curl -d '{\"name\":\"foo\"}' 'https://h/apps/3/events?auth_key=k'"
    for _ in range(times):
        line = json.dumps({"log": f"{line}\n", "stream": "stderr"})
    pasted = read(line)
    assert pasted.form == "a curl command, inside JSON"
    assert [each.request.body for each in pasted.requests] == [b'{"name":"foo"}']


def test_an_auth_of_nothing_is_an_auth_that_is_missing() -> None:
    frame = {"event": "pusher:subscribe", "data": {"channel": "private-a"}}
    for text in (
        json.dumps(frame),
        json.dumps(frame | {"data": {"channel": "private-a", "auth": None}}),
        "channel: private-a\nauth: undefined",
    ):
        assert read(text).subscriptions == (PastedSubscription(channel="private-a", auth=""),)
    (answered,) = read('{"auth":null,"channel_data":null}').subscriptions
    assert answered.auth == ""
    assert not read(
        '{"url":"/orders","auth":null,"timeout":3}'
    ).subscriptions  # a client's settings


def test_a_field_that_comes_again_begins_another_subscription() -> None:
    lines = "socket_id: 1.2\nchannel: private-a\nauth: k:a\nchannel: private-b\nauth: k:b"
    assert read(lines).subscriptions == (
        PastedSubscription(socket_id="1.2", channel="private-a", auth="k:a"),
        PastedSubscription(socket_id="1.2", channel="private-b", auth="k:b"),
    )


def test_an_endpoint_that_answers_without_json() -> None:
    text = (
        "POST /pusher/auth HTTP/1.1\nHost: h\n\nsocket_id=1.2&channel_name=private-a\n\n"
        f"HTTP/1.1 200 OK\n\n{{'auth': '{AUTH}'}}"
    )
    assert read(text).subscriptions == (PastedSubscription(socket_id="1.2", channel="private-a"),)


def test_two_subscriptions_of_one_connection() -> None:
    frames = [
        {"event": "pusher:connection_established", "data": '{"socket_id":"1.2"}'},
        {"event": "pusher:subscribe", "data": {"channel": "private-a", "auth": "k:a"}},
        {"event": "pusher:subscribe", "data": {"channel": "public"}},
        {"event": "pusher:subscribe", "data": {"channel": "private-b", "auth": "k:b"}},
        {"event": "pusher:signin", "data": {"auth": "k:c", "user_data": "{}"}},
    ]
    assert read("\n".join(map(json.dumps, frames))).subscriptions == (
        PastedSubscription(socket_id="1.2", channel="private-a", auth="k:a"),
        PastedSubscription(socket_id="1.2", channel="private-b", auth="k:b"),
        PastedSubscription(socket_id="1.2", auth="k:c", user_data="{}"),
    )


def test_the_signature_in_a_refusal_is_no_subscription() -> None:
    text = f'Invalid signature: Expected HMAC SHA256 hex digest of 1.2:private-a, but got {{"auth": "{AUTH}"}}'
    assert read(text) == Pasted(form=NOTHING, said=text)


@pytest.mark.parametrize(
    "text",
    [
        'POST /w HTTP/1.1\nHost: h\nX-Pusher-Key: k\nX-Pusher-Signature: s\n\n{"time_ms":1}',
        "curl http://localhost/w -H 'X-Pusher-Key: k' -H 'X-Pusher-Signature: s' -d '{\"time_ms\":1}'",
        'X-Pusher-Key: k\nX-Pusher-Signature: s\n\n{"time_ms":1}\n',
        'HTTP_X_PUSHER_KEY => k\nHTTP_X_PUSHER_SIGNATURE => s\nbody: {"time_ms":1}',
    ],
)
def test_a_webhook_is_no_request(text: str) -> None:
    pasted = read(text)
    assert pasted.requests == ()
    (hook,) = pasted.webhooks
    assert (hook.key, hook.signature, hook.body) == ("k", "s", b'{"time_ms":1}')
    assert "a webhook" in pasted.form


def test_a_webhook_that_was_cut_is_read_as_far_as_it_goes() -> None:
    (hook,) = read('X-Pusher-Key: k\nX-Pusher-Signature: s\n\n{"time_ms":1,"ev\n').webhooks
    assert hook.body == b'{"time_ms":1,"ev'
