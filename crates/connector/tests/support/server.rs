//! A real HTTPS server (HTTP/1.1 and HTTP/2) that does to each request what a script says.
use super::pki::Issued;
use bytes::Bytes;
use http_body_util::{BodyExt, Full, StreamBody, combinators::BoxBody};
use hyper::body::{Frame, Incoming};
use hyper::{HeaderMap, Request, Response, Version};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use serde_json::Value;
use std::convert::Infallible;
use std::io::Read as _;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// What the server does to a request.
#[derive(Debug, Clone)]
pub(crate) enum Act {
    /// Takes the events and answers 200.
    Take,
    /// Answers with that status, header and body.
    Answer(u16, Option<(&'static str, String)>, String),
    /// Ends the connection without an answer.
    Cut,
    /// Never answers.
    Hang,
    /// Takes the events, answers 200, and ends the connection in the middle of the answer.
    TakeAndDie,
    /// Ends the connection, and refuses new ones for that time.
    Refuse(Duration),
}

impl Act {
    pub(crate) fn status(status: u16) -> Self {
        Self::Answer(status, None, format!("scripted {status}"))
    }
}

/// A request as it came.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) path: String,
    pub(crate) method: String,
    pub(crate) version: Version,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
    pub(crate) at: Instant,
    /// Whether its events were taken.
    pub(crate) taken: bool,
}

impl Seen {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The events of the body, whatever its form.
    pub(crate) fn events(&self) -> Vec<Value> {
        let mut text = String::new();
        let mut body = self.body.as_slice();
        match self.header("content-encoding") {
            "gzip" => flate2::read::GzDecoder::new(body).read_to_string(&mut text).unwrap(),
            "zstd" => {
                ruzstd::decoding::StreamingDecoder::new(body).unwrap().read_to_string(&mut text).unwrap()
            }
            _ => body.read_to_string(&mut text).unwrap(),
        };
        if self.header("content-type") == "application/x-ndjson" {
            return text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        }
        match serde_json::from_str(&text).unwrap() {
            Value::Array(events) => events,
            Value::Object(mut map) => map.remove("data").unwrap().as_array().unwrap().clone(),
            other => panic!("{other}"),
        }
    }
}

type Script = dyn Fn(&Seen) -> Act + Send + Sync;

struct Shared {
    script: Box<Script>,
    seen: Mutex<Vec<Seen>>,
    closed_until: Mutex<Option<Instant>>,
}

/// The server; it ends when it is dropped.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    shared: Arc<Shared>,
    _runtime: tokio::runtime::Runtime,
}

impl Server {
    /// Starts one with that certificate; `clients` is the CA of the client certificates that it wants.
    pub(crate) fn start(
        own: &Issued,
        clients: Option<&Path>,
        script: impl Fn(&Seen) -> Act + Send + Sync + 'static,
    ) -> Self {
        Self::start_with(Some(tls(own, clients)), script)
    }

    /// Starts one, without TLS where there is none.
    pub(crate) fn start_with(
        tls: Option<ServerConfig>,
        script: impl Fn(&Seen) -> Act + Send + Sync + 'static,
    ) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
        let runtime = runtime.unwrap();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            script: Box::new(script),
            seen: Mutex::default(),
            closed_until: Mutex::default(),
        });
        let acceptor = tls.map(|tls| TlsAcceptor::from(Arc::new(tls)));
        runtime.spawn(accept(listener, acceptor, Arc::clone(&shared)));
        Self { address, shared, _runtime: runtime }
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.shared.seen.lock().unwrap().clone()
    }

    /// The requests whose events were taken.
    pub(crate) fn taken(&self) -> Vec<Seen> {
        self.seen().into_iter().filter(|seen| seen.taken).collect()
    }
}

