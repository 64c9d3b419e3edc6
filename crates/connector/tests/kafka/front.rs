//! A front before a broker: TLS with and without client certificates, and SASL, as brokers do it.
//!
//! It stands between a client and a broker that has neither. What the broker says of its own port is changed into the
//! front's, so that clients come back to it. It asks for SASL by itself (KIP-152: `SaslHandshake` and
//! `SaslAuthenticate`) and lets everything else through.
use rustls::ServerConfig;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;

const API_VERSIONS: i16 = 18;
const SASL_HANDSHAKE: i16 = 17;
const SASL_AUTHENTICATE: i16 = 36;

/// What the front wants to see; nothing for no SASL.
#[derive(Clone)]
pub(crate) enum Sasl {
    Plain(&'static str, &'static str),
    /// User, password and the mechanism's hash.
    Scram(&'static str, &'static str, ring::hmac::Algorithm),
    /// The token.
    Bearer(&'static str),
}

struct Shared {
    tls: Option<TlsAcceptor>,
    sasl: Option<Sasl>,
    broker: u16,
    port: u16,
    /// How many connections were let through.
    passed: Mutex<u64>,
    /// Nothing goes through, and what was open is cut.
    is_cut: watch::Sender<bool>,
}

/// The front; it ends when it is dropped.
pub(crate) struct Front {
    shared: Arc<Shared>,
    _runtime: tokio::runtime::Runtime,
}

impl Front {
    pub(crate) fn start(broker: u16, tls: Option<ServerConfig>, sasl: Option<Sasl>) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
        let runtime = runtime.unwrap();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let address: SocketAddr = listener.local_addr().unwrap();
        let tls = tls.map(|tls| TlsAcceptor::from(Arc::new(tls)));
        let (passed, is_cut) = (Mutex::default(), watch::Sender::new(false));
        let shared = Arc::new(Shared { tls, sasl, broker, port: address.port(), passed, is_cut });
        let work = Arc::clone(&shared);
        runtime.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let shared = Arc::clone(&work);
                tokio::spawn(async move {
                    let served = async {
                        match shared.tls.clone() {
                            None => serve(&shared, stream).await,
                            Some(tls) => serve(&shared, tls.accept(stream).await?).await,
                        }
                    };
                    let mut is_cut = shared.is_cut.subscribe();
                    // Clients that are refused are a part of the tests.
                    tokio::select! {
                        _ = served => {}
                        _ = is_cut.wait_for(|is_cut| *is_cut) => {}
                    }
                });
            }
        });
        Self { shared, _runtime: runtime }
    }

    pub(crate) fn port(&self) -> u16 {
        self.shared.port
    }

    /// Cuts what is open, with whatever is on its way, and lets nothing through any more; or does again.
    pub(crate) fn cut(&self, is_cut: bool) {
        self.shared.is_cut.send_replace(is_cut);
    }

    pub(crate) fn passed(&self) -> u64 {
        *self.shared.passed.lock().unwrap()
    }
}

async fn frame(stream: &mut (impl AsyncRead + Unpin)) -> std::io::Result<Vec<u8>> {
    let length = stream.read_i32().await?;
    let mut bytes = vec![0; usize::try_from(length).map_err(std::io::Error::other)?];
    stream.read_exact(&mut bytes).await?;
    Ok(bytes)
}

async fn put(stream: &mut (impl AsyncWrite + Unpin), bytes: &[u8]) -> std::io::Result<()> {
    stream.write_i32(i32::try_from(bytes.len()).unwrap()).await?;
    stream.write_all(bytes).await?;
    stream.flush().await
}

fn i16_at(bytes: &[u8], at: usize) -> i16 {
    i16::from_be_bytes(bytes[at..at + 2].try_into().unwrap())
}

/// A text with its length before it.
fn text(text: &str) -> Vec<u8> {
    let mut bytes = i16::try_from(text.len()).unwrap().to_be_bytes().to_vec();
    bytes.extend_from_slice(text.as_bytes());
    bytes
}

async fn serve<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
    shared: &Shared,
    mut client: S,
) -> std::io::Result<()> {
    let mut broker = TcpStream::connect(("127.0.0.1", shared.broker)).await?;
    if let Some(sasl) = &shared.sasl {
        authenticate(sasl, &mut client, &mut broker).await?;
    }
    *shared.passed.lock().unwrap() += 1;
    let (mut from_client, mut to_client) = tokio::io::split(client);
    let (mut from_broker, mut to_broker) = broker.into_split();
    let up = async { tokio::io::copy(&mut from_client, &mut to_broker).await.map(drop) };
    let down = async {
        loop {
            let answer = moved(frame(&mut from_broker).await?, shared);
            put(&mut to_client, &answer).await?;
        }
    };
    tokio::select! {
        done = up => done,
        done = down => done,
    }
}

