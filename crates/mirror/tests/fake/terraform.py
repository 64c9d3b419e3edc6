"""Holds a Terraform configuration against the schema of its provider, as the package of CDK for Terraform has it, which is
generated from that schema: terraform.py WHEEL FILE. Prints how many resources there are of each type."""
import json
import re
import sys
import zipfile
from collections import Counter

import hcl2

# What Terraform itself adds to each resource.
META = {"scope", "id", "id_", "connection", "count", "depends_on", "for_each", "lifecycle", "provider", "provisioners"}

wheel = zipfile.ZipFile(sys.argv[1])
with open(sys.argv[2]) as file:
    parsed = hcl2.load(file)


def arguments(kind):
    """The arguments of a resource, and whether each is required."""
    path = f"cdktf_cdktf_provider_aws/{kind.removeprefix('aws_')}/__init__.py"
    text = wheel.read(path).decode()
    start = text.index("def __init__(")
    signature = text[start : text.index(") -> None", start)]
    found = re.findall(r"\n        (\w+): (.*)", signature)
    return {name: "= None" not in rest for name, rest in found if name not in META}


counts = Counter()
for resource in parsed["resource"]:
    for kind, named in resource.items():
        kind = kind.strip('"')
        known = arguments(kind)
        for name, body in named.items():
            given = {key for key in body if not key.startswith("__")}
            unknown = given - set(known)
            missing = {key for key, required in known.items() if required} - given
            if unknown or missing:
                sys.exit(f"{kind} {name}: unknown {sorted(unknown)}, missing {sorted(missing)}")
            counts[kind] += 1
print(json.dumps(counts))
