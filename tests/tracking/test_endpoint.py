"""Bounds on what is read of a request, without a server."""

import asyncio
import json

import pytest

from ae_pipelines.base.errors import InputError
from ae_pipelines.tracking.endpoint.limits import SMALL_BODY, Bounded, Limits

LIMITS = Limits(max_body=SMALL_BODY + 1000, seconds=0.05)


async def echo(scope, receive, send):
    """Answers with the size of the body."""
    message = await receive()
    assert not message["more_body"]
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": str(len(message["body"])).encode()})


def asked(pieces, headers=(), app=None, ends=True):
    """Status and content of the answer to a body in pieces; a client that never `ends` sends nothing after them."""
    return asyncio.run(asking(app or Bounded(echo, LIMITS), pieces, headers, ends))


async def asking(app, pieces, headers=(), ends=True):
    left = list(pieces)
    read, sent = [], []

    async def receive():
        if not left:
            await asyncio.sleep(60)
        read.append(left.pop(0))
        return {"type": "http.request", "body": read[-1], "more_body": bool(left) or not ends}

    async def send(message):
        sent.append(message)

    await app({"type": "http", "headers": list(headers)}, receive, send)
    return sent[0]["status"], sent[1]["body"].decode(), len(read)


def test_a_request_is_given_whole():
    assert asked([b"a" * 10, b"b" * 20]) == (200, "30", 2)
    assert asked([b"a" * SMALL_BODY, b"b" * 1000])[:2] == (200, str(SMALL_BODY + 1000))


def test_a_size_that_is_declared_is_refused_before_it_is_read():
    status, content, read = asked([b"a"], [(b"content-length", b"%d" % (LIMITS.max_body + 1))])
    assert (status, read) == (413, 0)
    assert "larger than the 263,144 bytes allowed" in json.loads(content)["message"]


def test_a_size_that_is_not_declared_is_refused_as_soon_as_it_is_too_large():
    status, _, read = asked([b"a" * SMALL_BODY] * 9)
    assert (status, read) == (413, 2)


def test_a_body_that_does_not_arrive_is_not_waited_for():
    status, content, _ = asked([b"a"], ends=False)
    assert status == 408
    assert "did not arrive within 0.05 seconds" in content


def test_small_requests_pass_a_large_one_that_does_not_end_and_large_ones_wait():
    async def together():
        app = Bounded(echo, LIMITS)
        endless = asyncio.create_task(asking(app, [b"a" * (SMALL_BODY + 1)], ends=False))
        await asyncio.sleep(0)
        small = await asking(app, [b"a"])
        assert not endless.done()
        large = await asking(app, [b"a" * (SMALL_BODY + 1)])
        return small[0], large[0], (await endless)[0]

    assert asyncio.run(together()) in {(200, 200, 408), (200, 408, 408)}


def test_limits_are_numbers_above_0(monkeypatch):
    monkeypatch.setenv("AE_SERVE_MAX_BODY", "64000000")
    assert Limits.given().max_body == 64_000_000
    for text in ("16 MB", "0"):
        monkeypatch.setenv("AE_SERVE_MAX_BODY", text)
        with pytest.raises(InputError, match="AE_SERVE_MAX_BODY and AE_SERVE_SECONDS are numbers"):
            Limits.given()
