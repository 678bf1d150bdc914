#!/usr/bin/env python3
"""The capstone of `pusherkit clinic`, with Python's standard library.

Run all of it, or the goals that you name: python capstone.py vectors event
"""

import hashlib
import hmac
import json
import os
import sys
import time
from urllib.error import HTTPError
from urllib.parse import quote
from urllib.request import Request, urlopen

APP_ID, KEY = os.environ["PUSHER_APP_ID"], os.environ["PUSHER_KEY"]
SECRET, HOST = os.environ["PUSHER_SECRET"], os.environ["PUSHER_HOST"]
EVENTS, BATCH = f"/apps/{APP_ID}/events", f"/apps/{APP_ID}/batch_events"


# --- signing and sending ------------------------------------------------------------------------


def signature(text, secret=SECRET):
    return hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()


def send(method, path, params=(), body=b""):
    """Sign a request with the time it is now, send it, and return status, headers and text."""
    params = [
        *params,
        ("auth_key", KEY),
        ("auth_timestamp", str(int(time.time()))),
        ("auth_version", "1.0"),
    ]
    if body:
        params.append(("body_md5", hashlib.md5(body).hexdigest()))
    ordered = sorted(((name.lower(), value) for name, value in params), key=lambda pair: pair[0])
    query = "&".join(f"{name}={value}" for name, value in ordered)
    params.append(("auth_signature", signature("\n".join([method, path, query]))))
    sent = "&".join(f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in params)
    headers = {"Content-Type": "application/json"} if body else {}
    request = Request(f"{HOST}{path}?{sent}", body or None, headers, method=method)
    try:
        with urlopen(request, timeout=10) as answer:
            return answer.status, answer.headers, answer.read().decode()
    except HTTPError as refusal:
        return refusal.code, refusal.headers, refusal.read().decode()


def post(path, value):
    """Send JSON; wait and try again if the server says so, five times at most."""
    body = json.dumps(value, ensure_ascii=False).encode()
    for attempt in range(1, 6):
        status, headers, text = send("POST", path, body=body)
        if status != 429:
            break
        if attempt < 5:
            time.sleep(int(headers["Retry-After"]))
    if status != 200:
        print(f"{path}: {status} {text}", file=sys.stderr)
    return status


def publish(channel, name, data):
    text = json.dumps(data, ensure_ascii=False)
    return post(EVENTS, {"name": name, "channel": channel, "data": text})


def clinic(page):
    """One of the clinic's own pages; they need no signature."""
    with urlopen(f"{HOST}/clinic{page}", timeout=10) as answer:
        return answer.read().decode()


# --- the goals ----------------------------------------------------------------------------------


def vectors():
    for vector in json.loads(clinic(".json"))["vectors"]:
        send(vector["method"], vector["path"], vector["params"], vector["body"].encode())


def event():
    publish("order-41", "status", {"status": "Zażółć ☕"})


def get():
    params = [("info", "user_count,subscription_count")]
    send("GET", f"/apps/{APP_ID}/channels/presence-couriers", params)


def batch():
    orders = ["order-41", "order-42"]
    post(BATCH, {"batch": [{"channel": o, "name": "status", "data": "delayed"} for o in orders]})


def wait():
    publish("friday", "status", "delayed")


def give_up():
    if publish("shut", "status", "delayed") == 429:
        publish("news", "gave-up", "shut")


def private():
    socket_id, channel = clinic("/socket_id"), "private-order-41"
    publish("clinic", "auth", {"auth": f"{KEY}:{signature(f'{socket_id}:{channel}')}"})


def fault():
    text = clinic("/broken/canonical_string")
    wrong = {
        "hash-of-secret-and-string": hashlib.sha256((SECRET + text).encode()).hexdigest(),
        "key-and-message-swapped": signature(SECRET, secret=text),
        "method-in-lower-case": signature(text.replace("POST", "post")),
        "newline-at-the-end": signature(text + "\n"),
        "newline-written-out": signature(text.replace("\n", "\\n")),
        "secret-with-newline": signature(text, secret=SECRET + "\n"),
    }
    sent = clinic("/broken/auth_signature")
    for name, made in wrong.items():
        if made == sent:
            publish("clinic", "cause", {"cause": name})


def report():
    results = {"fingerprint": clinic("/fingerprint"), "by": "Python"}
    publish("clinic", "report", results)


GOALS = {
    "vectors": vectors,
    "event": event,
    "get": get,
    "batch": batch,
    "wait": wait,
    "give-up": give_up,
    "private": private,
    "fault": fault,
    "report": report,
}
for goal in sys.argv[1:] or GOALS:
    GOALS[goal]()
