"""Proxies that the environment names, in words: which variable is wrong, and what to do.

httpx and websockets read these variables by themselves. What they raise over a broken one names
neither the variable nor the way out, and may quote the proxy's password; so these sentences don't
quote anything.
"""

from __future__ import annotations

import os


def unusable_proxy(scheme: str, *, lacking: str | None = None) -> str:
    """Why the proxy for `scheme` ("http", "all", …; "no" for the exceptions) can't be used.

    `lacking` is a package that isn't installed, and without which there are no SOCKS proxies.
    """
    name = _variable(f"{scheme}_proxy")
    if lacking is not None:
        return (
            f'{name} names a SOCKS proxy, which needs another package: pip install "{lacking}". '
            "Or unset it to connect without a proxy."
        )
    if scheme == "no":
        return (
            f"{name} can't be read: expected host names separated by commas, such as "
            f"localhost,.example.com. Correct it, or unset it."
        )
    return (
        f"{name} can't be used: expected a URL, such as http://proxy.example.com:3128. What it "
        "holds isn't shown, because there may be a password in it. Correct it, or unset it to "
        "connect without a proxy."
    )


def _variable(name: str) -> str:
    """An environment variable as it's spelled: where both are set, http_proxy beats HTTP_PROXY."""
    found = [spelled for spelled in os.environ if spelled.lower() == name]
    return max(found, default=f"The system's {name}")
