//! A fake of AWS in a process of its own (`tests/fake`), whose truth is AWS's published model of its API.
#![allow(dead_code, reason = "each test binary uses a part")]
#[path = "../../../connector/tests/support/python.rs"]
mod python;

use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// The folder of the fake.
pub(crate) fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../mirror/tests/fake")
}

/// A Python with botocore, moto and the tools that check exports, in a folder of the target folder; nothing, said loudly,
/// where it cannot be had.
pub(crate) fn python() -> Option<PathBuf> {
    let list = std::fs::read_to_string(folder().join("requirements.txt")).unwrap();
    let packages: Vec<_> = list.lines().collect();
    python::venv("aws", &packages).map_err(|why| eprintln!("SKIPPED: no fake of AWS: {why}")).ok()
}

/// The fake; it ends when it is dropped.
pub(crate) struct Fake {
    child: Child,
    /// Its port, on loopback.
    pub(crate) port: u16,
}

impl Fake {
    /// Starts one; nothing, said loudly, where it cannot be had.
    pub(crate) fn start() -> Option<Self> {
        let mut child = Command::new(python()?)
            .args(["-W", "ignore", "server.py", "0"])
            .current_dir(folder())
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        let mut fake = Self { child, port: 0 };
        let mut lines = out.lines().map(Result::unwrap);
        let ready = lines.find_map(|line| line.strip_prefix("ready ").map(str::to_owned));
        fake.port = ready.expect("the fake did not start").parse().unwrap();
        Some(fake)
    }

    /// Where it is.
    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    fn http(&self, method: &str, path: &str, body: &str) -> (u16, Value) {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        let length = body.len();
        write!(
            stream,
            "{method} /_fake/{path} HTTP/1.0\r\nHost: fake\r\nContent-Length: {length}\r\n\r\n{body}"
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        (status, serde_json::from_str(body).unwrap())
    }

    /// A call of boto3, in Frankfurt.
    #[track_caller]
    pub(crate) fn boto(&self, service: &str, call: &str, args: Value) -> Value {
        self.boto_in("123456789012", "eu-central-1", service, call, args)
    }

    /// A call of boto3 in an account and region.
    #[track_caller]
    pub(crate) fn boto_in(
        &self,
        account: &str,
        region: &str,
        service: &str,
        call: &str,
        args: Value,
    ) -> Value {
        let wanted =
            json!({"service": service, "call": call, "args": args, "region": region, "account": account});
        let (status, answer) = self.http("POST", "do", &wanted.to_string());
        assert_eq!(status, 200, "{call}: {answer}");
        answer
    }

    /// Sets what goes wrong next, or how the fake behaves.
    pub(crate) fn set(&self, what: &str, value: Value) {
        assert_eq!(self.http("POST", what, &value.to_string()).0, 200);
    }

    /// The requests that came in, and forgets them with all faults.
    pub(crate) fn requests(&self) -> Vec<Value> {
        let (_, requests) = self.http("GET", "requests", "");
        self.set("forget", json!({}));
        requests.as_array().unwrap().clone()
    }

    /// What there is of mirroring in Frankfurt: targets, filters, rules and sessions by id.
    pub(crate) fn state(&self) -> Value {
        self.state_of("123456789012/eu-central-1")
    }

    /// What there is in an account and region.
    pub(crate) fn state_of(&self, place: &str) -> Value {
        let (_, state) = self.http("GET", "state", "");
        state.get(place).cloned().unwrap_or(Value::Null)
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
