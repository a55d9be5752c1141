"""The desk: one page at `/` that shows an account, live or as it was, and one order cause by cause. It only reads.

The page is `desk.html`. It needs nothing but itself and the API: no build, no library, nothing from outside. The key
stays in the page's memory; everything that comes from the API is set as text.
"""

import base64
import hashlib
import re
from functools import cache
from pathlib import Path
from typing import Final

from starlette.responses import HTMLResponse

_SCRIPT: Final = re.compile(r"<script>(.*?)</script>", re.DOTALL)


@cache
def page() -> str:
    """The page's text."""
    return Path(__file__).with_name("desk.html").read_text()


@cache
def policy() -> str:
    """What a browser lets the page do: run its own script, by its digest, and ask the server that it came from."""
    [script] = _SCRIPT.findall(page())
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return (
        f"default-src 'none'; script-src 'sha256-{digest}'; style-src 'unsafe-inline'; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )


def response() -> HTMLResponse:
    """The page, with what it may do."""
    headers = {
        "Content-Security-Policy": policy(), "Referrer-Policy": "no-referrer", "X-Content-Type-Options": "nosniff",
    }  # fmt: skip
    return HTMLResponse(page(), headers=headers)