/// The answer, with the front's port where the broker names its own behind its address.
fn moved(mut answer: Vec<u8>, shared: &Shared) -> Vec<u8> {
    let mut own = b"127.0.0.1".to_vec();
    own.extend_from_slice(&i32::from(shared.broker).to_be_bytes());
    let places: Vec<_> = answer
        .windows(own.len())
        .enumerate()
        .filter(|(_, part)| *part == own)
        .map(|(place, _)| place)
        .collect();
    for place in places {
        answer[place + own.len() - 4..place + own.len()]
            .copy_from_slice(&i32::from(shared.port).to_be_bytes());
    }
    answer
}

/// Lets nothing through before the client has shown who it is.
async fn authenticate<S: AsyncRead + AsyncWrite + Unpin>(
    sasl: &Sasl,
    client: &mut S,
    broker: &mut TcpStream,
) -> std::io::Result<()> {
    let refused = || std::io::Error::other("refused");
    let mechanism = match sasl {
        Sasl::Plain(..) => "PLAIN",
        Sasl::Scram(_, _, algorithm) if *algorithm == ring::hmac::HMAC_SHA256 => "SCRAM-SHA-256",
        Sasl::Scram(..) => "SCRAM-SHA-512",
        Sasl::Bearer(_) => "OAUTHBEARER",
    };
    let mut scram = None;
    loop {
        let request = frame(client).await?;
        let (api, version) = (i16_at(&request, 0), i16_at(&request, 2));
        let correlation = &request[4..8];
        let body = 10 + usize::try_from(i16_at(&request, 8).max(0)).unwrap();
        let mut answer = correlation.to_vec();
        match api {
            API_VERSIONS if version > 0 => {
                // UNSUPPORTED_VERSION in the form of version 0, upon which clients ask by version 0.
                answer.extend_from_slice(&35_i16.to_be_bytes());
                answer.extend_from_slice(&0_i32.to_be_bytes());
            }
            API_VERSIONS => {
                put(broker, &request).await?;
                answer = frame(broker).await?;
                let count = i32::from_be_bytes(answer[6..10].try_into().unwrap()) + 2;
                answer[6..10].copy_from_slice(&count.to_be_bytes());
                for (api, most) in [(SASL_HANDSHAKE, 1_i16), (SASL_AUTHENTICATE, 0)] {
                    for number in [api, 0, most] {
                        answer.extend_from_slice(&number.to_be_bytes());
                    }
                }
            }
            SASL_HANDSHAKE => {
                let wanted = request[body..].to_vec() == text(mechanism);
                answer.extend_from_slice(&(if wanted { 0_i16 } else { 33 }).to_be_bytes());
                answer.extend_from_slice(&1_i32.to_be_bytes());
                answer.extend_from_slice(&text(mechanism));
            }
            SASL_AUTHENTICATE => {
                let token = &request[body + 4..];
                let (done, reply) = match sasl {
                    Sasl::Plain(user, password) => {
                        (token == format!("\0{user}\0{password}").as_bytes(), Some(Vec::new()))
                    }
                    Sasl::Bearer(wanted) => {
                        let sent = String::from_utf8_lossy(token);
                        let right = sent.split('\u{1}').any(|part| part == format!("auth=Bearer {wanted}"));
                        (right, Some(Vec::new()))
                    }
                    Sasl::Scram(user, password, algorithm) => match scram.take() {
                        None => {
                            let (next, challenge) =
                                crate::scram::challenge(token, user, password, *algorithm);
                            scram = Some(next);
                            (false, Some(challenge))
                        }
                        Some(state) => match crate::scram::verify(&state, token) {
                            Some(signature) => (true, Some(signature)),
                            None => (false, None),
                        },
                    },
                };
                let going_on = done || scram.is_some();
                answer.extend_from_slice(&(if going_on { 0_i16 } else { 58 }).to_be_bytes());
                answer.extend_from_slice(&if going_on {
                    (-1_i16).to_be_bytes().to_vec()
                } else {
                    text("wrong credentials")
                });
                let reply = reply.unwrap_or_default();
                answer.extend_from_slice(&i32::try_from(reply.len()).unwrap().to_be_bytes());
                answer.extend_from_slice(&reply);
                if version > 0 {
                    // How long the session may last: for ever.
                    answer.extend_from_slice(&0_i64.to_be_bytes());
                }
                put(client, &answer).await?;
                match (done, going_on) {
                    (true, _) => return Ok(()),
                    (false, true) => continue,
                    (false, false) => return Err(refused()),
                }
            }
            _ => return Err(refused()),
        }
        put(client, &answer).await?;
    }
}
