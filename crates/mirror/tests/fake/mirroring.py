"""Traffic mirroring as AWS documents it: its objects, limits and errors. moto has no more than a part of it."""
import ipaddress
import random
import uuid

import moto.backends
from model import Refused

SESSION_FILTERS = {
    "description": "Description",
    "network-interface-id": "NetworkInterfaceId",
    "owner-id": "OwnerId",
    "packet-length": "PacketLength",
    "session-number": "SessionNumber",
    "traffic-mirror-filter-id": "TrafficMirrorFilterId",
    "traffic-mirror-session-id": "TrafficMirrorSessionId",
    "traffic-mirror-target-id": "TrafficMirrorTargetId",
    "virtual-network-id": "VirtualNetworkId",
}
NOT_KEPT = ("DryRun", "ClientToken", "TagSpecifications")


def new_id(prefix):
    return f"{prefix}-0{uuid.uuid4().hex[:16]}"


def tags(arguments, resource):
    for given in arguments.get("TagSpecifications", []):
        if given.get("ResourceType") != resource:
            raise Refused("InvalidParameterValue", f"'{given.get('ResourceType')}' is not a valid taggable resource type")
        return given.get("Tags", [])
    return []


class Mirroring:
    """One account in one region. Each public method is an action."""

    def __init__(self, account, region, lag):
        self.account, self.region, self.lag = account, region, lag
        self.objects = {"Target": {}, "Filter": {}, "FilterRule": {}, "Session": {}}
        self.tokens = {}
        self.unseen = {}

    # ---- what is shared

    def get(self, kind, identifier):
        """The object, where it is there and this side of AWS has heard of it."""
        missing = Refused(f"InvalidTrafficMirror{kind}Id.NotFound", f"The {kind} '{identifier}' does not exist")
        if identifier not in self.objects[kind]:
            raise missing
        if self.unseen.get(identifier, 0) > 0:
            self.unseen[identifier] -= 1
            raise missing
        return self.objects[kind][identifier]

    def put(self, kind, prefix, item):
        identifier = new_id(prefix)
        item[f"TrafficMirror{kind}Id"] = identifier
        self.objects[kind][identifier] = item
        self.unseen[identifier] = self.lag()
        return item

    def describe(self, kind, arguments, filters):
        wanted = arguments.get(f"TrafficMirror{kind}Ids")
        found = [self.get(kind, i) for i in wanted] if wanted else list(self.objects[kind].values())
        for given in arguments.get("Filters", []):
            name, values = given["Name"], given["Values"]
            if name.startswith("tag:"):
                found = [o for o in found if any(t["Key"] == name[4:] and t["Value"] in values for t in o.get("Tags", []))]
            elif name in filters:
                found = [o for o in found if str(o.get(filters[name], "")) in values]
            else:
                raise Refused("InvalidParameterValue", f"The filter '{name}' is invalid")
        size, start = arguments.get("MaxResults", 1000), int(arguments.get("NextToken") or 0)
        size = min(size, self.page_limit) if self.page_limit else size
        following = str(start + size) if start + size < len(found) else None
        return found[start : start + size], following

    page_limit = None

    def backend(self, name="ec2"):
        return moto.backends.get_backend(name)[self.account][self.region]

    def interface(self, identifier):
        found = self.backend().enis.get(identifier)
        if found is None:
            raise Refused("InvalidNetworkInterfaceID.NotFound", f"The networkInterface ID '{identifier}' does not exist")
        return found

    def with_rules(self, item):
        rules = [r for r in self.objects["FilterRule"].values() if r["TrafficMirrorFilterId"] == item["TrafficMirrorFilterId"]]
        rules.sort(key=lambda rule: rule["RuleNumber"])
        return {
            **item,
            "IngressFilterRules": [r for r in rules if r["TrafficDirection"] == "ingress"],
            "EgressFilterRules": [r for r in rules if r["TrafficDirection"] == "egress"],
        }

    # ---- targets

    def CreateTrafficMirrorTarget(self, p):
        ends = [k for k in ("NetworkInterfaceId", "NetworkLoadBalancerArn", "GatewayLoadBalancerEndpointId") if k in p]
        if len(ends) != 1:
            raise Refused("InvalidParameterCombination", "Exactly one destination must be given")
        item = {k: v for k, v in p.items() if k not in NOT_KEPT}
        if ends[0] == "NetworkInterfaceId":
            self.interface(p["NetworkInterfaceId"])
            if any(s["NetworkInterfaceId"] == p["NetworkInterfaceId"] for s in self.objects["Session"].values()):
                raise Refused("InvalidParameterValue", f"{p['NetworkInterfaceId']} is in use by a session")
            kind = "network-interface"
        elif ends[0] == "NetworkLoadBalancerArn":
            if p["NetworkLoadBalancerArn"] not in self.backend("elbv2").load_balancers:
                raise Refused("InvalidParameterValue", "The load balancer does not exist")
            kind = "network-load-balancer"
        else:
            if p["GatewayLoadBalancerEndpointId"] not in self.backend().vpc_end_points:
                raise Refused("InvalidVpcEndpointId.NotFound", "The VPC endpoint does not exist")
            kind = "gateway-load-balancer-endpoint"
        item.update(Type=kind, OwnerId=self.account, Tags=tags(p, "traffic-mirror-target"))
        return {"TrafficMirrorTarget": self.put("Target", "tmt", item), "ClientToken": p.get("ClientToken")}

    def DescribeTrafficMirrorTargets(self, p):
        filters = {"network-interface-id": "NetworkInterfaceId", "traffic-mirror-target-id": "TrafficMirrorTargetId"}
        found, following = self.describe("Target", p, filters)
        return {"TrafficMirrorTargets": found, "NextToken": following}

    def DeleteTrafficMirrorTarget(self, p):
        identifier = p["TrafficMirrorTargetId"]
        self.get("Target", identifier)
        for session in self.objects["Session"].values():
            if session["TrafficMirrorTargetId"] == identifier:
                # The code that was seen in the field; the documented one has `Exception` behind it.
                raise Refused("TrafficMirrorTargetInUse", f"Target is in use by {session['TrafficMirrorSessionId']}")
        del self.objects["Target"][identifier]
        return {"TrafficMirrorTargetId": identifier}

    # ---- filters and their rules

    def CreateTrafficMirrorFilter(self, p):
        item = {k: v for k, v in p.items() if k not in NOT_KEPT}
        item.update(NetworkServices=[], Tags=tags(p, "traffic-mirror-filter"))
        made = self.put("Filter", "tmf", item)
        return {"TrafficMirrorFilter": self.with_rules(made), "ClientToken": p.get("ClientToken")}

    def DescribeTrafficMirrorFilters(self, p):
        filters = {"traffic-mirror-filter-id": "TrafficMirrorFilterId", "description": "Description"}
        found, following = self.describe("Filter", p, filters)
        return {"TrafficMirrorFilters": [self.with_rules(item) for item in found], "NextToken": following}

    def ModifyTrafficMirrorFilterNetworkServices(self, p):
        item = self.get("Filter", p["TrafficMirrorFilterId"])
        services = set(item["NetworkServices"]) | set(p.get("AddNetworkServices", []))
        item["NetworkServices"] = sorted(services - set(p.get("RemoveNetworkServices", [])))
        return {"TrafficMirrorFilter": self.with_rules(item)}

    def DeleteTrafficMirrorFilter(self, p):
        identifier = p["TrafficMirrorFilterId"]
        self.get("Filter", identifier)
        for session in self.objects["Session"].values():
            if session["TrafficMirrorFilterId"] == identifier:
                raise Refused("TrafficMirrorFilterInUse", f"Filter is in use by {session['TrafficMirrorSessionId']}")
        rules = self.objects["FilterRule"]
        for rule in [r for r in rules.values() if r["TrafficMirrorFilterId"] == identifier]:
            del rules[rule["TrafficMirrorFilterRuleId"]]
        del self.objects["Filter"][identifier]
        return {"TrafficMirrorFilterId": identifier}

    def check_rule(self, rule):
        families = {ipaddress.ip_network(rule[k]).version for k in ("SourceCidrBlock", "DestinationCidrBlock")}
        if len(families) != 1:
            raise Refused("InvalidParameterValue", "Source and destination must be of one family")
        ports = [rule[k] for k in ("DestinationPortRange", "SourcePortRange") if k in rule]
        if ports and rule.get("Protocol") not in (6, 17):
            raise Refused("InvalidParameterCombination", "Port ranges need protocol 6 or 17")
        for given in ports:
            if not 0 <= given.get("FromPort", -1) <= given.get("ToPort", -1) <= 65535:
                raise Refused("InvalidParameterValue", f"Not a range of ports: {given}")
        if not 1 <= rule["RuleNumber"] <= 32766:
            raise Refused("InvalidParameterValue", "RuleNumber is 1 to 32766")
        for other in self.objects["FilterRule"].values():
            same = all(other[k] == rule[k] for k in ("TrafficMirrorFilterId", "RuleNumber", "TrafficDirection"))
            if same and other is not rule and other.get("TrafficMirrorFilterRuleId") != rule.get("TrafficMirrorFilterRuleId"):
                raise Refused("TrafficMirrorFilterRuleAlreadyExists", f"Rule number {rule['RuleNumber']} is taken")

    def CreateTrafficMirrorFilterRule(self, p):
        self.get("Filter", p["TrafficMirrorFilterId"])
        item = {k: v for k, v in p.items() if k not in NOT_KEPT}
        self.check_rule(item)
        mine = [r for r in self.objects["FilterRule"].values() if r["TrafficMirrorFilterId"] == p["TrafficMirrorFilterId"]]
        if len(mine) >= 10:
            raise Refused("TrafficMirrorFilterRuleLimitExceeded", "A filter has at most 10 rules")
        item["Tags"] = tags(p, "traffic-mirror-filter-rule")
        made = self.put("FilterRule", "tmfr", item)
        return {"TrafficMirrorFilterRule": made, "ClientToken": p.get("ClientToken")}

    def DescribeTrafficMirrorFilterRules(self, p):
        filters = {"traffic-mirror-filter-id": "TrafficMirrorFilterId", "traffic-direction": "TrafficDirection"}
        found, following = self.describe("FilterRule", p, filters)
        if "TrafficMirrorFilterId" in p:
            found = [r for r in found if r["TrafficMirrorFilterId"] == p["TrafficMirrorFilterId"]]
        return {"TrafficMirrorFilterRules": found, "NextToken": following}

    def ModifyTrafficMirrorFilterRule(self, p):
        identifier = p["TrafficMirrorFilterRuleId"]
        rule = {**self.get("FilterRule", identifier)}
        fields = {
            "destination-port-range": "DestinationPortRange",
            "source-port-range": "SourcePortRange",
            "protocol": "Protocol",
            "description": "Description",
        }
        for name in p.get("RemoveFields", []):
            rule.pop(fields[name], None)
        rule.update({k: v for k, v in p.items() if k not in (*NOT_KEPT, "RemoveFields")})
        self.check_rule(rule)
        self.objects["FilterRule"][identifier] = rule
        return {"TrafficMirrorFilterRule": rule}

    def DeleteTrafficMirrorFilterRule(self, p):
        self.get("FilterRule", p["TrafficMirrorFilterRuleId"])
        del self.objects["FilterRule"][p["TrafficMirrorFilterRuleId"]]
        return {"TrafficMirrorFilterRuleId": p["TrafficMirrorFilterRuleId"]}

    # ---- sessions

    def check_session(self, session):
        target = self.get("Target", session["TrafficMirrorTargetId"])
        self.get("Filter", session["TrafficMirrorFilterId"])
        if not 1 <= session["SessionNumber"] <= 32766:
            raise Refused("InvalidParameterValue", "SessionNumber is 1 to 32766")
        if not 0 <= session.get("VirtualNetworkId", 0) < 1 << 24:
            raise Refused("InvalidParameterValue", "VirtualNetworkId has 24 bits")
        if target["Type"] == "network-load-balancer" and not 1 <= session.get("PacketLength", 8500) <= 8500:
            raise Refused("InvalidParameterValue", "PacketLength is 1 to 8500 for a network load balancer")
        others = [s for s in self.objects["Session"].values() if s.get("TrafficMirrorSessionId") != session.get("TrafficMirrorSessionId")]
        on_source = [s for s in others if s["NetworkInterfaceId"] == session["NetworkInterfaceId"]]
        if any(s["SessionNumber"] == session["SessionNumber"] for s in on_source):
            raise Refused("InvalidParameterValue", f"Session number {session['SessionNumber']} is taken on this interface")
        if any(s["VirtualNetworkId"] == session.get("VirtualNetworkId") for s in others):
            raise Refused("InvalidParameterValue", f"VirtualNetworkId {session.get('VirtualNetworkId')} is taken")
        if len(on_source) >= 3:
            raise Refused("TrafficMirrorSessionsPerInterfaceLimitExceeded", "An interface has at most 3 sessions")
        if target["Type"] == "network-interface":
            sources = {s["NetworkInterfaceId"] for s in others if s["TrafficMirrorTargetId"] == target["TrafficMirrorTargetId"]}
            if len(sources | {session["NetworkInterfaceId"]}) > 10:
                raise Refused("TrafficMirrorSourcesPerTargetLimitExceeded", "Sources per interface-target limit reached")
        if any(t.get("NetworkInterfaceId") == session["NetworkInterfaceId"] for t in self.objects["Target"].values()):
            raise Refused("InvalidParameterValue", f"{session['NetworkInterfaceId']} is in use by target")
        if target["Type"] == "network-load-balancer":
            session.setdefault("PacketLength", 8500)

    def CreateTrafficMirrorSession(self, p):
        interface = self.interface(p["NetworkInterfaceId"])
        if getattr(interface, "interface_type", "interface") != "interface":
            raise Refused("InvalidParameterValue", f"{p['NetworkInterfaceId']} is not of type interface")
        item = {k: v for k, v in p.items() if k not in NOT_KEPT}
        item.setdefault("VirtualNetworkId", random.randrange(1 << 24))
        self.check_session(item)
        item.update(OwnerId=self.account, Tags=tags(p, "traffic-mirror-session"))
        made = self.put("Session", "tms", item)
        return {"TrafficMirrorSession": made, "ClientToken": p.get("ClientToken")}

    def DescribeTrafficMirrorSessions(self, p):
        found, following = self.describe("Session", p, SESSION_FILTERS)
        return {"TrafficMirrorSessions": found, "NextToken": following}

    def ModifyTrafficMirrorSession(self, p):
        identifier = p["TrafficMirrorSessionId"]
        session = {**self.get("Session", identifier)}
        fields = {"packet-length": "PacketLength", "description": "Description", "virtual-network-id": "VirtualNetworkId"}
        for name in p.get("RemoveFields", []):
            session.pop(fields[name], None)
        session.update({k: v for k, v in p.items() if k not in (*NOT_KEPT, "RemoveFields")})
        self.check_session(session)
        self.objects["Session"][identifier] = session
        return {"TrafficMirrorSession": session}

    def DeleteTrafficMirrorSession(self, p):
        self.get("Session", p["TrafficMirrorSessionId"])
        del self.objects["Session"][p["TrafficMirrorSessionId"]]
        return {"TrafficMirrorSessionId": p["TrafficMirrorSessionId"]}
