"""Settings that make an app's official SDK talk to the practice server, ready to paste. Pure.

Written for npm `pusher` 5 and `pusher-js` 8, Laravel 11 and later with Laravel Echo 2,
PyPI `pusher` 3.3 and the Ruby gem `pusher` 2. The option names come from their sources.
"""

from __future__ import annotations

import json
import re
from urllib.parse import urlsplit

from pusherkit.credentials import Credentials

STACKS = ("node", "laravel", "python", "ruby")
_DEFAULT_PORTS = {"http": 80, "https": 443}  # RFC 9110, sections 4.2.1 and 4.2.2


def settings_for(stack: str, credentials: Credentials) -> str:
    """The settings for one of STACKS: its server side, then the browser's.

    `credentials.base_url` holds the scheme, host and port. Each part begins with a comment that
    says where it goes. Raises ValueError for any other stack.
    """
    if stack not in STACKS:
        raise ValueError(f"stack: expected one of {', '.join(STACKS)}; got {stack!r}.")
    url = urlsplit(credentials.base_url)
    host, port = url.hostname or "", url.port or _DEFAULT_PORTS[url.scheme]
    return {"node": _node, "laravel": _laravel, "python": _python, "ruby": _ruby}[stack](
        credentials, host, port, url.scheme == "https"
    )


def _node(credentials: Credentials, host: str, port: int, tls: bool) -> str:
    return f"""\
// On the server, where your app makes its client (npm: pusher 5).
const Pusher = require("pusher"); // in an ES module: import Pusher from "pusher";

const pusher = new Pusher({{
  appId: {json.dumps(credentials.app_id)},
  key: {json.dumps(credentials.key)},
  secret: {json.dumps(credentials.secret)},
  host: {json.dumps(host)},
  port: {port},
  useTLS: {json.dumps(tls)},
}});

{_browser(credentials, host, port, tls)}"""


def _python(credentials: Credentials, host: str, port: int, tls: bool) -> str:
    return f"""\
# On the server, where your app makes its client (PyPI: pusher 3.3).
import pusher

client = pusher.Pusher(
    app_id={credentials.app_id!r},
    key={credentials.key!r},
    secret={credentials.secret!r},
    host={host!r},
    port={port},
    ssl={tls},
)

{_browser(credentials, host, port, tls)}"""


def _ruby(credentials: Credentials, host: str, port: int, tls: bool) -> str:
    return f"""\
# On the server, where your app makes its client; in Rails, config/initializers/pusher.rb
# (gem: pusher 2).
require 'pusher'

pusher = Pusher::Client.new(
  app_id: {_ruby_text(credentials.app_id)},
  key: {_ruby_text(credentials.key)},
  secret: {_ruby_text(credentials.secret)},
  host: {_ruby_text(host)},
  port: {port},
  use_tls: {json.dumps(tls)}
)

{_browser(credentials, host, port, tls)}"""


def _browser(credentials: Credentials, host: str, port: int, tls: bool) -> str:
    """The browser's side, the same for every server's language."""
    return f"""\
// In the browser (npm: pusher-js 8). Serve your page by http: on a page by https, pusher-js
// uses TLS whatever forceTLS says.
import Pusher from "pusher-js";

const pusher = new Pusher({json.dumps(credentials.key)}, {{
  cluster: "", // pusher-js insists on one; wsHost takes its place
  wsHost: {json.dumps(host)},
  wsPort: {port},
  wssPort: {port},
  forceTLS: {json.dumps(tls)},
  enabledTransports: ["ws", "wss"],
}});
"""


def _laravel(credentials: Credentials, host: str, port: int, tls: bool) -> str:
    return f"""\
# .env, in place of the lines of the same names. Then: php artisan config:clear
# BROADCAST_CONNECTION is named BROADCAST_DRIVER up to Laravel 10.
BROADCAST_CONNECTION=pusher
PUSHER_APP_ID={_dotenv(credentials.app_id)}
PUSHER_APP_KEY={_dotenv(credentials.key)}
PUSHER_APP_SECRET={_dotenv(credentials.secret)}
PUSHER_APP_CLUSTER=mt1
PUSHER_HOST={_dotenv(host)}
PUSHER_PORT={port}
PUSHER_SCHEME={"https" if tls else "http"}
VITE_PUSHER_APP_KEY="${{PUSHER_APP_KEY}}"
VITE_PUSHER_APP_CLUSTER="${{PUSHER_APP_CLUSTER}}"
VITE_PUSHER_HOST="${{PUSHER_HOST}}"
VITE_PUSHER_PORT="${{PUSHER_PORT}}"
VITE_PUSHER_SCHEME="${{PUSHER_SCHEME}}"

// config/broadcasting.php: the connection 'pusher' has these options since Laravel 9. Broadcasts
// that wait in a queue are sent while `php artisan queue:work` runs.
'options' => [
    'cluster' => env('PUSHER_APP_CLUSTER'),
    'host' => env('PUSHER_HOST') ?: 'api-'.env('PUSHER_APP_CLUSTER', 'mt1').'.pusher.com',
    'port' => env('PUSHER_PORT', 443),
    'scheme' => env('PUSHER_SCHEME', 'https'),
    'useTLS' => env('PUSHER_SCHEME', 'https') === 'https',
],

// resources/js/echo.js (npm: laravel-echo 2, pusher-js 8). With @laravel/echo-vue or echo-react,
// give configureEcho() the same options, forceTLS above all. Serve your page by http: on a page
// by https, pusher-js uses TLS whatever forceTLS says. Then: npm run dev
import Echo from "laravel-echo";
import Pusher from "pusher-js";

window.Pusher = Pusher;
window.Echo = new Echo({{
  broadcaster: "pusher",
  key: import.meta.env.VITE_PUSHER_APP_KEY,
  cluster: import.meta.env.VITE_PUSHER_APP_CLUSTER,
  wsHost: import.meta.env.VITE_PUSHER_HOST,
  wsPort: import.meta.env.VITE_PUSHER_PORT,
  wssPort: import.meta.env.VITE_PUSHER_PORT,
  forceTLS: import.meta.env.VITE_PUSHER_SCHEME === "https",
  enabledTransports: ["ws", "wss"],
}});
"""


# --- values, quoted -----------------------------------------------------------------------------
#
# JSON's quotes are JavaScript's too, and Python's are those of repr().


def _ruby_text(text: str) -> str:
    r"""Ruby's single quotes know no escapes but \\ and \'."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


_DOTENV_ESCAPES = {"\\": r"\\", '"': r"\"", "$": r"\$", "\n": r"\n", "\r": r"\r", "\t": r"\t"}


def _dotenv(text: str) -> str:
    r"""As Laravel reads it (phpdotenv 5, EntryParser). In double quotes: $ would name a variable.

    Vite, which reads the same file, knows \$ but neither \" nor \\: a key with a double quote or
    a backslash, which no service gives out, would reach the browser wrong.
    """
    if re.fullmatch(r"[A-Za-z0-9_.:/+@-]+", text):
        return text
    return '"' + "".join(_DOTENV_ESCAPES.get(char, char) for char in text) + '"'
