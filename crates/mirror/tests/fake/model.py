"""What AWS's own published model of an API says of a request and of an answer: botocore's data, nothing of ours."""
import re
import uuid
from xml.sax.saxutils import escape

import botocore.validate
from botocore.loaders import Loader
from moto.core.model import ServiceModel
from moto.core.parse import PROTOCOL_PARSERS


class Refused(Exception):
    """An error as AWS words it."""

    def __init__(self, code, message, status=400):
        super().__init__(f"{code}: {message}")
        self.code, self.message, self.status = code, message, status


API = Loader().load_service_model("ec2", "service-2")
MODEL = ServiceModel(API, "ec2")
VERSION = API["metadata"]["apiVersion"]


def wire_name(name, shape):
    """The name of a member on the wire, by the rules of the ec2 protocol."""
    query = shape.serialization.get("queryName")
    if query:
        return query
    location = shape.serialization.get("name") or name
    return location[0].upper() + location[1:]


def known_keys(shape, prefix, keys, out):
    """Adds to `out` each of `keys` that the model can account for."""
    for name, member in shape.members.items():
        wire = prefix + wire_name(name, member)
        if member.type_name == "structure":
            known_keys(member, wire + ".", keys, out)
        elif member.type_name == "list":
            for key in keys:
                found = re.match(re.escape(wire) + r"\.([1-9]\d*)(\..+)?$", key)
                if found and member.member.type_name == "structure":
                    known_keys(member.member, f"{wire}.{found[1]}.", keys, out)
                elif found and not found[2]:
                    out.add(key)
        elif wire in keys:
            out.add(wire)


def check_enums(shape, value):
    if shape.type_name == "structure":
        for name, member in shape.members.items():
            if name in value:
                check_enums(member, value[name])
    elif shape.type_name == "list":
        for item in value:
            check_enums(shape.member, item)
    elif getattr(shape, "enum", None) and value not in shape.enum:
        raise Refused("InvalidParameterValue", f"Value ({value}) is not one of {shape.enum}")


def arguments(action, form):
    """The arguments in a form, by the names of the model; refused where the model does not allow them."""
    operation = MODEL.operation_model(action)
    known = set()
    known_keys(operation.input_shape, "", set(form), known)
    unknown = sorted(set(form) - known)
    if unknown:
        raise Refused("UnknownParameter", f"The parameter {unknown[0]} is not recognized")
    try:
        parsed = PROTOCOL_PARSERS["ec2"](operation).parse(
            {"query_params": form, "body": "", "headers": {}, "url_path": "/", "values": form}
        )
    except Exception as error:
        raise Refused("InvalidParameterValue", f"cannot be read: {error!r}") from error
    report = botocore.validate.ParamValidator().validate(parsed, operation.input_shape)
    if report.has_errors():
        text = report.generate_report()
        raise Refused("MissingParameter" if "Missing required" in text else "InvalidParameterValue", text)
    check_enums(operation.input_shape, parsed)
    return parsed


def answer(action, result):
    """The answer as XML, by the shapes of the model."""

    def value(shape, content):
        if shape.type_name == "structure":
            parts = []
            for name, member in shape.members.items():
                if content.get(name) is not None:
                    tag = member.serialization.get("name", name)
                    parts.append(f"<{tag}>{value(member, content[name])}</{tag}>")
            return "".join(parts)
        if shape.type_name == "list":
            tag = shape.member.serialization.get("name", "item")
            return "".join(f"<{tag}>{value(shape.member, item)}</{tag}>" for item in content)
        if shape.type_name == "boolean":
            return str(content).lower()
        return escape(str(content))

    operation = MODEL.operation_model(action)
    body = value(operation.output_shape, result)
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<{action}Response xmlns="{API["metadata"]["xmlNamespace"]}">'
        f"<requestId>{uuid.uuid4()}</requestId>{body}</{action}Response>"
    )


def error(refused, query=False):
    """An error as EC2 words it, or as the services of the query protocol do."""
    if query:
        return (
            f"<ErrorResponse><Error><Type>Sender</Type><Code>{refused.code}</Code>"
            f"<Message>{escape(refused.message)}</Message></Error><RequestId>{uuid.uuid4()}</RequestId></ErrorResponse>"
        )
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n<Response><Errors><Error>'
        f"<Code>{refused.code}</Code><Message>{escape(refused.message)}</Message></Error></Errors>"
        f"<RequestID>{uuid.uuid4()}</RequestID></Response>"
    )
