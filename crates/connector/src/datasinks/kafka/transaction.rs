//! From topic to topic exactly once: records and the reader's position in one transaction (KIP-98, KIP-447).
use super::producer::{Parts, Producer, send};
use super::topic;
use crate::datasink::{Batch, Datasink, Failure, Invalid, Limits};
use crate::readers::{Positions, Reader};
use async_trait::async_trait;
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::producer::Producer as _;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;

/// Longest wait for a step of a transaction; librdkafka goes on with it at the next attempt.
const STEP: Duration = Duration::from_secs(30);

/// The datasink of one route: its position goes with what is written.
pub(super) struct Transactional {
    parts: Arc<Parts>,
    id: String,
    positions: Arc<Positions>,
    /// The producer, once it is known to the cluster. A batch is one transaction, one at a time.
    producer: Mutex<Option<Producer>>,
}

impl Transactional {
    /// For that route and its reader.
    pub(super) fn open(parts: &Arc<Parts>, route: &str, reader: &dyn Reader) -> Result<Self, String> {
        let positions = reader.positions().ok_or_else(|| {
            format!("transactions: the reader of {route} is not of type kafka: take one, or leave transactions out")
        })?;
        positions.bind();
        // Names of processes have to differ; who goes on where another one died is settled by the consumer group.
        let machine = rustix::system::uname().nodename().to_string_lossy().into_owned();
        let id = format!("{}-{machine}-{route}", parts.config.cluster.client_id);
        Ok(Self { parts: Arc::clone(parts), id, positions, producer: Mutex::default() })
    }

    /// A producer that has fenced off its predecessor.
    async fn fresh(&self) -> Result<Producer, Failure> {
        let mut client = self.parts.client.clone();
        client.set("transactional.id", &self.id);
        // What is not acknowledged within the transaction is aborted with it.
        let timeout = self.parts.config.delivery_timeout_ms.max(60_000);
        client.set("transaction.timeout.ms", &timeout.to_string());
        let producer: Producer = client.open().map_err(|error| Failure::Invalid(Invalid::new(error)))?;
        topic::ensure(&self.parts, &producer).await?;
        let begun = blocking(&producer, |producer| producer.init_transactions(STEP)).await;
        begun.map_err(|error| self.failure("cannot begin with transactions", &error))?;
        Ok(producer)
    }

    /// Whether the position behind the batch is committed, and so the batch with it.
    async fn is_committed(&self, batch: &Batch) -> Result<bool, Failure> {
        let last = batch.events().last().map_or(0, |event| event.number);
        let positions = Arc::clone(&self.positions);
        let asked = tokio::task::spawn_blocking(move || positions.is_committed(last, STEP)).await;
        let asked = asked.unwrap_or(Err(KafkaError::Canceled));
        asked.map_err(|error| self.failure("cannot ask for the position", &error))
    }

    fn failure(&self, doing: &str, error: &KafkaError) -> Failure {
        let mut errors = super::verdict::Errors::default();
        errors.note(error);
        match errors.verdict(&self.parts.client) {
            Err(Failure::Invalid(Invalid { reason })) => {
                Failure::Invalid(Invalid::new(format!("{doing}: {reason}")))
            }
            Err(Failure::Passing { reason, after }) => {
                Failure::Passing { reason: format!("{doing}: {reason}"), after }
            }
            // Of a step, and so of no single record.
            _ => Failure::passing(format!("{doing}: {error}")),
        }
    }

    /// One transaction. An error says what failed; it is then to be aborted.
    async fn transact(&self, producer: &Producer, batch: &Batch) -> Result<(), Failure> {
        let last = batch.events().last().map_or(0, |event| event.number);
        let taken_back = || Failure::passing("the partitions were taken back from this process");
        // Before anything is sent: events that are no longer ours are another one's.
        self.positions.behind(last).ok_or_else(taken_back)?;
        producer.begin_transaction().map_err(|error| self.failure("cannot begin a transaction", &error))?;
        send(&self.parts, producer, batch).await.verdict(&self.parts.client)?;
        let offsets = self.positions.behind(last).ok_or_else(taken_back)?;
        let group = self.positions.group().ok_or_else(taken_back)?;
        let sent = blocking(producer, move |producer| {
            again(|| producer.send_offsets_to_transaction(&offsets, &group, STEP))
        });
        sent.await.map_err(|error| self.failure("cannot add the position to the transaction", &error))?;
        let committed = blocking(producer, |producer| again(|| producer.commit_transaction(STEP)));
        committed.await.map_err(|error| self.failure("cannot commit the transaction", &error))
    }
}

/// Tries a step again while librdkafka says that it may pass.
fn again(mut step: impl FnMut() -> KafkaResult<()>) -> KafkaResult<()> {
    let mut attempts = 0;
    loop {
        match step() {
            Err(KafkaError::Transaction(error)) if error.is_retriable() && attempts < 4 => attempts += 1,
            other => return other,
        }
    }
}

/// Runs a call that waits, off the runtime.
async fn blocking(
    producer: &Producer,
    call: impl FnOnce(&Producer) -> KafkaResult<()> + Send + 'static,
) -> KafkaResult<()> {
    let producer = producer.clone();
    let done = tokio::task::spawn_blocking(move || call(&producer));
    done.await.unwrap_or(Err(KafkaError::Canceled))
}

#[async_trait]
impl Datasink for Transactional {
    fn kind(&self) -> &'static str {
        "kafka"
    }

    fn limits(&self) -> Limits {
        Limits { in_flight: 1, ..Limits::default() }
    }

    async fn check(&self) -> Result<(), Invalid> {
        Ok(())
    }

    async fn write(&self, batch: &Batch) -> Result<(), Failure> {
        let mut slot = self.producer.lock().await;
        let producer = match slot.take() {
            Some(producer) => producer,
            None => {
                let producer = self.fresh().await?;
                // Of the transaction that its predecessor left nobody has said how it ended.
                if self.is_committed(batch).await? {
                    *slot = Some(producer);
                    return Ok(());
                }
                producer
            }
        };
        let written = self.transact(&producer, batch).await;
        if written.is_ok() {
            self.parts.client.clear();
            *slot = Some(producer);
            return written;
        }
        // After an abort it goes on; where even that fails, or the producer was fenced off, a new one takes over.
        let aborted = blocking(&producer, |producer| again(|| producer.abort_transaction(STEP))).await;
        if aborted.is_ok() && producer.client().fatal_error().is_none() {
            *slot = Some(producer);
        }
        written
    }
}
