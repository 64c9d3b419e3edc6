#!/usr/bin/env python3
"""Makes conformance.jsonl of the test data of google/cel-spec: convert.py CHECKOUT > conformance.jsonl

Each line is a case: file, section, name, expr, bindings, and what is expected. What cannot be put to Harken's
evaluator, which knows JSON and no messages, is left out, and counted by reason on standard error.
"""
import base64
import collections
import json
import pathlib
import re
import sys

FILES = "basic comparisons conversions fp_math integer_math lists logic macros parse string timestamps fields".split()
TOKEN = re.compile(r"""\s+|\#[^\n]*|(?P<text>"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*')|(?P<sign>[{}\[\]:,;<>])
    |(?P<word>[^\s{}\[\]:,;<>"'#]+)""", re.X)
ESCAPES = {"n": 10, "r": 13, "t": 9, "a": 7, "b": 8, "f": 12, "v": 11}


def text(token):
    """The bytes of a literal of the text format."""
    out, body, at = bytearray(), token[1:-1], 0
    while at < len(body):
        if body[at] != "\\":
            out += body[at].encode()
            at += 1
            continue
        octal = re.match(r"[0-7]{1,3}", body[at + 1:])
        code = re.match(r"[xX]([0-9a-fA-F]{1,2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})", body[at + 1:])
        if octal:
            out.append(int(octal[0], 8))
            at += 1 + len(octal[0])
        elif code and code[1]:
            out.append(int(code[1], 16))
            at += 1 + len(code[0])
        elif code:
            out += chr(int(code[2] or code[3], 16)).encode()
            at += 1 + len(code[0])
        else:
            out.append(ESCAPES.get(body[at + 1], ord(body[at + 1])))
            at += 2
    return bytes(out)


def tokens(source):
    for match in TOKEN.finditer(source):
        if match.lastgroup:
            yield match.lastgroup, match[0]


def message(stream, end):
    """Fields as a list of (name, value), in order."""
    fields = []
    for kind, token in stream:
        if token == end:
            return fields
        if token in ",;":
            continue
        name = token
        if token == "[":
            name = "[" + "".join(t for _, t in iter(lambda: next(stream), ("sign", "]"))) + "]"
        kind, token = next(stream)
        if token == ":":
            kind, token = next(stream)
        if token in "{<":
            fields.append((name, message(stream, {"{": "}", "<": ">"}[token])))
        elif token == "[":
            for kind, token in stream:
                if token == "]":
                    break
                if token == "{":
                    fields.append((name, message(stream, "}")))
                elif token != ",":
                    fields.append((name, text(token) if kind == "text" else token))
        elif kind == "text":
            # Literals that follow each other are one.
            fields.append((name, text(token)))
        else:
            fields.append((name, token))
    return fields


class LeftOut(Exception):
    pass


def one(fields, name, default=None):
    return next((value for key, value in fields if key == name), default)


def every(fields, name):
    return [value for key, value in fields if key == name]


def value(fields):
    (kind, content), = fields
    if kind in ("int64_value", "uint64_value", "double_value", "bool_value", "type_value"):
        content = content.decode() if isinstance(content, bytes) else content
        return {kind.split("_")[0].replace("64", ""): content}
    if kind == "null_value":
        return {"null": True}
    if kind == "string_value":
        return {"string": content.decode()}
    if kind == "bytes_value":
        return {"bytes": base64.b16encode(content).decode()}
    if kind == "list_value":
        return {"list": [value(item) for item in every(content, "values")]}
    if kind == "map_value":
        return {"map": [[value(one(e, "key")), value(one(e, "value"))] for e in every(content, "entries")]}
    raise LeftOut("values that are messages")


def case(file, section, test):
    expr = one(test, "expr").decode()
    for field, reason in (("container", "containers"), ("disable_macros", "macros turned off"), ("check_only", "the checker's types alone"),
                          ("typed_result", "the checker's types alone"), ("unknown", "partial evaluation"),
                          ("any_unknowns", "partial evaluation")):
        if one(test, field) is not None:
            raise LeftOut(reason)
    if re.search(r"TestAllTypes|google\.protobuf|cel\.expr|\bproto[23]?\b", expr):
        raise LeftOut("messages")
    if "matches(" in expr and re.search(r"matches\(\s*[^'\"r)]", expr):
        raise LeftOut("a pattern that is no literal")
    bindings = {}
    for binding in every(test, "bindings"):
        bindings[one(binding, "key").decode()] = value(one(one(binding, "value"), "value"))
    if one(test, "eval_error") is not None or one(test, "any_eval_errors") is not None:
        want = {"error": True}
    elif one(test, "value") is not None:
        want = value(one(test, "value"))
    else:
        want = {"bool": "true"}
    made = {"file": file, "section": section, "name": one(test, "name").decode(), "expr": expr, "bindings": bindings, "want": want}
    if one(test, "disable_check") == "true":
        made["unchecked"] = True
    return made


def main():
    left_out = collections.Counter()
    for file in FILES:
        path = pathlib.Path(sys.argv[1]) / "tests/simple/testdata" / f"{file}.textproto"
        parsed = message(tokens(path.read_text()), None)
        for section in every(parsed, "section"):
            for test in every(section, "test"):
                try:
                    print(json.dumps(case(file, one(section, "name").decode(), test), ensure_ascii=False))
                except LeftOut as reason:
                    left_out[str(reason)] += 1
    for reason, count in left_out.most_common():
        print(f"{count:5} {reason}", file=sys.stderr)


main()
