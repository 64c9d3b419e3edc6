//! Reads topics as a consumer group.
//!
//! Positions are committed behind what is done, never on their own. When the group shares its partitions out anew,
//! all of them are taken back first, and what was given of them and is not done is read again by whoever gets them.
use super::{From, KafkaConfig, Next, Reader};
use crate::kafka::{Client, Context};
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer as _, ConsumerGroupMetadata};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::message::{Message as _, OwnedMessage};
use rdkafka::{Offset, TopicPartitionList};
use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Records that are given at once, at most.
const RECORDS: usize = 2_000;
/// Bytes of these.
const BYTES: usize = 4 << 20;
/// Time between two signs of life while nothing may be read.
const ALIVE: Duration = Duration::from_secs(1);

type Consumer = BaseConsumer<Context>;

/// A record that was given.
#[derive(Debug)]
struct Given {
    number: u64,
    topic: Arc<str>,
    partition: i32,
    offset: i64,
}

#[derive(Debug, Default)]
struct State {
    /// In the order of their numbers; those that are known to be done are gone.
    given: VecDeque<Given>,
    /// Behind what is done and not yet committed, by topic and partition.
    done: BTreeMap<(Arc<str>, i32), i64>,
}

/// Which record each number is, and how far each partition is done.
pub struct Positions {
    consumer: Arc<Consumer>,
    state: Mutex<State>,
    /// A datasink commits them with what it writes.
    bound: AtomicBool,
}

impl std::fmt::Debug for Positions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Positions").field("state", &*self.lock()).finish_non_exhaustive()
    }
}

impl Positions {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on a datasink commits them with what it writes. While something waits for it the reader does not, since
    /// what is committed last counts for the group, also beside a transaction that was begun before.
    pub(crate) fn bind(&self) {
        self.bound.store(true, Ordering::Release);
    }

    /// The positions behind that event and all before it; nothing when its partitions were taken back.
    pub(crate) fn behind(&self, number: u64) -> Option<TopicPartitionList> {
        let state = self.lock();
        let count = state.given.partition_point(|given| given.number <= number);
        let last = state.given.get(count.checked_sub(1)?)?;
        if last.number != number {
            return None;
        }
        let mut done = state.done.clone();
        state.given.iter().take(count).for_each(|given| given.add(&mut done));
        Some(list(&done))
    }

    /// Whether the group has committed all of that.
    pub(crate) fn is_committed(&self, number: u64, timeout: Duration) -> KafkaResult<bool> {
        let Some(wanted) = self.behind(number) else { return Ok(false) };
        let committed = self.consumer.committed_offsets(wanted.clone(), timeout)?;
        Ok(wanted.elements().iter().all(|wanted| {
            let found = committed.find_partition(wanted.topic(), wanted.partition());
            match (found.map(|found| found.offset()), wanted.offset()) {
                (Some(Offset::Offset(found)), Offset::Offset(wanted)) => found >= wanted,
                _ => false,
            }
        }))
    }

    /// Who this process is in its group; nothing while it is in none.
    pub(crate) fn group(&self) -> Option<ConsumerGroupMetadata> {
        self.consumer.group_metadata()
    }

    /// All events with a smaller number are done; the positions that may be committed now.
    fn done(&self, before: u64) -> Option<TopicPartitionList> {
        let mut guard = self.lock();
        let State { given, done } = &mut *guard;
        let count = given.partition_point(|given| given.number < before);
        given.drain(..count).for_each(|given| given.add(done));
        let theirs = self.bound.load(Ordering::Acquire) && !given.is_empty();
        (!done.is_empty() && !theirs).then(|| list(done))
    }
}

impl Given {
    fn add(&self, done: &mut BTreeMap<(Arc<str>, i32), i64>) {
        let Self { topic, partition, offset, .. } = self;
        done.insert((Arc::clone(topic), *partition), offset + 1);
    }
}

fn list(done: &BTreeMap<(Arc<str>, i32), i64>) -> TopicPartitionList {
    let mut list = TopicPartitionList::with_capacity(done.len());
    for ((topic, partition), offset) in done {
        // It refuses only what is no offset.
        let _ = list.add_partition_offset(topic, *partition, Offset::Offset(*offset));
    }
    list
}

/// A reader of topics.
pub struct KafkaReader {
    client: Client,
    consumer: Arc<Consumer>,
    positions: Arc<Positions>,
    /// The number of the next record; none is used twice.
    next: u64,
    /// The name of the topic of the record before, which is mostly that of the next one.
    topic: Arc<str>,
    /// How often partitions had been taken back when it last looked.
    revoked: u64,
    /// Records that came when none could be given: with partitions that were shared out anew, or while nothing may be
    /// read.
    held: VecDeque<OwnedMessage>,
    /// When it gave a sign of life while nothing might be read.
    idle: Option<Instant>,
}

impl std::fmt::Debug for KafkaReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KafkaReader").field("next", &self.next).finish_non_exhaustive()
    }
}

