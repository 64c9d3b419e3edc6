"""WebSocket connections between a real client and a real server, and what each sent.

usage: websocket_talks.py PORT TRUTH

Writes one line of JSON for each connection: messages of text and of bytes from each side, whether they were compressed, and
how it was closed.
"""
import asyncio
import json
import sys

from websockets.asyncio.client import connect
from websockets.asyncio.server import serve
from websockets.exceptions import ConnectionClosed

PORT, TRUTH = int(sys.argv[1]), sys.argv[2]


async def server(connection):
    try:
        async for message in connection:
            if message == "bye":
                await connection.close(4001, "no more: käse")
                return
            if message == "drop":
                connection.transport.abort()
                return
            await connection.send(message)
    except ConnectionClosed:
        pass


def plain(message):
    return len(message.encode() if isinstance(message, str) else message)


async def talk(out, path, messages, compression, close=(1000, ""), pings=0, fragments=False, by="client", subprotocol=None):
    protocols = [subprotocol] if subprotocol else None
    answered = [m for m in messages if m not in ("bye", "drop")]
    async with connect(
        f"ws://127.0.0.1:{PORT}{path}", compression=compression, subprotocols=protocols, max_size=None
    ) as connection:
        for message in messages:
            if fragments:
                third = max(1, len(message) // 3)
                await connection.send([message[:third], message[third : 2 * third], message[2 * third :]])
            else:
                await connection.send(message)
            if message in answered:
                await connection.recv()
        for _ in range(pings):
            await (await connection.ping(b"are you there"))
        if by == "client":
            await connection.close(*close)
        else:
            try:
                await connection.recv()
            except ConnectionClosed:
                pass

    def side(sent):
        texts = [m for m in sent if isinstance(m, str)]
        return {
            # Of each message its kind, its length and how it begins.
            "said": [["text", plain(m), m[:40]] if isinstance(m, str) else ["binary", len(m), m[:40].hex()] for m in sent],
            "texts": len(texts),
            "binaries": len(sent) - len(texts),
            # Compressed bytes are the library's affair.
            "bytes": sum(map(plain, sent)) if compression is None else None,
            "compressed": 0 if compression is None else len(sent),
        }

    told = {"by": by, "code": close[0], "reason": close[1]} if by else None
    line = {"path": path, "client": side(messages), "server": side(answered), "pings": pings, "close": told}
    out.write(json.dumps(line) + "\n")


async def main():
    with open(TRUTH, "w", encoding="utf-8") as out:
        async with serve(server, "127.0.0.1", PORT, max_size=None, select_subprotocol=lambda _, offered: offered[0] if offered else None):
            mixed = ["hello", b"\x00\x01\x02", "ü" * 100, b"x" * 300, "y" * 70_000]
            await talk(out, "/plain", mixed, None)
            await talk(out, "/deflate", mixed, "deflate", subprotocol="chat.v1")
            await talk(out, "/fragments", ["z" * 999, b"q" * 3000], None, fragments=True, pings=2)
            await talk(out, "/fragments-deflate", ["z" * 999, b"q" * 3000], "deflate", fragments=True)
            await talk(out, "/server-closes", ["one", "bye"], None, close=(4001, "no more: käse"), by="server")
            await talk(out, "/client-closes", ["one"], None, close=(3000, "done"))
            await talk(out, "/drop", ["one", "drop"], None, close=(None, None), by=None)
            await talk(out, "/empty", ["", b""], None)
            await talk(out, "/many", ["m%d" % n for n in range(200)], "deflate")
            await asyncio.gather(*(talk(out, f"/at-once/{n}", ["a", "b"], None) for n in range(5)))


asyncio.run(main())
