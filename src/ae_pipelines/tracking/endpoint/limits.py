"""Bounds on what an endpoint reads: the size of a request, the time it takes to arrive, and how much of that at once.

`mlflow models serve` starts uvicorn, which has no such bounds: connections that send nothing stay open, and a request
is read whatever its size. They are laid around uvicorn's own protocols, where every request passes.
"""

import asyncio
import json
import os
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import cache, wraps
from typing import Any

from ae_pipelines.base.errors import InputError

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]

SMALL_BODY = 256 * 2**10
"""Bytes up to which requests are read and answered side by side; larger ones one after another."""
LONGEST_HEAD = 64 * 2**10
"""Bytes of a request's first line and headers."""
CHECKED_EVERY = 1.0
"""Seconds between two looks at a connection."""
LEAST_TAKEN = 2**20
"""Bytes of an answer that have to be taken in the time in which a request has to arrive."""


@dataclass(frozen=True)
class Limits:
    """What a request may be."""

    max_body: int = 16 * 2**20
    """Most bytes of a body."""
    seconds: float = 30
    """Time in which it has to arrive, headers and body; and in which each MB of the answer has to be taken."""

    @classmethod
    def given(cls) -> "Limits":
        """As the environment says: AE_SERVE_MAX_BODY (bytes) and AE_SERVE_SECONDS; `InputError` if these are no
        numbers above 0."""
        try:
            found = cls(
                int(os.environ.get("AE_SERVE_MAX_BODY", cls.max_body)),
                float(os.environ.get("AE_SERVE_SECONDS", cls.seconds)),
            )
        except ValueError as error:
            raise InputError(f"AE_SERVE_MAX_BODY and AE_SERVE_SECONDS are numbers ({error}): mend them") from error
        if not (found.max_body > 0 and found.seconds > 0):
            raise InputError("AE_SERVE_MAX_BODY and AE_SERVE_SECONDS are numbers above 0: mend them")
        return found


class Bounded:
    """An ASGI app that is given whole requests within the limits; others are answered with 408 or 413."""

    def __init__(self, app: App, limits: Limits) -> None:
        self._app, self._limits = app, limits
        self._large = asyncio.Semaphore(1)
        """Whoever holds it may hold a large body in memory."""

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if _declared(scope) > self._limits.max_body:
            await self._refuse_size(send)
            return
        async with AsyncExitStack() as held:
            try:
                async with asyncio.timeout(self._limits.seconds):
                    body = await self._read(scope, receive, held)
            except TimeoutError:
                await _refuse(
                    send, 408, f"the request did not arrive within {self._limits.seconds:g} seconds: try again"
                )
                return
            if body is None:
                return
            if len(body) > self._limits.max_body:
                await self._refuse_size(send)
                return
            await self._app(scope, _replayed(body, receive), send)

    async def _read(self, scope: Message, receive: Receive, held: AsyncExitStack) -> bytes | None:
        """The body, or so much of it that it is too large; None if the client has gone."""
        body = bytearray()
        expected, waits, more = _declared(scope), True, True
        while more and len(body) <= self._limits.max_body:
            if waits and max(expected, len(body)) > SMALL_BODY:
                await held.enter_async_context(self._large)
                waits = False
            message = await receive()
            if message["type"] == "http.disconnect":
                return None
            body += message.get("body", b"")
            more = message.get("more_body", False)
        return bytes(body)

    async def _refuse_size(self, send: Send) -> None:
        most = self._limits.max_body
        await _refuse(send, 413, f"the request is larger than the {most:,} bytes allowed: send fewer samples at a time")


def _declared(scope: Message) -> int:
    """The size that a request's headers declare; 0 if they do not."""
    sizes = [value for name, value in scope["headers"] if name == b"content-length"]
    return int(sizes[0]) if sizes and sizes[0].isdigit() else 0


