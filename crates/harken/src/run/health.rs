//! Health checks of a load balancer: HTTP 200 as long as the sensor runs.
use anyhow::{Context as _, Result};
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

const ANSWER: &[u8] =
    b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 3\r\nConnection: close\r\n\r\nok\n";

/// The thread that answers; it ends when this is dropped.
pub struct Health {
    stop: Arc<AtomicBool>,
    addr: SocketAddr,
}

/// Listens on `addr`.
pub fn bind(addr: SocketAddr) -> Result<TcpListener> {
    TcpListener::bind(addr)
        .with_context(|| format!("cannot listen on {addr} for health checks; is the port taken?"))
}

impl Health {
    /// Answers from a thread of its own.
    pub fn start(listener: TcpListener) -> Result<Self> {
        let addr = listener.local_addr().context("cannot tell the port of health checks")?;
        let stop = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&stop);
        std::thread::Builder::new()
            .name("health".to_owned())
            .spawn(move || {
                for stream in listener.incoming() {
                    if flag.load(Ordering::Relaxed) {
                        break;
                    }
                    // A checker that only connects, and one that hangs up early, are healthy checks, too.
                    let _ = stream.and_then(answer);
                }
            })
            .context("cannot start a thread")?;
        Ok(Self { stop, addr })
    }
}

impl Drop for Health {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        // Wakes the thread up.
        let _ = TcpStream::connect_timeout(&self.addr, Duration::from_millis(100));
    }
}

/// Reads what is asked, whatever it is, within a second, and answers.
fn answer(mut stream: TcpStream) -> std::io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(1)))?;
    stream.set_write_timeout(Some(Duration::from_secs(1)))?;
    let _ = stream.read(&mut [0; 1024])?;
    stream.write_all(ANSWER)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers() {
        let health = Health::start(bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap()).unwrap();
        for _ in 0..3 {
            let mut stream = TcpStream::connect(health.addr).unwrap();
            stream.write_all(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n").unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).unwrap();
            assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"));
        }
    }
}
