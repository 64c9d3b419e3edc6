//! The datasink: an idempotent producer.
use super::config::{Compression, Config, Key, Partitioner};
use super::record::{OVERHEAD, Records};
use super::topic;
use super::transaction::Transactional;
use super::verdict::Errors;
use crate::datasink::{Batch, Datasink, Event, Failure, Invalid, Limits};
use crate::kafka::{Client, Context};
use crate::readers::Reader;
use async_trait::async_trait;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::future_producer::DeliveryFuture;
use rdkafka::producer::{FutureProducer, Producer as _};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;
use tokio::sync::OnceCell;

/// Pause while librdkafka's queue is full.
const FULL: Duration = Duration::from_millis(10);

/// A producer with our context.
pub(super) type Producer = FutureProducer<Context>;

/// The datasink.
pub struct Kafka {
    parts: Arc<Parts>,
    /// The producer; another one takes its place when it has come to an error that it cannot leave.
    producer: RwLock<Producer>,
}

/// What the ways to write have in common.
pub(super) struct Parts {
    pub(super) config: Config,
    pub(super) client: Client,
    pub(super) records: Records,
    /// Set once the topic is known to be there.
    pub(super) topic: OnceCell<()>,
}

impl Kafka {
    /// Makes the client, which looks for its brokers; nothing is written yet.
    ///
    /// # Errors
    ///
    /// The key that cannot be so, and the mend.
    pub fn open(config: &Config) -> Result<Self, String> {
        config.check()?;
        let client = client(config)?;
        let parts =
            Parts { config: config.clone(), records: Records::new(config)?, client, topic: OnceCell::new() };
        let producer = RwLock::new(parts.client.open()?);
        Ok(Self { parts: Arc::new(parts), producer })
    }

    fn producer(&self) -> Producer {
        self.producer.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Puts a new producer in the place of one that has come to its end.
    fn renew(&self, old: &Producer) -> Result<(), String> {
        let mut current = self.producer.write().unwrap_or_else(PoisonError::into_inner);
        // Several lanes may come to the same end.
        if std::ptr::eq(current.client(), old.client()) {
            *current = self.parts.client.open()?;
        }
        Ok(())
    }
}

/// The settings of a producer.
fn client(config: &Config) -> Result<Client, String> {
    let mut client = Client::new(&config.cluster)?;
    client.set("enable.idempotence", "true");
    client.set("acks", "all");
    client.set("message.max.bytes", &config.max_bytes.to_string());
    // So that no request is larger than what a broker takes of one record.
    client.set("batch.size", &config.max_bytes.to_string());
    client.set("message.timeout.ms", &config.delivery_timeout_ms.to_string());
    // Batches come as a whole; there is nothing to wait for.
    client.set("linger.ms", "1");
    client.set(
        "partitioner",
        match config.partitioner {
            Partitioner::Murmur2 => "murmur2_random",
            Partitioner::Consistent => "consistent_random",
            Partitioner::Fnv1a => "fnv1a_random",
        },
    );
    client.set(
        "compression.codec",
        match config.compression {
            Compression::None => "none",
            Compression::Gzip => "gzip",
            Compression::Snappy => "snappy",
            Compression::Lz4 => "lz4",
            Compression::Zstd => "zstd",
        },
    );
    Ok(client)
}

/// Hands a record to librdkafka, waiting while its queue is full.
async fn enqueue(parts: &Parts, producer: &Producer, event: &Event) -> Result<DeliveryFuture, KafkaError> {
    loop {
        match parts.records.with(event, |record| producer.send_result(record).map_err(|(error, _)| error)) {
            Err(KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull)) => tokio::time::sleep(FULL).await,
            other => return other,
        }
    }
}

/// Sends the events in order and waits until each is acknowledged or given up.
pub(super) async fn send(parts: &Parts, producer: &Producer, batch: &Batch) -> Errors {
    let mut errors = Errors::default();
    let mut sent = Vec::with_capacity(batch.len());
    for event in batch.events() {
        match enqueue(parts, producer, event).await {
            Ok(delivery) => sent.push(delivery),
            Err(error) => errors.note(&error),
        }
    }
    for delivery in sent {
        match delivery.await {
            Ok(Ok(_)) => {}
            Ok(Err((error, _))) => errors.note(&error),
            Err(_) => errors.passing_because("the client was closed".to_owned()),
        }
    }
    errors
}

#[async_trait]
impl Datasink for Kafka {
    fn kind(&self) -> &'static str {
        "kafka"
    }

    fn limits(&self) -> Limits {
        let config = &self.parts.config;
        // Lanes keep the order of a connection. What is to be in order beyond that has to go through one.
        let in_order = config.transactions || config.key == Key::Client;
        Limits {
            event_bytes: config.max_bytes - OVERHEAD,
            in_flight: if in_order { 1 } else { usize::MAX },
            ..Limits::default()
        }
    }

    /// Asks a broker for the topic, and makes it where it is missing and to be made.
    async fn check(&self) -> Result<(), Invalid> {
        topic::check(&self.parts, &self.producer()).await
    }

    async fn write(&self, batch: &Batch) -> Result<(), Failure> {
        let producer = self.producer();
        topic::ensure(&self.parts, &producer).await?;
        let mut errors = send(&self.parts, &producer, batch).await;
        if let Some((_, reason)) = producer.client().fatal_error() {
            errors.passing_because(format!("the client begins anew: {reason}"));
            self.renew(&producer).map_err(|error| Failure::Invalid(Invalid::new(error)))?;
        }
        let written = errors.verdict(&self.parts.client);
        if written.is_ok() {
            self.parts.client.clear();
        }
        written
    }

    fn bind(&self, route: &str, reader: &dyn Reader) -> Result<Option<Arc<dyn Datasink>>, String> {
        if !self.parts.config.transactions {
            return Ok(None);
        }
        Ok(Some(Arc::new(Transactional::open(&self.parts, route, reader)?)))
    }

    fn warnings(&self) -> Vec<String> {
        self.parts.client.warnings()
    }
}