impl KafkaReader {
    /// Joins the group of that route; brokers that cannot be reached are waited for.
    ///
    /// # Errors
    ///
    /// The key that cannot be so, and the mend.
    pub fn open(config: &KafkaConfig, route: &str) -> Result<Self, String> {
        if config.topics.is_empty() || config.topics.iter().any(String::is_empty) {
            return Err("topics: name at least one".to_owned());
        }
        let mut client = Client::new(&config.cluster)?;
        client.set("group.id", &format!("{}.{route}", config.group));
        client.set("enable.auto.commit", "false");
        client.set("enable.auto.offset.store", "false");
        // Shares all partitions out anew each time: then all of them are taken back.
        client.set("partition.assignment.strategy", "range,roundrobin");
        // So long a topic may be there without being noticed; by default it is five minutes.
        client.set_default("topic.metadata.refresh.interval.ms", "10000");
        let from = if config.from == From::Latest { "latest" } else { "earliest" };
        client.set("auto.offset.reset", from);
        let consumer: Arc<Consumer> = Arc::new(client.open()?);
        let topics: Vec<_> = config.topics.iter().map(String::as_str).collect();
        consumer.subscribe(&topics).map_err(|error| format!("topics: {error}"))?;
        let positions = Arc::new(Positions {
            consumer: Arc::clone(&consumer),
            state: Mutex::default(),
            bound: AtomicBool::new(false),
        });
        Ok(Self {
            client,
            consumer,
            positions,
            next: 0,
            topic: Arc::from(""),
            revoked: 0,
            held: VecDeque::new(),
            idle: None,
        })
    }

    /// Whether partitions were taken back since the last time; then nothing that was given counts any more.
    fn was_taken_back(&mut self) -> bool {
        let revoked = self.consumer.context().revoked();
        if revoked == self.revoked {
            return false;
        }
        self.revoked = revoked;
        *self.positions.lock() = State::default();
        self.held.clear();
        true
    }

    fn number(&mut self, topic: &str, partition: i32, offset: i64) -> u64 {
        if *self.topic != *topic {
            self.topic = Arc::from(topic);
        }
        let number = self.next;
        self.next += 1;
        let topic = Arc::clone(&self.topic);
        self.positions.lock().given.push_back(Given { number, topic, partition, offset });
        number
    }

    fn failure(&self, error: &KafkaError) -> String {
        let error = match error.rdkafka_error_code() {
            Some(RDKafkaErrorCode::UnknownTopicOrPartition) => {
                "there is no such topic, or not yet".to_owned()
            }
            Some(code) => code.to_string(),
            None => error.to_string(),
        };
        self.client.explain(&error)
    }

    /// Nothing is fetched while nothing may be read, or the other way.
    fn pause(&mut self, pause: bool) {
        let Ok(assigned) = self.consumer.assignment() else { return };
        let done = if pause { self.consumer.pause(&assigned) } else { self.consumer.resume(&assigned) };
        // Partitions that are being taken back are not ours to pause.
        let _ = done;
    }
}

impl Reader for KafkaReader {
    fn next(&mut self, timeout: Duration, each: &mut dyn FnMut(u64, &[u8])) -> Result<Next, String> {
        if self.idle.take().is_some() {
            self.pause(false);
        }
        let mut records = 0;
        let mut bytes = 0;
        while let Some(message) = self.held.pop_front() {
            let number = self.number(message.topic(), message.partition(), message.offset());
            each(number, message.payload().unwrap_or_default());
            records += 1;
        }
        let consumer = Arc::clone(&self.consumer);
        while records < RECORDS && bytes < BYTES {
            let wait = if records == 0 { timeout } else { Duration::ZERO };
            let message = consumer.poll(wait);
            if self.was_taken_back() {
                // It came behind that, and so from the new partitions.
                self.held.extend(message.and_then(Result::ok).map(|message| message.detach()));
                return Ok(Next::TakenBack);
            }
            match message {
                None => break,
                Some(Ok(message)) => {
                    let number = self.number(message.topic(), message.partition(), message.offset());
                    let payload = message.payload().unwrap_or_default();
                    each(number, payload);
                    records += 1;
                    bytes += payload.len();
                }
                Some(Err(_)) if records > 0 => break,
                Some(Err(error)) => return Err(self.failure(&error)),
            }
        }
        if records == 0 {
            return Ok(Next::Nothing);
        }
        self.client.clear();
        Ok(Next::Some)
    }

    fn commit(&mut self, before: u64) -> Result<(), String> {
        let Some(list) = self.positions.done(before) else { return Ok(()) };
        match self.consumer.commit(&list, CommitMode::Sync) {
            Ok(()) => {
                self.positions.lock().done.clear();
                Ok(())
            }
            Err(error) => match error.rdkafka_error_code() {
                // The partitions are no longer ours, which the next poll tells.
                Some(
                    RDKafkaErrorCode::IllegalGeneration
                    | RDKafkaErrorCode::UnknownMemberId
                    | RDKafkaErrorCode::RebalanceInProgress
                    | RDKafkaErrorCode::AssignmentLost,
                ) => Ok(()),
                _ => Err(format!("cannot commit the position: {}", self.failure(&error))),
            },
        }
    }

    /// A consumer that does not poll is taken for dead by its group.
    fn idle(&mut self) -> Next {
        if self.idle.is_some_and(|last| last.elapsed() < ALIVE) {
            return Next::Nothing;
        }
        self.idle = Some(Instant::now());
        self.pause(true);
        let consumer = Arc::clone(&self.consumer);
        let message = consumer.poll(Duration::ZERO);
        let taken_back = self.was_taken_back();
        self.held.extend(message.and_then(Result::ok).map(|message| message.detach()));
        if taken_back { Next::TakenBack } else { Next::Nothing }
    }

    fn positions(&self) -> Option<Arc<Positions>> {
        Some(Arc::clone(&self.positions))
    }
}
