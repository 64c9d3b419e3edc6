"""WebSocket connections inside one connection of HTTP/2 (RFC 8441), between real peers, and what each sent.

usage: websocket_h2_talks.py PORT TRUTH

Writes one line of JSON for each WebSocket connection, in the form of websocket_talks.py.
"""
import asyncio
import json
import sys

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import DataReceived, ResponseReceived, StreamEnded
from h2.settings import SettingCodes
from hypercorn.asyncio import serve
from hypercorn.config import Config
from wsproto.connection import Connection, ConnectionType
from wsproto.events import BytesMessage, CloseConnection, TextMessage
from wsproto.extensions import PerMessageDeflate

PORT, TRUTH = int(sys.argv[1]), sys.argv[2]


async def app(scope, receive, send):
    """Says again what it is told."""
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
        await send({"type": "http.response.body", "body": b"hello\n"})
    while scope["type"] == "websocket":
        event = await receive()
        if event["type"] == "websocket.connect":
            if scope["path"] == "/h2/refused":
                await send({"type": "websocket.close"})
                return
            await send({"type": "websocket.accept"})
        elif event["type"] == "websocket.receive":
            if event.get("text") == "bye":
                await send({"type": "websocket.close", "code": 4001, "reason": "no more"})
                return
            await send({"type": "websocket.send", "text": event.get("text"), "bytes": event.get("bytes")})
        else:
            return


class Client:
    """One connection of HTTP/2 with many of WebSocket inside."""

    async def open(self):
        self.reader, self.writer = await asyncio.open_connection("127.0.0.1", PORT)
        self.h2 = H2Connection(H2Configuration(client_side=True))
        self.h2.initiate_connection()
        self.queues, self.ready = {}, asyncio.Event()
        self.flush()
        self.task = asyncio.create_task(self.read())
        await self.ready.wait()

    def flush(self):
        self.writer.write(self.h2.data_to_send())

    async def read(self):
        while data := await self.reader.read(65536):
            for event in self.h2.receive_data(data):
                if isinstance(event, DataReceived):
                    self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
                if isinstance(event, (DataReceived, ResponseReceived, StreamEnded)):
                    self.queues[event.stream_id].put_nowait(event)
            if self.h2.remote_settings.get(SettingCodes.ENABLE_CONNECT_PROTOCOL):
                self.ready.set()
            self.flush()

    def ask(self, headers, ends):
        stream = self.h2.get_next_available_stream_id()
        self.queues[stream] = asyncio.Queue()
        self.h2.send_headers(stream, headers, end_stream=ends)
        self.flush()
        return stream

    async def get(self, path):
        host = f"127.0.0.1:{PORT}"
        stream = self.ask([(":method", "GET"), (":scheme", "http"), (":authority", host), (":path", path)], True)
        while not isinstance(await self.queues[stream].get(), StreamEnded):
            pass

    async def send(self, stream, data):
        """In frames of at most 9,000 bytes, as flow control lets."""
        for at in range(0, len(data), 9_000):
            part = data[at : at + 9_000]
            while self.h2.local_flow_control_window(stream) < len(part):
                await asyncio.sleep(0.01)
            self.h2.send_data(stream, part)
            self.flush()
            await self.writer.drain()


def shown(message):
    if isinstance(message, str):
        return ["text", len(message.encode()), message[:40]]
    return ["binary", len(message), message[:40].hex()]


async def talk(client, out, path, messages, compressed, by="client", close=(1000, "")):
    extension = PerMessageDeflate()
    host = f"127.0.0.1:{PORT}"
    headers = [(":method", "CONNECT"), (":protocol", "websocket"), (":scheme", "http"), (":authority", host), (":path", path)]
    headers += [("sec-websocket-version", "13"), ("user-agent", "talks/1")]
    if compressed:
        headers.append(("sec-websocket-extensions", f"permessage-deflate; {extension.offer()}"))
    stream = client.ask(headers, False)
    queue = client.queues[stream]
    response = dict((await queue.get()).headers)
    if response[b":status"] != b"200":
        return
    accepted = response.get(b"sec-websocket-extensions", b"").decode()
    assert bool(accepted) == compressed, accepted
    if compressed:
        extension.finalize(accepted)
    inside = Connection(ConnectionType.CLIENT, [extension] if compressed else [])
    answered, closed = [], None

    async def receive():
        """The next whole message, or the Close frame."""
        parts = []
        while True:
            for event in inside.events():
                if isinstance(event, CloseConnection):
                    return event
                parts.append(event.data)
                if event.message_finished:
                    return "".join(parts) if isinstance(event, TextMessage) else b"".join(map(bytes, parts))
            event = await queue.get()
            inside.receive_data(event.data if isinstance(event, DataReceived) else None)

    for message in messages:
        kind = TextMessage if isinstance(message, str) else BytesMessage
        await client.send(stream, inside.send(kind(data=message)))
        answer = await receive()
        if isinstance(answer, CloseConnection):
            closed = answer
        else:
            assert answer == message
            answered.append(answer)
    if closed is None:
        await client.send(stream, inside.send(CloseConnection(code=close[0], reason=close[1])))
        while not isinstance(await receive(), CloseConnection):
            pass
    # The server forgets the stream behind its Close frame, and takes neither another nor the client's end after that.
    def side(sent):
        texts = sum(isinstance(m, str) for m in sent)
        plain = sum(shown(m)[1] for m in sent)
        return {
            "said": [shown(m) for m in sent],
            "texts": texts,
            "binaries": len(sent) - texts,
            "bytes": None if compressed else plain,
            "compressed": len(sent) if compressed else 0,
        }

    line = {"path": path, "client": side(messages), "server": side(answered), "pings": 0}
    line["close"] = {"by": by, "code": close[0], "reason": close[1]}
    out.write(json.dumps(line) + "\n")


async def main():
    config = Config()
    config.bind = [f"127.0.0.1:{PORT}"]
    stop = asyncio.Event()
    server = asyncio.create_task(serve(app, config, shutdown_trigger=stop.wait))
    await asyncio.sleep(1)
    mixed = ["hello", b"\x00\x01\x02", "ü" * 100, b"x" * 300, "y" * 30_000]
    with open(TRUTH, "w", encoding="utf-8") as out:
        client = Client()
        await client.open()
        await client.get("/h2/before")
        await talk(client, out, "/h2/plain", mixed, False)
        await talk(client, out, "/h2/deflate", mixed, True)
        await talk(client, out, "/h2/refused", [], False)
        await talk(client, out, "/h2/server-closes", ["one", "bye"], False, by="server", close=(4001, "no more"))
        await talk(client, out, "/h2/client-closes", ["one"], False, close=(3000, "done"))
        at_once = [talk(client, out, f"/h2/at-once/{n}", ["a%d" % k for k in range(9)], n % 2 == 1) for n in range(6)]
        await asyncio.gather(*at_once, client.get("/h2/between"))
        await asyncio.sleep(0.2)
        client.writer.close()
    stop.set()
    await server


asyncio.run(main())
