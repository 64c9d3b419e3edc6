"""Real gRPC calls of all four kinds, and what both ends saw of them.

usage: grpc_calls.py PORT TRUTH

Writes one line of JSON for each call, in the order of their ends: path, messages and bytes in both directions as the
server's handlers saw them (before compression), status code and message as the client saw them; and, of services with
descriptors (descriptors.binpb beside TRUTH), what the messages say.
"""
import json
import os
import sys
import threading
import time
from concurrent import futures

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, json_format, message_factory, timestamp_pb2
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

PORT, TRUTH = int(sys.argv[1]), sys.argv[2]


def messages():
    """A service whose messages have fields of every kind, and the set of descriptors for it and for health checks."""
    kinds = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(name="orders.proto", package="orders.v1", syntax="proto3")
    state = file.enum_type.add(name="State")
    for number, name in enumerate(["UNKNOWN", "OPEN", "PAID"]):
        state.value.add(name=name, number=number)
    order = file.message_type.add(name="Order")
    for number, (name, kind, label, of) in enumerate(
        [
            ("order_id", kinds.TYPE_STRING, 1, ""),
            ("total_cents", kinds.TYPE_INT64, 1, ""),
            ("state", kinds.TYPE_ENUM, 1, ".orders.v1.State"),
            ("weight", kinds.TYPE_DOUBLE, 1, ""),
            ("gift", kinds.TYPE_BOOL, 1, ""),
            ("picture", kinds.TYPE_BYTES, 1, ""),
            ("marks", kinds.TYPE_SINT32, 3, ""),
            ("parts", kinds.TYPE_MESSAGE, 3, ".orders.v1.Order"),
            ("labels", kinds.TYPE_MESSAGE, 3, ".orders.v1.Order.LabelsEntry"),
            ("made", kinds.TYPE_MESSAGE, 1, ".google.protobuf.Timestamp"),
        ],
        1,
    ):
        order.field.add(name=name, number=number, type=kind, label=label, type_name=of or None)
    entry = order.nested_type.add(name="LabelsEntry")
    entry.options.map_entry = True
    entry.field.add(name="key", number=1, type=kinds.TYPE_STRING, label=1)
    entry.field.add(name="value", number=2, type=kinds.TYPE_UINT32, label=1)
    file.dependency.append("google/protobuf/timestamp.proto")
    service = file.service.add(name="Orders")
    for name, streams in [("Place", False), ("Trade", True)]:
        service.method.add(
            name=name,
            input_type=".orders.v1.Order",
            output_type=".orders.v1.Order",
            client_streaming=streams,
            server_streaming=streams,
        )
    pool = descriptor_pool.Default()
    pool.AddSerializedFile(file.SerializeToString())
    files = descriptor_pb2.FileDescriptorSet()
    for known in [timestamp_pb2.DESCRIPTOR, pool.FindFileByName("orders.proto"), health_pb2.DESCRIPTOR]:
        known.CopyToProto(files.file.add())
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("orders.v1.Order")), files


ORDER, FILES = messages()


def order(number, parts=()):
    made = ORDER(
        order_id=f"o-{number}",
        total_cents=2**53 + number,
        state=number % 3,
        weight=number / 8,
        gift=number % 2 == 1,
        picture=bytes(range(number)),
        marks=[-number, 0, number],
        parts=parts,
        labels={"shelf": number, "käse": 7},
    )
    made.made.FromNanoseconds(1_764_201_600_000_000_000 + number)
    return made.SerializeToString()


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
            "/orders.v1.Orders/Place": (grpc.unary_unary_rpc_method_handler, self.place),
            "/orders.v1.Orders/Trade": (grpc.stream_stream_rpc_method_handler, self.trade),
        }
        if details.method not in kinds:
            return None
        make, handler = kinds[details.method]
        return make(handler)

    def place(self, request, context):
        return order(2, [ORDER.FromString(request)])

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

    def trade(self, requests, context):
        for request in requests:
            yield order(5, [ORDER.FromString(request)])

    def fail(self, request, context):
        context.set_trailing_metadata((("retry-after-bin", b"\x01\x02"),))
        context.abort(grpc.StatusCode.NOT_FOUND, "no such cart: käse & 100 %")

    def slow(self, request, context):
        while context.is_active():
            time.sleep(0.01)
        return b""


SHAPES = {
    "/orders.v1.Orders/Place": (ORDER, ORDER),
    "/orders.v1.Orders/Trade": (ORDER, ORDER),
    "/grpc.health.v1.Health/Check": (health_pb2.HealthCheckRequest, health_pb2.HealthCheckResponse),
}


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
    with open(os.path.join(os.path.dirname(TRUTH), "descriptors.binpb"), "wb") as file:
        file.write(FILES.SerializeToString())
    out = open(TRUTH, "w", encoding="utf-8")

    def tell(path, sent, got, code, details=None):
        counts = lambda messages: None if messages is None else [len(messages), sum(map(len, messages))]
        line = {"path": path, "request": counts(sent), "response": counts(got), "status": code, "message": details}
        if path in SHAPES:
            # As Google's own library writes them.
            shown = lambda shape, messages: [json_format.MessageToDict(shape.FromString(m)) for m in messages]
            line["decoded"] = [shown(shape, messages) for shape, messages in zip(SHAPES[path], [sent, got])]
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
        sent = [order(n) for n in range(4)] + [order(200, [ORDER.FromString(order(n)) for n in range(20)])]
        for message in sent:
            got = channel.unary_unary("/orders.v1.Orders/Place")(message, compression=compression)
            tell("/orders.v1.Orders/Place", [message], [got], 0)
        got = list(channel.stream_stream("/orders.v1.Orders/Trade")(iter(sent), compression=compression))
        tell("/orders.v1.Orders/Trade", sent, got, 0)
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
