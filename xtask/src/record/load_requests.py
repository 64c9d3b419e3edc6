"""Many requests from h2load to nginx, over HTTP/2 in the clear or HTTP/1.1, and nginx's own log of them.

usage: load_requests.py PORT TRUTH http1|http2 REQUESTS
"""
import subprocess
import sys
import tempfile
from pathlib import Path

PORT, TRUTH, VERSION, REQUESTS = int(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4])
LOG = r"""{"path": "$request_uri", "method": "$request_method", "status": $status, "protocol": "$server_protocol", "bytes": $body_bytes_sent}"""
CONFIG = """
worker_processes 1; pid {root}/pid; error_log {root}/error.log; daemon off;
events {{ worker_connections 1024; }}
http {{
  log_format truth escape=json '{log}';
  access_log {truth} truth buffer=256k flush=1s;
  keepalive_requests 10000000; default_type application/json;
  server {{
    listen 127.0.0.1:{port}{http2};
    location /items {{ return 200 '{body}'; }}
    location /none {{ return 404 '{{"error":"none"}}'; }}
  }}
}}
"""


def main():
    with tempfile.TemporaryDirectory() as root:
        http2 = " http2" if VERSION == "http2" else ""
        text = CONFIG.format(root=root, log=LOG, truth=TRUTH, port=PORT, http2=http2, body='{"items":[' + '"0123456789",' * 40 + '""]}')
        Path(root, "nginx.conf").write_text(text)
        server = subprocess.Popen(["nginx", "-p", root, "-c", f"{root}/nginx.conf", "-e", f"{root}/error.log"])
        paths = ["/items", "/items?page=2&sort=price", "/items/17", "/none"]
        kind = ["--h1"] if VERSION == "http1" else ["-m", "16"]
        subprocess.run(["sleep", "1"], check=True)
        subprocess.run(
            ["h2load", "-n", str(REQUESTS), "-c", "16", "--rps", "1000", *kind, "-H", "user-agent: load/1", "-H", "x-request-id: 0f9f2c"]
            + [f"http://127.0.0.1:{PORT}{path}" for path in paths],
            check=True,
            stdout=subprocess.DEVNULL,
        )
        server.send_signal(3)
        server.wait()


main()
