"""An ASGI server in a thread, which writes down each request with the first bytes of both bodies."""
import contextlib
import json
import threading
import time

import uvicorn


class Recorder:
    """Wraps an application; `tell(method, target, headers, body, status, answer)` gives the line for a request."""

    def __init__(self, app, path, tell):
        self.app, self.out, self.tell = app, open(path, "w", encoding="utf-8"), tell

    async def __call__(self, scope, receive, send):
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        body, answer, status = bytearray(), bytearray(), 0

        async def receiving():
            message = await receive()
            body.extend(message.get("body", b""))
            return message

        async def sending(message):
            nonlocal status
            status = message.get("status", status)
            answer.extend(message.get("body", b""))
            await send(message)

        try:
            await self.app(scope, receiving, sending)
        finally:
            headers = {name.decode().lower(): value.decode() for name, value in scope["headers"]}
            target = (scope["raw_path"] + (b"?" + scope["query_string"] if scope["query_string"] else b"")).decode()
            line = self.tell(scope["method"], target, headers, bytes(body), status, bytes(answer))
            self.out.write(json.dumps(line) + "\n")
            self.out.flush()


@contextlib.contextmanager
def serve(app, port):
    """Serves the application while the block runs."""
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=port, log_level="warning"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.05)
    yield
    server.should_exit = True
    thread.join(5)
