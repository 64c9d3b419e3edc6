//! A capture that comes over TCP ("PCAP-over-IP"): the bytes of a pcap or pcapng file, without an end.
//!
//! Either side may be the one that connects. Nothing is encrypted and nobody is authenticated: it is meant
//! for a loopback address or a network of one's own.
use crate::{Error, ErrorKind, Reader};
use std::{
    fmt, io,
    net::{Shutdown, SocketAddr, TcpListener, TcpStream, ToSocketAddrs},
    time::Duration,
};

/// Ends a connection from another thread, so that a [`Reader`] that waits for bytes comes to its end.
pub struct Stop(TcpStream);

impl Stop {
    /// Ends it; what has arrived may still be read.
    pub fn stop(&self) {
        // It may have ended by itself.
        let _ = self.0.shutdown(Shutdown::Both);
    }
}

/// A connection that is there; nothing of the capture has been read.
pub struct Connection {
    name: String,
    stream: TcpStream,
}

impl Connection {
    /// Who sends, for messages.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// A handle that ends the connection.
    ///
    /// # Errors
    /// When the system is out of file descriptors.
    pub fn stop_handle(&self) -> io::Result<Stop> {
        self.stream.try_clone().map(Stop)
    }

    /// Reads the capture. Waits until the sender has sent the file header; from then on a [`Reader`] waits
    /// for each packet, as with a pipe.
    ///
    /// # Errors
    /// When the start is not that of a capture, or the connection breaks before.
    pub fn reader(self) -> Result<Reader, Error> {
        Reader::from_source(&self.name, Box::new(self.stream), None)
    }
}

/// Connects to a program that sends a capture to whoever connects. To try again is the caller's business.
///
/// # Errors
/// When the address (`HOST:PORT`) cannot be found, or nobody there accepts within `timeout`.
pub fn connect(address: &str, timeout: Duration) -> Result<Connection, Error> {
    let name = format!("pcap-over-ip from {address}");
    let failed = |e| Error { file: name.clone(), kind: ErrorKind::Io(e) };
    let found = address.to_socket_addrs().map_err(failed)?;
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for address in found {
        match TcpStream::connect_timeout(&address, timeout) {
            Ok(stream) => return Ok(Connection { name, stream }),
            Err(e) => last = e,
        }
    }
    Err(failed(last))
}

/// Waits for programs that connect and send a capture.
pub struct Listener {
    name: String,
    listener: TcpListener,
}

impl Listener {
    /// Listens on an address (`ADDR:PORT`).
    ///
    /// # Errors
    /// When it cannot be listened on.
    pub fn bind(address: impl ToSocketAddrs + fmt::Display) -> Result<Self, Error> {
        let name = format!("pcap-over-ip on {address}");
        match TcpListener::bind(address) {
            Ok(listener) => Ok(Self { name, listener }),
            Err(e) => Err(Error { file: name, kind: ErrorKind::Io(e) }),
        }
    }

    /// The address, with the port that was chosen for port 0.
    ///
    /// # Errors
    /// When the system does not tell it.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Waits for the next connection.
    ///
    /// # Errors
    /// When the system gives none.
    pub fn accept(&self) -> Result<Connection, Error> {
        match self.listener.accept() {
            Ok((stream, peer)) => Ok(Connection { name: format!("{} from {peer}", self.name), stream }),
            Err(e) => Err(Error { file: self.name.clone(), kind: ErrorKind::Io(e) }),
        }
    }
}
