"""A fake of AWS for tests. It checks each request of EC2 against AWS's published model and its signature by signing it
again; it keeps traffic mirroring itself (`mirroring.py`) and leaves all else to moto.

    server.py PORT

For tests: `POST /_fake/do` calls boto3 against it, `/_fake/fault` sets what goes wrong next, `GET /_fake/requests` and
`/_fake/state` tell what came in and what there is.
"""
import datetime
import hmac
import json
import logging
import re
import sys
import threading
import time
import urllib.parse
import urllib.request
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import boto3
import botocore.auth
import botocore.awsrequest
import botocore.config
import botocore.credentials
from botocore.compat import HTTPHeaders
import moto.ec2.models.elastic_network_interfaces
import moto.elbv2.models
from moto.server import ThreadedMotoServer

import model
from mirroring import Mirroring
from model import Refused

# Each request that moto answers would be a line.
logging.getLogger("werkzeug").setLevel(logging.ERROR)
ACCOUNT = "123456789012"
APPLICATION_ARN = moto.elbv2.models.make_arn_for_load_balancer


def balancer_arn(account_id, lb_id, name, region_name):
    """moto has the ARN of an application load balancer for each; a name with `net-` gets that of a network one."""
    arn = APPLICATION_ARN(account_id, lb_id, name, region_name)
    return arn.replace("loadbalancer/app/net-", "loadbalancer/net/net-")


moto.elbv2.models.make_arn_for_load_balancer = balancer_arn
# Tasks of moto's ECS read it of their interfaces, which lack it.
moto.ec2.models.elastic_network_interfaces.NetworkInterface.private_dns_name = ""
# Secrets and accounts by access key; roles add theirs when they are assumed.
KEYS = {"AKIDTEST": ("secrettest", ACCOUNT, None)}
ROLES = {}
PLACES, FAULTS, REQUESTS = {}, [], []
SETTINGS = {"lag": 0, "page_limit": None}
LOCK = threading.RLock()
MOTO = None
PORT = None


def place(account, region):
    if (account, region) not in PLACES:
        PLACES[account, region] = Mirroring(account, region, lambda: SETTINGS["lag"])
    PLACES[account, region].page_limit = SETTINGS["page_limit"]
    return PLACES[account, region]


class Signer(botocore.auth.SigV4Auth):
    """Signs the headers that the client has signed."""

    def headers_to_sign(self, request):
        kept = HTTPHeaders()
        for name, value in request.headers.items():
            if name.lower() in self.kept:
                kept[name.lower()] = value
        return kept


def who(headers, path, body):
    """Access key, account, region and service of a request whose signature is right."""
    given = headers.get("Authorization")
    if not given:
        raise Refused("MissingAuthenticationToken", "Request is missing Authentication Token", 403)
    found = re.match(
        r"AWS4-HMAC-SHA256 Credential=([^/]+)/(\d{8})/([^/]+)/([^/]+)/aws4_request, ?SignedHeaders=([^,]+), ?Signature=([0-9a-f]{64})$",
        given,
    )
    if not found:
        raise Refused("AuthFailure", "The authorization header is malformed", 401)
    key, day, region, service, signed, signature = found.groups()
    if key not in KEYS:
        raise Refused("AuthFailure", "AWS was not able to validate the provided access credentials", 401)
    secret, account, token = KEYS[key]
    if token and headers.get("X-Amz-Security-Token") != token:
        raise Refused("InvalidClientTokenId", "The security token included in the request is invalid", 403)
    date = headers.get("X-Amz-Date", "")
    at = datetime.datetime.strptime(date, "%Y%m%dT%H%M%SZ").replace(tzinfo=datetime.timezone.utc)
    if abs((datetime.datetime.now(datetime.timezone.utc) - at).total_seconds()) > 300:
        raise Refused("RequestExpired", "Request has expired.", 400)
    names = set(signed.split(";"))
    if not {"host", "x-amz-date"} <= names or (token and "x-amz-security-token" not in names):
        raise Refused("SignatureDoesNotMatch", "A header is not signed that must be", 403)
    kept = {name: value for name, value in headers.items() if name.lower() in names}
    request = botocore.awsrequest.AWSRequest("POST", f"http://{headers['Host']}{path}", data=body, headers=kept)
    request.context["timestamp"] = date
    signer = Signer(botocore.credentials.Credentials(key, secret), service, region)
    signer.kept = names
    again = signer.signature(signer.string_to_sign(request, signer.canonical_request(request)), request)
    if not hmac.compare_digest(again, signature):
        raise Refused("SignatureDoesNotMatch", "The request signature we calculated does not match", 403)
    return key, account, region, service


def fault_for(action):
    """The next fault that is set for an action; it is used up."""
    for fault in FAULTS:
        if re.fullmatch(fault["action"], action):
            if fault.get("skip", 0) > 0:
                fault["skip"] -= 1
                continue
            fault["times"] = fault.get("times", 1) - 1
            if fault["times"] <= 0:
                FAULTS.remove(fault)
            return fault
    return None


