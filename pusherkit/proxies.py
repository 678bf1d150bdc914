"""Proxies that the environment names, in words: which variable is wrong, and what to do.

httpx and websockets read these variables by themselves. What they raise over a broken one names
neither the variable nor the way out, and may quote the proxy's password; so these sentences don't
quote anything.
"""

from __future__ import annotations

import os


def unusable_proxy(scheme: str, error: Exception, *, socks_package: str) -> str:
    """Why the proxy for `scheme` ("http", "all", …; "no" for the exceptions) can't be used.

    An ImportError means that it's a SOCKS proxy, and `socks_package` is what's missing for it.
    """
    name = _variable(f"{scheme}_proxy")
    if isinstance(error, ImportError):
        return (
            f"{name} names a SOCKS proxy, which needs another package: "
            f'pip install "{socks_package}". Or unset {name} to connect without it.'
        )
    wanted = (
        "host names separated by commas, such as localhost,.example.com"
        if scheme == "no"
        else "a URL, such as http://proxy.example.com:3128"
    )
    return (
        f"{name} can't be used: expected {wanted}. Its value isn't shown, because it may hold a "
        f"password. Correct it, or unset {name}."
    )


def _variable(name: str) -> str:
    """An environment variable as it's spelled: where both are set, http_proxy beats HTTP_PROXY."""
    found = [spelled for spelled in os.environ if spelled.lower() == name]
    return max(found, default=f"The system's {name}")
