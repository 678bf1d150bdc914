"""What the doctor's page runs: report(text, secret), as JSON. In Pyodide, on the page itself.

The doctor is pure, so the package is entered below its front door: nothing that sends is loaded.
"""

import importlib.util
import json
import sys
import time
import types
from dataclasses import asdict

found = importlib.util.find_spec("pusherkit")
package = types.ModuleType("pusherkit")
package.__path__ = list(found.submodule_search_locations)
sys.modules["pusherkit"] = package

from pusherkit.doctor.consult import App, consult  # noqa: E402
from pusherkit.errors import UnreadableText  # noqa: E402

IN_A_TERMINAL = "Set PUSHER_SECRET to the app's secret"
HERE = "Fill in the app's secret above"


def report(text: str, secret: str) -> str:
    """The report's fields, with `status`; or `unusable`, a sentence. It doesn't hold the secret."""
    try:
        made = consult(text, App(secret=secret.strip()), now=time.time())
        told = {**asdict(made), "status": made.status}
    except UnreadableText as error:
        told = {"unusable": str(error)}
    return json.dumps(told).replace(IN_A_TERMINAL, HERE)