def ask_moto(handler, body, account):
    headers = {k: v for k, v in handler.headers.items() if k.lower() not in ("host", "content-length")}
    headers["Host"] = f"127.0.0.1:{MOTO}"
    headers["x-moto-account-id"] = account
    request = urllib.request.Request(f"http://127.0.0.1:{MOTO}{handler.path}", data=body, headers=headers)
    try:
        with urllib.request.urlopen(request) as answer:
            return answer.status, answer.read(), answer.headers.get("Content-Type")
    except urllib.error.HTTPError as error:
        return error.code, error.read(), error.headers.get("Content-Type")


def assume_role(form):
    """Roles that a test has made known are checked for their external id; credentials are remembered."""
    arn = form.get("RoleArn", "")
    if arn not in ROLES:
        raise Refused("AccessDenied", f"User is not authorized to perform: sts:AssumeRole on resource: {arn}", 403)
    role = ROLES[arn]
    if role.get("external_id") != form.get("ExternalId"):
        raise Refused("AccessDenied", "The external id does not match", 403)
    if form["Action"] == "AssumeRoleWithWebIdentity" and form.get("WebIdentityToken") != role.get("web_identity"):
        raise Refused("InvalidIdentityToken", "The web identity token is not valid", 400)
    account = arn.split(":")[4]
    key, secret, token = f"ASIA{uuid.uuid4().hex[:16].upper()}", uuid.uuid4().hex, uuid.uuid4().hex
    KEYS[key] = (secret, account, token)
    until = (datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    action = form["Action"]
    return (
        f'<{action}Response xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><{action}Result><Credentials>'
        f"<AccessKeyId>{key}</AccessKeyId><SecretAccessKey>{secret}</SecretAccessKey><SessionToken>{token}</SessionToken>"
        f"<Expiration>{until}</Expiration></Credentials><AssumedRoleUser><AssumedRoleId>A:x</AssumedRoleId>"
        f"<Arn>{arn}/x</Arn></AssumedRoleUser></{action}Result></{action}Response>"
    )


def ec2(account, region, action, form):
    if form.pop("Version", None) != model.VERSION:
        raise Refused("InvalidAction", "The version of the API is wrong")
    if action not in model.MODEL.operation_names:
        raise Refused("InvalidAction", f"The action {action} is not valid for this web service.")
    arguments = model.arguments(action, form)
    REQUESTS.append({"action": action, "arguments": arguments, "account": account, "region": region})
    here = place(account, region)
    function = getattr(here, action, None) if "TrafficMirror" in action else None
    if function is None:
        return None
    token = arguments.get("ClientToken")
    if token and (action, token) in here.tokens:
        before, result = here.tokens[action, token]
        if before != arguments:
            raise Refused("IdempotentParameterMismatch", "The client token was used with other parameters")
        return model.answer(action, result)
    if arguments.get("DryRun"):
        raise Refused("DryRunOperation", "Request would have succeeded, but DryRun flag is set.", 412)
    result = function(arguments)
    if token:
        here.tokens[action, token] = (arguments, result)
    return model.answer(action, result)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def say(self, status, body, content_type="text/xml;charset=UTF-8", cut=None):
        body = body if isinstance(body, bytes) else body.encode()
        self.send_response(status)
        self.send_header("Content-Type", content_type or "text/xml")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body if cut is None else body[: len(body) // 2])
        if cut is not None:
            self.close_connection = True

    def do_GET(self):
        if self.path == "/_fake/requests":
            return self.say(200, json.dumps(REQUESTS, default=str), "application/json")
        if self.path == "/_fake/state":
            state = {f"{a}/{r}": p.objects for (a, r), p in PLACES.items()}
            return self.say(200, json.dumps(state, default=str), "application/json")
        # The portal of single sign-on.
        if self.path.startswith("/federation/credentials?"):
            if self.headers.get("x-amz-sso_bearer_token") != "sso-token" or "role_name=mirror" not in self.path:
                return self.say(401, "{}", "application/json")
            KEYS["ASIASSO"] = ("ssosecret", ACCOUNT, "ssosession")
            until = int((time.time() + 3600) * 1000)
            said = {
                "accessKeyId": "ASIASSO", "secretAccessKey": "ssosecret", "sessionToken": "ssosession", "expiration": until,
            }
            return self.say(200, json.dumps({"roleCredentials": said}), "application/json")
        # The service of instance metadata, and that of containers.
        if self.path == "/container" and self.headers.get("Authorization") == "container-token":
            key, secret = "ASIACONTAINER", "containersecret"
            KEYS[key] = (secret, ACCOUNT, "containertoken")
            said = {"AccessKeyId": key, "SecretAccessKey": secret, "Token": "containertoken", "Expiration": later()}
            return self.say(200, json.dumps(said), "application/json")
        if self.path.startswith("/latest/meta-data/iam/security-credentials"):
            if self.headers.get("X-aws-ec2-metadata-token") != "imds":
                return self.say(401, "")
            if self.path.rstrip("/").endswith(("security-credentials", "security-credentials-extended")):
                return self.say(200, "the-role", "text/plain")
            key, secret = "ASIAINSTANCE", "instancesecret"
            KEYS[key] = (secret, ACCOUNT, "instancetoken")
            said = {
                "Code": "Success", "Type": "AWS-HMAC", "AccessKeyId": key, "SecretAccessKey": secret,
                "Token": "instancetoken", "LastUpdated": "2026-01-01T00:00:00Z", "Expiration": later(),
            }
            return self.say(200, json.dumps(said), "application/json")
        if self.path == "/latest/meta-data/placement/region" and self.headers.get("X-aws-ec2-metadata-token") == "imds":
            return self.say(200, "eu-central-1", "text/plain")
        return self.say(404, "")

    def do_PUT(self):
        if self.path == "/latest/api/token":
            self.send_response(200)
            self.send_header("x-aws-ec2-metadata-token-ttl-seconds", "21600")
            self.send_header("Content-Length", "4")
            self.end_headers()
            self.wfile.write(b"imds")
        else:
            self.say(404, "")

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.path.startswith("/_fake/"):
            return self.admin(self.path.removeprefix("/_fake/"), json.loads(body or b"{}"))
        try:
            with LOCK:
                self.serve(body)
        except Refused as refused:
            self.say(refused.status, model.error(refused, query=b"Version=2016-11-15" not in body))
        except BrokenPipeError:
            # The test has killed who asked.
            self.close_connection = True

    def serve(self, body):
        form = urllib.parse.parse_qs(body.decode(), keep_blank_values=True)
        if any(len(values) > 1 for values in form.values()):
            raise Refused("InvalidQueryParameter", "A parameter is there twice")
        form = {name: values[0] for name, values in form.items()}
        action = form.get("Action") or self.headers.get("X-Amz-Target", "").rpartition(".")[2]
        if action == "AssumeRoleWithWebIdentity":
            return self.say(200, assume_role(form))
        _, account, region, service = who(self.headers, self.path, body)
        fault = fault_for(action)
        kind = fault["kind"] if fault else None
        if kind == "reset":
            self.close_connection = True
            return None
        if kind == "refuse":
            raise Refused(fault["code"], fault.get("message", "as the test wants it"), fault.get("status", 400))
        if kind == "html":
            return self.say(200, "<html><body>a proxy is in the way</body></html>", "text/html")
        if kind == "wait":
            time.sleep(fault["seconds"])
        if service == "ec2":
            del form["Action"]
            out = ec2(account, region, action, form)
            status, content_type = 200, None
            if out is None:
                status, out, content_type = ask_moto(self, body, account)
        elif service == "sts" and action == "AssumeRole":
            status, out, content_type = 200, assume_role(form), None
        elif service == "sts" and action == "GetCallerIdentity":
            out = (
                '<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult>'
                f"<Arn>arn:aws:iam::{account}:user/test</Arn><UserId>U</UserId><Account>{account}</Account>"
                "</GetCallerIdentityResult></GetCallerIdentityResponse>"
            )
            status, content_type = 200, None
        else:
            REQUESTS.append({"action": action, "service": service, "account": account, "region": region})
            status, out, content_type = ask_moto(self, body, account)
        if kind == "reset-after":
            self.close_connection = True
            return None
        return self.say(status, out, content_type, cut=True if kind == "cut" else None)

    def admin(self, what, given):
        if what == "fault":
            FAULTS.append(given)
        elif what == "settings":
            SETTINGS.update(given)
        elif what == "forget":
            REQUESTS.clear()
            FAULTS.clear()
        elif what == "role":
            ROLES[given["arn"]] = given
        elif what == "do":
            try:
                return self.say(200, json.dumps(do(given), default=str), "application/json")
            except Exception as error:
                return self.say(400, json.dumps({"error": repr(error)}), "application/json")
        else:
            return self.say(404, "")
        return self.say(200, "{}", "application/json")


def later():
    return (datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")


def do(given):
    """A call of boto3: {"service", "call", "args", "region", "account"}."""
    key = "AKIDTEST"
    if given.get("account", ACCOUNT) != ACCOUNT:
        # moto takes a key of twelve digits for an account.
        key = given["account"]
        KEYS[key] = ("secrettest", given["account"], None)
    client = boto3.client(
        given["service"],
        region_name=given.get("region", "eu-central-1"),
        endpoint_url=f"http://127.0.0.1:{PORT}",
        aws_access_key_id=key,
        aws_secret_access_key="secrettest",
        config=botocore.config.Config(retries={"max_attempts": 0}),
    )
    answer = getattr(client, given["call"])(**given.get("args", {}))
    answer.pop("ResponseMetadata", None)
    return answer


if __name__ == "__main__":
    PORT = int(sys.argv[1])
    moto_server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    moto_server.start()
    MOTO = moto_server.get_host_and_port()[1]
    server = ThreadingHTTPServer(("127.0.0.1", PORT), Handler)
    PORT = server.server_address[1]
    print(f"ready {PORT}", flush=True)
    server.serve_forever()
