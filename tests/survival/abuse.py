"""Clients that abuse an endpoint: each is given its port, and does what it can."""

import base64
import gzip
import json
import random
import socket
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pyarrow as pa
from crafted_files.openings import MB, parquet, png, repeated, zeros

Abuse = Callable[[int], object]
ABUSES: dict[str, tuple[Abuse, set[int | None], bool]] = {}
"""By name: the client, the statuses that are a good answer (None: the connection is ended), and whether it is tried in
the short form, too."""
JSON = "application/json"


def abuse(name: str, *statuses: int | None, short: bool = True) -> Callable[[Abuse], Abuse]:
    def register(client: Abuse) -> Abuse:
        ABUSES[name] = client, set(statuses), short
        return client

    return register


# -- clients --------------------------------------------------------------------------------------------------


@contextmanager
def connected(port: int, seconds: float = 60) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", port), seconds) as client:
        yield client


def head(*headers: str, kind: str = JSON, first: str = "POST /invocations HTTP/1.1") -> bytes:
    lines = [first, "Host: here", f"Content-Type: {kind}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n"


def answered(client: socket.socket) -> int | None:
    """The status of the answer; None if the connection ends without one."""
    with suppress(ConnectionError):
        start = client.makefile("rb").readline(1000).split()
        return int(start[1]) if len(start) > 1 else None
    return None


def sent(port: int, *pieces: bytes) -> int | None:
    """The status of the answer to these bytes."""
    with connected(port) as client:
        with suppress(ConnectionError):
            for piece in pieces:
                client.sendall(piece)
        return answered(client)


def posted(port: int, body: bytes, kind: str = JSON, *headers: str) -> int | None:
    return sent(port, head(f"Content-Length: {len(body)}", *headers, kind=kind), body)


def instances(*values: object) -> bytes:
    return json.dumps({"instances": list(values)}).encode()


def text(content: bytes) -> str:
    return base64.b64encode(content).decode()


def every(count: int, client: Callable[[socket.socket], None], port: int, wait: bool = True) -> set[int | None]:
    """What so many connections at once are answered, or None for those that are ended."""
    clients = [socket.create_connection(("127.0.0.1", port), 60) for _ in range(count)]
    try:
        for each in clients:
            with suppress(ConnectionError):
                client(each)
        return {answered(each) for each in clients} if wait else {None}
    finally:
        for each in clients:
            each.close()


# -- large and slow ---------------------------------------------------------------------------------------------


@abuse("127 MB", 413)
def _(port: int) -> object:
    return sent(port, head(f"Content-Length: {127 * MB}"), *[zeros(MB)] * 127)


@abuse("127 MB in chunks", 413, 408)
def _(port: int) -> object:
    chunk = b"%x\r\n" % MB + zeros(MB) + b"\r\n"
    return sent(port, head("Transfer-Encoding: chunked"), *[chunk] * 127, b"0\r\n\r\n")


@abuse("1 TB declared", 413)
def _(port: int) -> object:
    return sent(port, head(f"Content-Length: {2**40}", "Expect: 100-continue"))


@abuse("a size of 100 digits", 400, 413)
def _(port: int) -> object:
    return sent(port, head("Content-Length: " + "9" * 100))


@abuse("a size below zero", 400)
def _(port: int) -> object:
    return sent(port, head("Content-Length: -5"), b"hello")


@abuse("two sizes at once", 400, None)
def _(port: int) -> object:
    return sent(port, head("Content-Length: 5", "Transfer-Encoding: chunked"), b"0\r\n\r\n")


@abuse("200 connections that send nothing", None)
def _(port: int) -> object:
    return every(200, lambda client: None, port)


@abuse("200 connections that begin with headers", None)
def _(port: int) -> object:
    return every(200, lambda client: client.sendall(b"POST /invocations HTTP/1.1\r\nHost: here\r\nX"), port)


@abuse("200 connections that begin with a body", 408, None)
def _(port: int) -> object:
    return every(200, lambda client: client.sendall(head("Content-Length: 1000") + b"{"), port)


@abuse("50 large bodies that never end", 408, None)
def _(port: int) -> object:
    begin = head(f"Content-Length: {15 * MB}") + zeros(50_000)
    return every(50, lambda client: client.sendall(begin), port)


@abuse("a header a second", None, short=False)
def _(port: int) -> object:
    with connected(port) as client, suppress(ConnectionError):
        client.sendall(b"POST /invocations HTTP/1.1\r\n")
        for number in range(60):
            client.sendall(b"X%d: y\r\n" % number)
            time.sleep(1)
        return answered(client)
    return None


@abuse("slow headers after a good request", None)
def _(port: int) -> object:
    with connected(port) as client, suppress(ConnectionError):
        client.sendall(b"GET /ping HTTP/1.1\r\nHost: here\r\n\r\n")
        client.recv(1000)
        client.sendall(b"GET /ping HTTP/1.1\r\n")
        while piece := client.recv(1000):
            assert b"200 OK" not in piece
    return None


@abuse("a large answer that nobody reads", 200)
def _(port: int) -> object:
    body = instances(*[[[[0] * 8] * 8]] * 6000)
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.connect(("127.0.0.1", port))
        client.sendall(head(f"Content-Length: {len(body)}") + body)
        found = (posted(port, body[: len(body) // 2]) for _ in range(10))  # large ones of others have their turn, too
        return next((200 for status in found if status == 400), None)


@abuse("a header of 100 MB", None, 400)
def _(port: int) -> object:
    return sent(port, b"POST /invocations HTTP/1.1\r\nX: ", *[b"a" * MB] * 100)


@abuse("a million headers", None, 400)
def _(port: int) -> object:
    return sent(port, b"POST /invocations HTTP/1.1\r\n", *[b"X: y\r\n" * 1000] * 1000)


@abuse("an address of 50 MB", None, 400)
def _(port: int) -> object:
    return sent(port, b"POST /", *[b"a" * MB] * 50, b" HTTP/1.1\r\n\r\n")


@abuse("1,000 requests in one go", 200, None)
def _(port: int) -> object:
    return sent(port, b"GET /ping HTTP/1.1\r\nHost: here\r\n\r\n" * 1000)


@abuse("500 clients that hang up", None)
def _(port: int) -> object:
    for _ in range(5):
        every(100, lambda client: client.sendall(head("Content-Length: 100000") + zeros(50_000)), port, wait=False)
    return None


@abuse("another protocol", 400, None)
def _(port: int) -> object:
    return sent(port, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + random.Random(0).randbytes(500) + b"\r\n\r\n")


@abuse("a web socket", 403, 400, 404, 405, None)
def _(port: int) -> object:
    upgrade = (
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: " + "a" * 22 + "==",
    )
    return sent(port, head(*upgrade, first="GET /invocations HTTP/1.1"))


# -- JSON -------------------------------------------------------------------------------------------------------


@abuse("JSON nested 100,000 deep", 400)
def _(port: int) -> object:
    return posted(port, b"[" * 100_000)


@abuse("samples nested 900 deep", 400)
def _(port: int) -> object:
    return posted(port, b'{"instances": ' + b"[" * 900 + b"1" + b"]" * 900 + b"}")


@abuse("a number of 100,000 digits", 400)
def _(port: int) -> object:
    return posted(port, b'{"instances": [' + b"9" * 100_000 + b"]}")


@abuse("numbers of 4,000 digits", 400)
def _(port: int) -> object:
    return posted(port, b'{"instances": [' + b",".join([b"9" * 4000] * 60) + b"]}")


@abuse("15 MB of empty lists", 400)
def _(port: int) -> object:
    return posted(port, b'{"instances": [' + b"[]," * (5 * MB) + b"[]]}")


@abuse("15 MB of zeros", 400)
def _(port: int) -> object:
    return posted(port, b'{"instances": [' + b"0," * (7 * MB) + b"0]}")


@abuse("15 MB of fractions", 400)
def _(port: int) -> object:
    return posted(port, b'{"instances": [' + b"0.54321," * 1_990_000 + b"0]}")


@abuse("390,000 times one name", 400)
def _(port: int) -> object:
    return posted(port, b'{"inputs": {' + b'"a":[1],' * 390_000 + b'"a":[1]}}')


@abuse("390,000 columns", 400)
def _(port: int) -> object:
    columns = b",".join(b'"a%d":[1]' % number for number in range(390_000))
    return posted(port, b'{"inputs": {' + columns + b"}}")


@abuse("records of 15,000 names", 400)
def _(port: int) -> object:
    return posted(port, json.dumps({"dataframe_records": [{f"a{number}": 1} for number in range(15_000)]}).encode())


@abuse("instances of 15,000 names", 400)
def _(port: int) -> object:
    return posted(port, instances(*({f"a{number}": 1} for number in range(15_000))))


@abuse("a table of nothing", 400)
def _(port: int) -> object:
    return posted(port, b'{"dataframe_split": {"data": []}}')


@abuse("one long row among 200,000", 400)
def _(port: int) -> object:
    rows = [[0] * 500_000, *([[0]] * 200_000)]
    return posted(port, json.dumps({"dataframe_split": {"columns": [], "data": rows}}).encode())


@abuse("one long text among 100,000", 400)
def _(port: int) -> object:
    return posted(port, instances("a" * 8 * MB, *(["b"] * 100_000)))


@abuse("one long text in an image", 400)
def _(port: int) -> object:
    return posted(port, instances([["a" * 8 * MB, *([1] * 100_000)]]))


@abuse("no UTF-8", 400)
def _(port: int) -> object:
    return posted(port, b'{"instances": ["\xff\xfe"]}')


@abuse("no content type", 415)
def _(port: int) -> object:
    return sent(port, b"POST /invocations HTTP/1.1\r\nHost: here\r\nContent-Length: 2\r\n\r\n{}")


@abuse("gzipped zeros", 400)
def _(port: int) -> object:
    return posted(port, gzip.compress(zeros(50 * MB)), JSON, "Content-Encoding: gzip")


# -- images, and tables -----------------------------------------------------------------------------------------


@abuse("a PNG of 50,000 x 50,000", 400)
def _(port: int) -> object:
    return posted(port, instances(text(png(50_000, 50_000, zeros(MB)))))


@abuse("100 PNGs of 16 megapixels", 200, 400, short=False)
def _(port: int) -> object:
    return posted(port, instances(*[text(png(3999, 4000, zeros(4000 * 4000)))] * 100))


@abuse("5 PNGs of 16 megapixels", 200, 400)
def _(port: int) -> object:
    return posted(port, instances(*[text(png(3999, 4000, zeros(4000 * 4000)))] * 5))


@abuse("a GIF of 65,535 x 65,535", 400)
def _(port: int) -> object:
    return posted(port, instances(text(b"GIF89a" + struct.pack("<HHBBB", 65535, 65535, 0x80, 0, 0) + bytes(100))))


@abuse("an array that declares 10^15 numbers", 400)
def _(port: int) -> object:
    header = b"{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000000,)}\n"
    return posted(port, instances(text(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header)))


@abuse("a parquet file that is a bomb", 415)
def _(port: int) -> object:
    (place := Path("/dev/shm") / f"bomb-{port}.parquet").unlink(missing_ok=True)
    try:
        parquet(pa.table({"a": repeated(zeros(60 * MB), 1000)}), place)
        return posted(port, place.read_bytes(), "application/vnd.apache.parquet")
    finally:
        place.unlink()


@abuse("CSV of 50,000 columns and a million short lines", 400)
def _(port: int) -> object:
    return posted(port, b",".join(b"a" for _ in range(50_000)) + b"\n" + b"1\n" * 10**6, "text/csv")


@abuse("CSV with columns behind a line in quotes", 400)
def _(port: int) -> object:
    return posted(port, b'"a\n"' + b",b" * 50_000 + b"\n" + b"1\n" * 10**6, "text/csv")


@abuse("CSV of 7 million columns", 400)
def _(port: int) -> object:
    return posted(port, b"a," * (7 * MB) + b"a\n", "text/csv")


@abuse("CSV in an open quote", 400)
def _(port: int) -> object:
    return posted(port, b'a,b\n1,"' + b"1,2\n" * (3 * MB), "text/csv")
