//! A syslog receiver (RFC 5424) over UDP, TCP or TLS.
mod config;
mod message;
mod stream;

pub use config::{Config, Facility, Format, Transport};

use crate::datasink::{Batch, Datasink, Failure, Invalid, Refusal};
use crate::datasinks::http::tls::unverified;
use async_trait::async_trait;
use message::Writer;
use std::io;
use stream::Streams;
use tokio::net::UdpSocket;

/// The datasink.
pub struct Syslog {
    config: Config,
    writer: Writer,
    streams: Streams,
}

impl Syslog {
    /// Nothing is sent yet.
    ///
    /// # Errors
    ///
    /// The key that cannot be so, and the mend.
    pub fn open(config: &Config) -> Result<Self, String> {
        config.check()?;
        let machine = rustix::system::uname().nodename().to_string_lossy().into_owned();
        let streams = Streams::new(config)?;
        Ok(Self { config: config.clone(), writer: Writer::new(config, &machine), streams })
    }

    async fn socket(&self) -> io::Result<UdpSocket> {
        let address = tokio::net::lookup_host(&self.config.address).await?.next();
        let address = address.ok_or_else(|| io::Error::other("the name has no address"))?;
        let own = if address.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
        let socket = UdpSocket::bind(own).await?;
        socket.connect(address).await?;
        Ok(socket)
    }

    async fn send_datagrams(&self, messages: &[Vec<u8>]) -> io::Result<()> {
        let socket = self.socket().await?;
        for message in messages {
            socket.send(message).await?;
        }
        Ok(())
    }

    async fn send(&self, messages: &[Vec<u8>]) -> Result<(), Failure> {
        if self.config.transport != Transport::Udp {
            return self.streams.send(&framed(messages)).await;
        }
        let sent = self.send_datagrams(messages).await;
        sent.map_err(|error| Failure::passing(format!("{}: {error}", self.config.address)))
    }

    /// The messages that are short enough, and the events whose are not.
    fn messages(&self, batch: &Batch) -> (Vec<Vec<u8>>, Vec<(usize, Refusal)>) {
        let mut good = Vec::with_capacity(batch.len());
        let mut bad = Vec::new();
        for (place, event) in batch.events().iter().enumerate() {
            let message = self.writer.write(event);
            if message.len() <= self.config.max_bytes {
                good.push(message);
                continue;
            }
            let reason = format!(
                "the message has {} bytes, max_bytes is {}: raise it there and at the receiver, or use format fields",
                message.len(),
                self.config.max_bytes
            );
            bad.push((place, Refusal { reason, status: None }));
        }
        (good, bad)
    }
}

#[async_trait]
impl Datasink for Syslog {
    fn kind(&self) -> &'static str {
        "syslog"
    }

    /// Makes a connection; over UDP it can only look the name up.
    async fn check(&self) -> Result<(), Invalid> {
        if self.config.transport == Transport::Udp {
            let found = self.socket().await;
            return found
                .map(drop)
                .map_err(|error| Invalid::new(format!("{}: {error}", self.config.address)));
        }
        self.streams.check().await.map_err(|failure| match failure {
            Failure::Invalid(invalid) => invalid,
            Failure::Passing { reason, .. } => Invalid { reason },
            other => Invalid { reason: format!("{other:?}") },
        })
    }

    async fn write(&self, batch: &Batch) -> Result<(), Failure> {
        let (good, bad) = self.messages(batch);
        if !good.is_empty() {
            self.send(&good).await?;
        }
        if bad.is_empty() { Ok(()) } else { Err(Failure::Partial(bad)) }
    }

    fn warnings(&self) -> Vec<String> {
        let address = &self.config.address;
        if self.config.tls.dangerously_accept_any_certificate_and_let_anyone_read_the_events {
            return vec![unverified(address, "tls")];
        }
        Vec::new()
    }
}

/// Each message behind its length (octet counting).
fn framed(messages: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(messages.iter().map(|message| message.len() + 8).sum());
    for message in messages {
        bytes.extend_from_slice(format!("{} ", message.len()).as_bytes());
        bytes.extend_from_slice(message);
    }
    bytes
}
