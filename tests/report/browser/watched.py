"""A page in a real browser, and what it did that no report may do."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from playwright.sync_api import BrowserContext, ConsoleMessage, Page, Request

LOCAL = ("file", "data", "blob", "about")
"""Schemes of addresses that ask no machine for anything."""

OF_THE_DRIVER = "GL Driver Message"
"""Console messages on how fast WebGL is, which come with every screenshot."""

REPORT_VIOLATIONS = """
addEventListener("securitypolicyviolation", event =>
    console.error(`content security policy: ${event.violatedDirective} blocked ${event.blockedURI} ${event.sample}`));
"""


@dataclass
class Watched:
    """Complaints about all pages of a context: errors, violations of the policy, requests, dialogs, windows."""

    served: str = ""
    """The address that pages may load from; none: they may ask nobody."""

    complaints: list[str] = field(default_factory=list)

    def watch(self, context: BrowserContext) -> None:
        context.add_init_script(REPORT_VIOLATIONS)
        context.on("page", self._watch_page)
        context.on("request", self._check_request)
        context.on("requestfailed", lambda request: self._add("failed request", f"{request.url} {request.failure}"))
        context.on("console", self._check_message)
        context.on("weberror", lambda error: self._add("error", f"{error.error}"))

    def _watch_page(self, page: Page) -> None:
        page.on("dialog", lambda dialog: (self._add("dialog", dialog.message), dialog.dismiss()))
        page.on("popup", lambda popup: self._add("window", popup.url))
        page.on("crash", lambda: self._add("crash", page.url))

    def _check_request(self, request: Request) -> None:
        served = self.served and request.url.startswith(self.served)
        if urlsplit(request.url).scheme not in LOCAL and not served:
            self._add("request", request.url)

    def _check_message(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning") and OF_THE_DRIVER not in message.text:
            self._add(f"console {message.type}", message.text)

    def _add(self, kind: str, text: str) -> None:
        self.complaints.append(f"{kind}: {text}")


def wait_until(page: Page, holds: Callable[[], bool], seconds: float) -> None:
    """Returns when it holds, or after this time; what the page says is heard meanwhile."""
    end = time.monotonic() + seconds
    while not holds() and time.monotonic() < end:
        page.wait_for_timeout(20)
