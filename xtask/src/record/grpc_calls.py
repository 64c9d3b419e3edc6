"""Real gRPC calls of all four kinds, and what both ends saw of them.

usage: grpc_calls.py PORT TRUTH

Writes one line of JSON for each call, in the order of their ends: path, messages and bytes in both directions as the
server's handlers saw them (before compression), status code and message as the client saw them.
"""
import json
import sys
import threading
import time
from concurrent import futures

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

PORT, TRUTH = int(sys.argv[1]), sys.argv[2]
SEEN = {}


class Shop(grpc.GenericRpcHandler):
    """Bytes in, bytes out: what the messages mean does not matter here."""

    def service(self, details):
        kinds = {
            "/shop.v1.Cart/Add": (grpc.unary_unary_rpc_method_handler, self.add),
            "/shop.v1.Cart/Watch": (grpc.unary_stream_rpc_method_handler, self.watch),
            "/shop.v1.Cart/Upload": (grpc.stream_unary_rpc_method_handler, self.upload),
            "/shop.v1.Cart/Chat": (grpc.stream_stream_rpc_method_handler, self.chat),
            "/shop.v1.Cart/Fail": (grpc.unary_unary_rpc_method_handler, self.fail),
            "/shop.v1.Cart/Slow": (grpc.unary_unary_rpc_method_handler, self.slow),
        }
        if details.method not in kinds:
            return None
        make, handler = kinds[details.method]
        return make(handler)

    def add(self, request, context):
        return b"\x0a\x05added" + request

    def watch(self, request, context):
        for n in range(request[1]):
            yield b"\x08" + bytes([n])

    def upload(self, requests, context):
        return b"\x08" + bytes([len([None for _ in requests])])

    def chat(self, requests, context):
        for request in requests:
            yield request + request

    def fail(self, request, context):
        context.set_trailing_metadata((("retry-after-bin", b"\x01\x02"),))
        context.abort(grpc.StatusCode.NOT_FOUND, "no such cart: käse & 100 %")

    def slow(self, request, context):
        while context.is_active():
            time.sleep(0.01)
        return b""


def serve():
    server = grpc.server(futures.ThreadPoolExecutor(8), handlers=(Shop(),), options=[("grpc.so_reuseport", 0)])
    servicer = health.HealthServicer()
    servicer.set("shop.v1.Cart", health_pb2.HealthCheckResponse.SERVING)
    health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
    server.add_insecure_port(f"127.0.0.1:{PORT}")
    server.start()
    return server


def main():
    server = serve()
    out = open(TRUTH, "w", encoding="utf-8")

    def tell(path, sent, got, code, details=None):
        counts = lambda messages: None if messages is None else [len(messages), sum(map(len, messages))]
        line = {"path": path, "request": counts(sent), "response": counts(got), "status": code, "message": details}
        out.write(json.dumps(line) + "\n")

    def run(channel, compression=None):
        def unary(name, message, **more):
            path = f"/shop.v1.Cart/{name}"
            try:
                got = channel.unary_unary(path)(message, compression=compression, **more)
                tell(path, [message], [got], 0)
            except grpc.RpcError as error:
                details = error.details() if name == "Fail" else None
                # What the client itself decides the server does not send.
                code = None if name == "Slow" else error.code().value[0]
                tell(path, [message], [] if code is None else [], code, details)

        unary("Add", b"\x0a\x03mug")
        unary("Add", b"\x0a\xff\x01" + b"m" * 255)
        unary("Add", b"\x0a\x80\x80\x04" + b"big " * 16384)
        unary("Add", b"")
        unary("Fail", b"\x08\x01")
        unary("Nowhere", b"\x08\x02")
        got = list(channel.unary_stream("/shop.v1.Cart/Watch")(b"\x08\x07", compression=compression))
        tell("/shop.v1.Cart/Watch", [b"\x08\x07"], got, 0)
        sent = [b"\x08" + bytes([n]) for n in range(5)]
        got = channel.stream_unary("/shop.v1.Cart/Upload")(iter(sent), compression=compression)
        tell("/shop.v1.Cart/Upload", sent, [got], 0)
        sent = [b"\x0a\x02hi", b"\x0a\x04more", b"x" * 3000]
        got = list(channel.stream_stream("/shop.v1.Cart/Chat")(iter(sent), compression=compression))
        tell("/shop.v1.Cart/Chat", sent, got, 0)
        # A deadline that passes, and a call that is cancelled.
        unary("Slow", b"\x08\x03", timeout=0.2)
        call = channel.unary_unary("/shop.v1.Cart/Slow").future(b"\x08\x04")
        time.sleep(0.1)
        call.cancel()
        tell("/shop.v1.Cart/Slow", [b"\x08\x04"], [], None)
        time.sleep(0.1)
        checked = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(service="shop.v1.Cart"))
        request = health_pb2.HealthCheckRequest(service="shop.v1.Cart").SerializeToString()
        tell("/grpc.health.v1.Health/Check", [request], [checked.SerializeToString()], 0)

    with grpc.insecure_channel(f"127.0.0.1:{PORT}") as channel:
        run(channel)
    with grpc.insecure_channel(f"127.0.0.1:{PORT}", compression=grpc.Compression.Gzip) as channel:
        run(channel, grpc.Compression.Gzip)
    # Many calls at a time on one connection.
    with grpc.insecure_channel(f"127.0.0.1:{PORT}") as channel:
        lock = threading.Lock()

        def one(n):
            message = b"\x08" + bytes([n])
            got = channel.unary_unary("/shop.v1.Cart/Add")(message)
            with lock:
                tell("/shop.v1.Cart/Add", [message], [got], 0)

        with futures.ThreadPoolExecutor(8) as pool:
            list(pool.map(one, range(40)))
    out.close()
    server.stop(0.5).wait()


main()
