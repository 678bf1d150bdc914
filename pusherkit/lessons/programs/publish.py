#!/usr/bin/env python3
import hashlib, hmac, json, os, time
from urllib.parse import urlencode

env = os.environ
data = '{"status":"delivered","to":"Zoë"}'
event = {"name": "status", "channel": "order-41", "data": data}
body = json.dumps(event).encode()
path = f"/apps/{env['PUSHER_APP_ID']}/events"
query = [
    ("auth_key", env["PUSHER_KEY"]),
    ("auth_timestamp", str(int(time.time()))),
    ("auth_version", "1.0"),
    ("body_md5", hashlib.md5(body).hexdigest()),
]
query.sort(key=lambda pair: pair[0])
signed = "&".join(f"{name}={value}" for name, value in query)
text = f"POST\n{path}\n{signed}"
secret = env["PUSHER_SECRET"].encode()
query.append(("auth_signature", hmac.new(secret, text.encode(), hashlib.sha256).hexdigest()))
url = f"{env['PUSHER_HOST']}{path}?{urlencode(query)}"
headers = {"Content-Type": "application/json"}

from urllib.request import Request, urlopen

with urlopen(Request(url, body, headers)) as answer:  # raises HTTPError where it's refused
    print(answer.status, answer.read().decode())
