//! Connections over TCP and TLS.
use super::config::{Config, Transport};
use crate::datasink::{Failure, Invalid};
use crate::datasinks::http::Version;
use crate::datasinks::http::tls::{self, Refused};
use rustls::pki_types::ServerName;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// Pause before looking again whether a connection is gone.
const LOOK: Duration = Duration::from_millis(2);

/// A connection to the receiver.
trait Stream: AsyncRead + AsyncWrite + Send + Unpin {
    /// What is below TLS.
    fn tcp(&self) -> &TcpStream;
}

impl Stream for TcpStream {
    fn tcp(&self) -> &TcpStream {
        self
    }
}

impl Stream for TlsStream<TcpStream> {
    fn tcp(&self) -> &TcpStream {
        self.get_ref().0
    }
}

/// Makes connections, and keeps those that are free where they are kept.
pub(super) struct Streams {
    address: String,
    tls: Option<(TlsConnector, ServerName<'static>, Refused)>,
    connect: Duration,
    write: Duration,
    confirm: bool,
    free: Mutex<Vec<Box<dyn Stream>>>,
}

impl Streams {
    pub(super) fn new(config: &Config) -> Result<Self, String> {
        let tls = match config.transport {
            Transport::Tls => {
                let refused = Refused::default();
                let mut client = tls::client(&config.tls, Version::Http1, &refused)?;
                client.alpn_protocols.clear();
                let host = config.address.rsplit_once(':').map_or("", |(host, _)| host);
                let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
                let name = ServerName::try_from(host)
                    .map_err(|_| format!("address: '{}' has no name that TLS can verify", config.address))?;
                Some((TlsConnector::from(Arc::new(client)), name, refused))
            }
            Transport::Tcp | Transport::Udp => None,
        };
        Ok(Self {
            address: config.address.clone(),
            tls,
            connect: Duration::from_millis(config.connect_timeout_ms),
            write: Duration::from_millis(config.write_timeout_ms),
            confirm: config.confirm,
            free: Mutex::default(),
        })
    }

    async fn connect(&self) -> Result<Box<dyn Stream>, Failure> {
        let connect = async {
            let stream = TcpStream::connect(&self.address).await.map_err(|error| self.failure(&error))?;
            let Some((connector, name, _)) = &self.tls else {
                return Ok::<Box<dyn Stream>, Failure>(Box::new(stream));
            };
            let stream = connector.connect(name.clone(), stream).await;
            Ok(Box::new(stream.map_err(|error| self.failure(&error))?))
        };
        match timeout(self.connect, connect).await {
            Ok(result) => result,
            Err(_) => {
                Err(Failure::passing(format!("{}: no connection within connect_timeout_ms", self.address)))
            }
        }
    }

    /// What an error means.
    fn failure(&self, error: &io::Error) -> Failure {
        let told = self.tls.as_ref().and_then(|(_, _, refused)| refused.last());
        let tls = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
        match (tls, told) {
            (Some(rustls::Error::InvalidCertificate(_)), Some(reason)) => {
                Failure::Invalid(Invalid { reason })
            }
            (Some(rustls::Error::AlertReceived(alert)), _) => Failure::Invalid(Invalid::new(format!(
                "{}: the receiver refuses TLS ({alert:?}); check tls.client_certificate_file and its own settings",
                self.address
            ))),
            (Some(error), _) => Failure::Invalid(Invalid::new(format!(
                "{}: {error}; check that the receiver speaks TLS at this port",
                self.address
            ))),
            (None, _) => Failure::passing(format!("{}: {error}", self.address)),
        }
    }

    /// Whether a connection can be made.
    pub(super) async fn check(&self) -> Result<(), Failure> {
        let mut stream = self.connect().await?;
        // It was there, which was the question.
        let _ = timeout(self.write, stream.shutdown()).await;
        Ok(())
    }

    /// Sends it.
    pub(super) async fn send(&self, bytes: &[u8]) -> Result<(), Failure> {
        let kept = match self.confirm {
            true => None,
            false => self.kept().await,
        };
        let mut stream = match kept {
            Some(stream) => stream,
            None => self.connect().await?,
        };
        let send = async {
            stream.write_all(bytes).await?;
            stream.flush().await?;
            if self.confirm { read_to_end(&mut stream).await } else { Ok(()) }
        };
        match timeout(self.write, send).await {
            Ok(Ok(())) => {
                if !self.confirm {
                    self.lock().push(stream);
                }
                Ok(())
            }
            Ok(Err(error)) => Err(self.failure(&error)),
            Err(_) => {
                let mend =
                    if self.confirm { " (a receiver that never closes needs confirm: false)" } else { "" };
                Err(Failure::passing(format!("{}: not taken within write_timeout_ms{mend}", self.address)))
            }
        }
    }

    /// A free connection that the receiver has not closed.
    async fn kept(&self) -> Option<Box<dyn Stream>> {
        loop {
            let mut stream = self.lock().pop()?;
            // A receiver sends nothing: what can be read is the end.
            if timeout(Duration::ZERO, stream.read_u8()).await.is_err() {
                return Some(stream);
            }
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Box<dyn Stream>>> {
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Closes our side and waits until the receiver has closed its own. TCP says so only when the receiver has read
/// everything: a receiver that closes, or dies, with something unread resets the connection.
async fn read_to_end(stream: &mut Box<dyn Stream>) -> io::Result<()> {
    stream.shutdown().await?;
    let mut buffer = [0; 512];
    loop {
        match stream.read(&mut buffer).await {
            Ok(0) => break,
            Ok(_) => {}
            // Closed without the farewell of TLS, but closed.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => break,
            Err(error) => return Err(error),
        }
    }
    // A receiver that closes before everything has come to it answers what comes later by a reset. TCP knows when the
    // connection is gone: only then there is no peer any more.
    while stream.tcp().peer_addr().is_ok() {
        tokio::time::sleep(LOOK).await;
    }
    stream.tcp().take_error()?.map_or(Ok(()), Err)
}
