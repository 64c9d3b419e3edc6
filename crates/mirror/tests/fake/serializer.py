"""Reads requests, one JSON object a line: {"service", "action", "arguments", "form"}. Says for each action whether botocore
makes the same of the arguments; the first that differs ends it."""
import json
import sys
from collections import Counter

import botocore.serialize
import botocore.validate
from botocore.loaders import Loader
from botocore.model import ServiceModel

NAMES = {"elasticloadbalancing": "elbv2", "monitoring": "cloudwatch"}
PROTOCOLS = {"ec2": "ec2", "ecs": "json"}
models, counts = {}, Counter()
for line in sys.stdin:
    given = json.loads(line)
    service, action = given["service"], given["action"]
    if service not in models:
        models[service] = ServiceModel(Loader().load_service_model(NAMES.get(service, service), "service-2"))
    operation = models[service].operation_model(action)
    # Times are text on the wire and in what we are given.
    report = botocore.validate.ParamValidator().validate(given["arguments"], operation.input_shape)
    if report.has_errors():
        sys.exit(f"{action}: AWS's model refuses {given['arguments']}: {report.generate_report()}")
    serializer = botocore.serialize.create_serializer(PROTOCOLS.get(service, "query"), include_validation=False)
    made = serializer.serialize_to_request(given["arguments"], operation)
    body = made["body"]
    if service == "ecs":
        body = json.loads(body)
        if made["headers"]["X-Amz-Target"] != given["target"]:
            sys.exit(f"{action}: botocore says {made['headers']['X-Amz-Target']}")
    else:
        body = {name: str(value).lower() if isinstance(value, bool) else str(value) for name, value in body.items()}
    if body != given["form"]:
        sys.exit(f"{action}: of {given['arguments']}\nbotocore makes {body}\nwe make       {given['form']}")
    counts[action] += 1
print(json.dumps(counts))
