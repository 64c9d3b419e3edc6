"""A session of the Model Context Protocol over streamable HTTP, by the official SDK on both sides.

usage: mcp_session.py PORT TRUTH

Writes one line of JSON for each HTTP request, as the server's side of it sees it.
"""
import asyncio
import json
import sys

from mcp import Client
from mcp.server.mcpserver import MCPServer

from asgi import Recorder, serve

PORT, TRUTH = int(sys.argv[1]), sys.argv[2]
shop = MCPServer("shop")


@shop.tool()
def price(item: str) -> float:
    """The price of an item."""
    if item == "none":
        raise ValueError("no such item")
    return 9.5


@shop.resource("shop://items/{name}")
def item(name: str) -> str:
    """An item."""
    return f"item {name}"


@shop.prompt()
def offer(item: str) -> str:
    """An offer."""
    return f"Offer the {item}."


def tell(method, target, headers, body, status, answered):
    asked = json.loads(body) if body else []
    asked = asked if isinstance(asked, list) else [asked]
    calls = []
    for one in asked:
        parameters = one.get("params") or {}
        named = one.get("method") in ("tools/call", "prompts/get", "resources/read")
        target = (parameters.get("name") or parameters.get("uri")) if named else None
        calls.append({"method": one.get("method"), "target": target})
    return {
        "http": method,
        "status": status,
        "calls": calls,
        "session": headers.get("mcp-session-id"),
        "version": headers.get("mcp-protocol-version"),
    }


async def session(mode):
    async with Client(f"http://127.0.0.1:{PORT}/mcp", mode=mode) as client:
        await client.list_tools()
        await client.call_tool("price", {"item": "mug"})
        await client.call_tool("price", {"item": "none"})
        await client.list_prompts()
        await client.get_prompt("offer", {"item": "mug"})
        await client.read_resource("shop://items/mug")
        try:
            await client.read_resource("other://nothing")
        except Exception as error:
            print("expected:", error)


def main():
    app = Recorder(shop.streamable_http_app(), TRUTH, tell)
    with serve(app, PORT):
        for mode in sys.argv[3:] or ["legacy", "auto"]:
            asyncio.run(session(mode))


main()