def _replayed(body: bytes, receive: Receive) -> Receive:
    """Gives the body at once, and then what comes after it."""
    left = [body]

    async def next_message() -> Message:
        return {"type": "http.request", "body": left.pop(), "more_body": False} if left else await receive()

    return next_message


async def _refuse(send: Send, status: int, message: str) -> None:
    content = json.dumps({"error_code": "BAD_REQUEST", "message": message}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(content)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": content})


# -- connections ---------------------------------------------------------------------------------------------


@cache
def bound_uvicorn() -> None:
    """Lay the limits around all that uvicorn will serve in this process."""
    from uvicorn.protocols.http.h11_impl import H11Protocol

    limits = Limits.given()
    bound(H11Protocol, limits)
    try:
        from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
    except ImportError:
        return
    bound(HttpToolsProtocol, limits)


def bound(protocol: Any, limits: Limits) -> None:
    """Make connections of this protocol of uvicorn's end where a request does not arrive, its headers do not end, or
    the answer is not taken."""
    bounded = cache(lambda app: Bounded(app, limits))
    begin, made, received = protocol.__init__, protocol.connection_made, protocol.data_received

    @wraps(begin)
    def __init__(self: Any, *given: Any, **options: Any) -> None:  # noqa: N807
        begin(self, *given, **options)
        self.app = bounded(self.app)

    @wraps(made)
    def connection_made(self: Any, transport: asyncio.Transport) -> None:
        made(self, transport)
        self.arrival = _Arrival(self, transport, limits)

    @wraps(received)
    def data_received(self: Any, data: bytes) -> None:
        before = self.cycle
        received(self, data)
        self.arrival.note(before, len(data))

    protocol.__init__, protocol.connection_made, protocol.data_received = __init__, connection_made, data_received


class _Arrival:
    """Watches how the requests of one connection arrive, and its answers leave, and ends it where they do not."""

    def __init__(self, protocol: Any, transport: asyncio.Transport, limits: Limits) -> None:
        self._protocol, self._transport, self._limits = protocol, transport, limits
        self._since: float | None = protocol.loop.time()
        """When the request that is arriving began; None: none is."""
        self._unread = 0
        """Bytes since the last headers that were whole, other than those of a body that is wanted."""
        self._untaken, self._untaken_since = 0, 0.0
        """Bytes of answers that wait for the client, and since when not LEAST_TAKEN fewer have."""
        self._look_later()

    def note(self, before: Any, size: int) -> None:
        """So many bytes came, while the cycle of the request before them was `before`."""
        cycle = self._protocol.cycle
        if cycle is not before:
            self._unread = 0
        elif cycle is None or cycle.response_complete:
            self._unread += size
        arriving = cycle is None or cycle.response_complete or cycle.more_body
        self._since = (self._since or self._protocol.loop.time()) if arriving else None
        if self._unread > LONGEST_HEAD + self._unwanted(cycle):
            self._transport.abort()

    def _unwanted(self, cycle: Any) -> int:
        """Bytes that may still come of a body that was refused."""
        return max(_declared(cycle.scope), self._limits.max_body) if cycle is not None and cycle.more_body else 0

    def _look_later(self) -> None:
        self._protocol.loop.call_later(min(CHECKED_EVERY, self._limits.seconds), self._look)

    def _look(self) -> None:
        untaken = self._transport.get_write_buffer_size()
        if self._transport.is_closing() and not untaken:
            return
        if not self._untaken or untaken <= max(0, self._untaken - LEAST_TAKEN):
            self._untaken, self._untaken_since = untaken, self._protocol.loop.time()
        elif self._protocol.loop.time() - self._untaken_since > self._limits.seconds + CHECKED_EVERY:
            self._transport.abort()  # it would hold its answer, and its turn, for ever
            return
        if self._since is not None and self._protocol.loop.time() - self._since > self._limits.seconds + CHECKED_EVERY:
            self._transport.abort()  # what is read within a request has been answered by now
            return
        self._look_later()
