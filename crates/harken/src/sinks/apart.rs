//! A thread for the transactions of one shard.
//!
//! To mask bodies and to write events takes longer than all that a shard does for `http.log` alone. With a spool it
//! therefore gives its exchanges away as they are, in chunks, and gets back those that are written, so that their memory is
//! used again. Where the thread cannot keep up the shard waits for it, and what arrives meanwhile waits in the kernel.
use super::transactions::Transactions;
use crate::summary::Summary;
use anyhow::{Context as _, Result};
use harken_event::{FlowInfo, Preparation, Transaction, Trust};
use harken_http::{Exchange, Message};
use std::sync::mpsc::{Receiver, Sender, SyncSender, TryRecvError, channel, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

/// Exchanges after which a chunk is given on, and bytes of them.
const CHUNK: usize = 32;
const BYTES: usize = 256 << 10;
/// Chunks that may wait: few, so that their memory is still in a cache when it comes to the other core and back.
const WAITING: usize = 4;

/// An exchange on its connection.
struct Pending {
    flow: Arc<FlowInfo>,
    exchange: Exchange,
}

/// The shard's end.
pub struct Apart {
    chunk: Vec<Pending>,
    bytes: usize,
    /// None once it has ended.
    to: Option<SyncSender<Vec<Pending>>>,
    back: Receiver<Vec<Exchange>>,
    used: Vec<Exchange>,
    thread: Option<JoinHandle<Transactions>>,
    /// What the thread has counted.
    summary: Arc<Mutex<Summary>>,
}

impl Apart {
    /// Starts the thread.
    pub fn start(transactions: Transactions, prepare: Preparation, trust: Arc<Trust>) -> Result<Self> {
        let (to, from) = sync_channel(WAITING);
        let (give, back) = channel();
        let summary = Arc::new(Mutex::new(Summary::default()));
        let counted = Arc::clone(&summary);
        let thread = std::thread::Builder::new().name("events".to_owned());
        let thread = thread.spawn(move || work(transactions, prepare, &trust, &counted, &from, &give));
        let thread = Some(thread.context("cannot start a thread")?);
        Ok(Self { chunk: Vec::new(), bytes: 0, to: Some(to), back, used: Vec::new(), thread, summary })
    }

    /// Takes an exchange, and gives another one that was used before.
    pub fn take(&mut self, flow: &Arc<FlowInfo>, exchange: Exchange) -> Option<Exchange> {
        let messages = [exchange.request.as_deref(), exchange.response.as_deref()];
        self.bytes += messages.into_iter().flatten().map(size).sum::<usize>();
        self.chunk.push(Pending { flow: Arc::clone(flow), exchange });
        if self.chunk.len() >= CHUNK || self.bytes >= BYTES {
            self.send();
        }
        self.used.pop()
    }

    /// Gives on what is there.
    pub fn send(&mut self) {
        if self.chunk.is_empty() {
            return;
        }
        if let Ok(used) = self.back.try_recv() {
            self.used = used;
        }
        self.bytes = 0;
        let chunk = std::mem::replace(&mut self.chunk, Vec::with_capacity(CHUNK));
        if self.to.as_ref().is_none_or(|to| to.send(chunk).is_err()) {
            self.join();
        }
    }

    /// Waits until the thread has done all that it was given. A panic of it goes on in this one, which cannot do its work
    /// either.
    fn join(&mut self) -> Option<Transactions> {
        self.to = None;
        match self.thread.take()?.join() {
            Ok(transactions) => Some(transactions),
            Err(panic) => std::panic::resume_unwind(panic),
        }
    }

    /// Has everything written, and gives back what has done so.
    pub fn end(&mut self) -> Option<Transactions> {
        self.send();
        self.join()
    }

    /// What the thread has counted so far.
    pub fn summary(&self) -> MutexGuard<'_, Summary> {
        lock(&self.summary)
    }
}

fn lock(summary: &Mutex<Summary>) -> MutexGuard<'_, Summary> {
    summary.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Bytes that a message holds.
fn size(message: &Message) -> usize {
    message.head.len() + message.body.kept.len()
}

/// The thread: until the shard has ended and all is written.
fn work(
    mut transactions: Transactions,
    mut prepare: Preparation,
    trust: &Trust,
    summary: &Mutex<Summary>,
    from: &Receiver<Vec<Pending>>,
    back: &Sender<Vec<Exchange>>,
) -> Transactions {
    loop {
        let chunk = match from.try_recv() {
            Ok(chunk) => chunk,
            Err(TryRecvError::Disconnected) => break,
            Err(TryRecvError::Empty) => {
                // Nothing waits: what is there need not wait either.
                transactions.flush();
                match from.recv() {
                    Ok(chunk) => chunk,
                    Err(_) => break,
                }
            }
        };
        let mut used = Vec::with_capacity(chunk.len());
        for Pending { flow, mut exchange } in chunk {
            prepare.prepare(&mut exchange);
            let masking = prepare.masking.as_ref();
            let transaction = Transaction { flow: &flow, exchange: &exchange, masking, trust };
            let is_wanted = transactions.count(&transaction, &mut lock(summary));
            if is_wanted {
                transactions.write(&transaction);
            }
            used.push(exchange);
        }
        // The shard may be gone.
        let _ = back.send(used);
    }
    transactions
}

#[cfg(test)]
mod tests {
    use super::super::events::Events;
    use super::super::transactions::Writer;
    use super::*;
    use crate::cli::Format;
    use harken_event::{Form, VniNames};
    use harken_spool::{Config, Spool};
    use harken_wire::{Encap, Ip, Timestamp};

    fn flow() -> Arc<FlowInfo> {
        let end = |last| (Ip::v4([10, 0, 0, last]), 80);
        Arc::new(FlowInfo::new(end(1), end(2), Arc::new(Encap::default()), Timestamp(1), Form::Json, 0))
    }

    fn exchange() -> Exchange {
        Exchange { request: Some(Box::default()), ..Exchange::default() }
    }

    #[test]
    fn all_that_it_takes_is_written_and_counted() {
        let dir = tempfile::tempdir().unwrap();
        let spool = Arc::new(Spool::open(Config::new(dir.path())).unwrap());
        let transactions = Transactions {
            filter: None,
            writer: Writer::of(Format::ZeekJson, Form::Json, &VniNames::default()),
            lines: None,
            websocket: None,
            events: Some(Events::new(&spool, &VniNames::default())),
        };
        let mut apart = Apart::start(transactions, Preparation::default(), Arc::default()).unwrap();
        let count = 10 * CHUNK + 1;
        let given_back = (0..count).filter(|_| apart.take(&flow(), exchange()).is_some()).count();
        assert!(given_back < count);
        let mut transactions = apart.end().unwrap();
        transactions.flush();
        assert_eq!(spool.counters().appended, count as u64);
        assert_eq!(apart.summary().by_class()[0], count as u64);
    }

    #[test]
    fn a_panic_goes_on_in_the_shard() {
        let (to, from) = sync_channel::<Vec<Pending>>(WAITING);
        let thread = std::thread::spawn(move || {
            drop(from);
            panic!("for the test");
        });
        let (chunk, used, summary) = (Vec::new(), Vec::new(), Arc::default());
        let (to, back, thread) = (Some(to), channel().1, Some(thread));
        let mut apart = Apart { chunk, bytes: 0, to, back, used, thread, summary };
        let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            for _ in 0..2 * WAITING * CHUNK {
                apart.take(&flow(), exchange());
            }
        }));
        assert_eq!(panic.unwrap_err().downcast_ref::<&str>(), Some(&"for the test"));
    }
}
