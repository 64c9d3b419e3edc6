"""GraphQL over HTTP in all its forms, served by graphql-core, whose own parser says what each request asks for.

usage: graphql_requests.py PORT TRUTH
"""
import json
import sys
from urllib.parse import parse_qs, urlsplit

import httpx
from graphql import GraphQLError, build_schema, graphql_sync, parse
from graphql.language import FieldNode, FragmentDefinitionNode, FragmentSpreadNode, InlineFragmentNode, OperationDefinitionNode
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

from asgi import Recorder, serve

PORT, TRUTH = int(sys.argv[1]), sys.argv[2]
SCHEMA = build_schema("""
type Item { id: ID!, name: String, price: Float, related(first: Int = 3): [Item!]! }
input Line { item: ID!, count: Int = 1 }
type Query { item(id: ID!): Item, items(tags: [String!]): [Item!]!, fails: String }
type Mutation { add(line: Line!): Item, upload(name: String!): Item }
""")
ITEM = {"id": "1", "name": "mug", "price": 9.5, "related": lambda info, first=3: []}
PERSISTED = {}


def fails(info):
    raise GraphQLError("no")


ROOT = {
    "item": lambda info, id: ITEM,
    "items": lambda info, tags=None: [ITEM],
    "fails": fails,
    "add": lambda info, line: ITEM,
    "upload": lambda info, name: ITEM,
}


def answer(one):
    query = one.get("query") or PERSISTED.get(one.get("extensions", {}).get("persistedQuery", {}).get("sha256Hash"))
    if query is None:
        return {"errors": [{"message": "PersistedQueryNotFound"}]}
    return graphql_sync(SCHEMA, query, ROOT, variable_values=one.get("variables"), operation_name=one.get("operationName")).formatted


async def endpoint(request):
    if request.method == "GET":
        one = {name: value for name, value in request.query_params.items()}
        one["extensions"] = json.loads(one.get("extensions", "{}"))
        return JSONResponse(answer(one))
    kind = request.headers.get("content-type", "")
    if kind.startswith("application/graphql"):
        return JSONResponse(answer({"query": (await request.body()).decode()}))
    if kind.startswith("multipart/"):
        text = (await request.body()).decode("latin-1")
        part = text.split('name="operations"')[1].split("\r\n\r\n", 1)[1].split("\r\n--")[0]
        return JSONResponse(answer(json.loads(part)))
    body = await request.json()
    return JSONResponse([answer(one) for one in body] if isinstance(body, list) else answer(body))


def told(one):
    """What graphql-core's parser says of one operation."""
    name = one.get("operationName")
    if not one.get("query"):
        return {"kind": None, "name": name, "fields": [], "depth": 0, "aliases": 0}
    document = parse(one["query"])
    fragments = {d.name.value: d for d in document.definitions if isinstance(d, FragmentDefinitionNode)}
    operations = [d for d in document.definitions if isinstance(d, OperationDefinitionNode)]
    chosen = next((o for o in operations if name and o.name and o.name.value == name), operations[0])

    def fields(node):
        for selection in node.selection_set.selections if node.selection_set else ():
            match selection:
                case FieldNode():
                    yield selection
                case FragmentSpreadNode():
                    yield from fields(fragments[selection.name.value])
                case InlineFragmentNode():
                    yield from fields(selection)

    def depth(node):
        return max((1 + depth(field) for field in fields(node)), default=0)

    aliases = 0

    def count(node):
        nonlocal aliases
        for selection in node.selection_set.selections if node.selection_set else ():
            aliases += isinstance(selection, FieldNode) and selection.alias is not None
            if not isinstance(selection, FragmentSpreadNode):
                count(selection)

    for definition in document.definitions:
        count(definition)
    return {
        "kind": chosen.operation.value,
        "name": chosen.name.value if chosen.name else None,
        "fields": list(dict.fromkeys(field.name.value for field in fields(chosen))),
        "depth": depth(chosen),
        "aliases": aliases,
    }


def tell(method, target, headers, body, status, answered):
    kind = headers.get("content-type", "")
    if method == "GET":
        query = {name: values[0] for name, values in parse_qs(urlsplit(target).query).items()}
        asked = [query] if "query" in query or "extensions" in query else []
    elif kind.startswith("application/graphql"):
        asked = [{"query": body.decode()}]
    elif kind.startswith("multipart/"):
        part = body.decode("latin-1").split('name="operations"')[1].split("\r\n\r\n", 1)[1].split("\r\n--")[0]
        asked = [json.loads(part)]
    else:
        asked = json.loads(body)
        asked = asked if isinstance(asked, list) else [asked]
    answers = json.loads(answered)
    answers = answers if isinstance(answers, list) else [answers]
    errors = sum(len(one.get("errors", [])) for one in answers)
    return {"target": target, "operations": [told(one) for one in asked], "errors": errors}


QUERIES = [
    "{ item(id: 1) { id } }",
    "query Items { items(tags: [\"a}\", \"b\"]) { id name related { id related { name } } } }",
    "query Aliased { first: item(id: 1) { n: name } second: item(id: 2) { name } }",
    "query Spread { items { ...Parts } } fragment Parts on Item { id related { ...Name } } fragment Name on Item { name }",
    "query Inline($on: Boolean!) { ... @include(if: $on) { items { ... on Item { id } } } item(id: 1) { id } }",
    "# { a comment }\nquery Text { items(tags: [\"\"\"a \"quoted\" { \\\"\"\" block\"\"\"]) { id } }",
    "query IntrospectionQuery { __schema { queryType { name } types { name fields { name } } } }",
    "query Fails { fails }",
    "query Wrong { nothing }",
    "mutation Add($line: Line!) { add(line: $line) { id name } }",
    "mutation { add(line: {item: 1, count: 2}) { id } }",
]


def main():
    app = Recorder(Starlette(routes=[Route("/graphql", endpoint, methods=["GET", "POST"])]), TRUTH, tell)
    with serve(app, PORT), httpx.Client(base_url=f"http://127.0.0.1:{PORT}") as client:
        for query in QUERIES:
            variables = {"line": {"item": "1"}, "on": True}
            client.post("/graphql", json={"query": query, "variables": variables})
        client.post("/graphql", json={"operationName": "Two", "query": "query One { items { id } } query Two { item(id: 2) { name } }"})
        client.post("/graphql", json=[{"query": QUERIES[0]}, {"query": QUERIES[9], "variables": {"line": {"item": "1"}}}])
        hashed = "ecf4edb46db40b5132295c0291d62fb65d6759a9eedfa4d5d612dd5ec54a6b38"
        extensions = {"persistedQuery": {"version": 1, "sha256Hash": hashed}}
        client.post("/graphql", json={"operationName": "Stored", "extensions": extensions})
        PERSISTED[hashed] = QUERIES[0]
        client.post("/graphql", json={"operationName": "Stored", "extensions": extensions})
        client.get("/graphql", params={"extensions": json.dumps(extensions), "operationName": "Stored"})
        client.get("/graphql", params={"query": QUERIES[1]})
        client.post("/graphql", content=QUERIES[2], headers={"content-type": "application/graphql"})
        operations = json.dumps({"query": "mutation Up($name: String!) { upload(name: $name) { id } }", "variables": {"name": "x"}})
        client.post("/graphql", files={"operations": (None, operations), "0": ("a.bin", b"\x00\x01" * 500)})
        # A long one, whose end is not kept.
        client.post("/graphql", json={"query": "query Long { " + "items { id name } " * 3000 + "}"})


main()