pub(crate) fn tls(own: &Issued, clients: Option<&Path>) -> ServerConfig {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .unwrap();
    let chain = CertificateDer::pem_file_iter(&own.certificate).unwrap().map(Result::unwrap).collect();
    let key = PrivateKeyDer::from_pem_file(&own.key).unwrap();
    let builder = match clients {
        None => builder.with_no_client_auth(),
        Some(ca) => {
            let mut roots = RootCertStore::empty();
            roots.add(CertificateDer::from_pem_file(ca).unwrap()).unwrap();
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
            builder.with_client_cert_verifier(verifier.build().unwrap())
        }
    };
    let mut config = builder.with_single_cert(chain, key).unwrap();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    config
}

async fn accept(listener: TcpListener, acceptor: Option<TlsAcceptor>, shared: Arc<Shared>) {
    let address = listener.local_addr().unwrap();
    let mut listener = Some(listener);
    loop {
        let closed = *shared.closed_until.lock().unwrap();
        if closed.is_some_and(|until| Instant::now() < until) {
            listener = None;
            tokio::time::sleep(Duration::from_millis(5)).await;
            continue;
        }
        if listener.is_none() {
            listener = TcpListener::bind(address).await.ok();
        }
        let Some(open) = &listener else { continue };
        let accepted = tokio::time::timeout(Duration::from_millis(20), open.accept());
        let Ok(Ok((stream, _))) = accepted.await else { continue };
        let (acceptor, shared) = (acceptor.clone(), Arc::clone(&shared));
        tokio::spawn(async move {
            let service = hyper::service::service_fn(move |request| answer(request, Arc::clone(&shared)));
            let builder = hyper_util::server::conn::auto::Builder::new(TokioExecutor::new());
            // Clients that give up are a part of the tests.
            match acceptor {
                None => drop(builder.serve_connection(TokioIo::new(stream), service).await),
                Some(acceptor) => {
                    if let Ok(stream) = acceptor.accept(stream).await {
                        drop(builder.serve_connection(TokioIo::new(stream), service).await);
                    }
                }
            }
        });
    }
}

type Body = BoxBody<Bytes, std::io::Error>;

fn full(text: impl Into<Bytes>) -> Body {
    Full::new(text.into()).map_err(|never: Infallible| match never {}).boxed()
}

async fn answer(request: Request<Incoming>, shared: Arc<Shared>) -> Result<Response<Body>, std::io::Error> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.map_err(std::io::Error::other)?.to_bytes().to_vec();
    let mut seen = Seen {
        path: parts.uri.path().to_owned(),
        method: parts.method.to_string(),
        version: parts.version,
        headers: parts.headers,
        body,
        at: Instant::now(),
        taken: false,
    };
    let act = (shared.script)(&seen);
    seen.taken = matches!(act, Act::Take | Act::TakeAndDie) && seen.method == "POST";
    shared.seen.lock().unwrap().push(seen);
    match act {
        Act::Take => Ok(Response::new(full("{}"))),
        Act::Answer(status, header, text) => {
            let mut response = Response::builder().status(status);
            if let Some((name, value)) = header {
                response = response.header(name, value);
            }
            Ok(response.body(full(text)).unwrap())
        }
        Act::Cut => Err(std::io::Error::other("cut")),
        Act::Refuse(time) => {
            *shared.closed_until.lock().unwrap() = Some(Instant::now() + time);
            Err(std::io::Error::other("refuse"))
        }
        Act::Hang => std::future::pending().await,
        Act::TakeAndDie => {
            let parts = [Ok(Frame::data(Bytes::from_static(b"{\"ta"))), Err(std::io::Error::other("died"))];
            let response = Response::builder().header("content-length", "100");
            Ok(response.body(StreamBody::new(Parts(parts.into())).boxed()).unwrap())
        }
    }
}

/// The parts of a body, one after the other.
struct Parts(std::collections::VecDeque<Result<Frame<Bytes>, std::io::Error>>);

impl futures_core::Stream for Parts {
    type Item = Result<Frame<Bytes>, std::io::Error>;

    fn poll_next(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Self::Item>> {
        std::task::Poll::Ready(self.0.pop_front())
    }
}
