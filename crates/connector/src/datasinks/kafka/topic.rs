//! Whether the topic can be written to, and how it is made.
use super::config::CreateTopic;
use super::producer::{Parts, Producer};
use crate::datasink::{Failure, Invalid};
use crate::kafka::Context;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::producer::Producer as _;
use std::sync::Arc;
use std::time::Duration;

/// Longest wait for the answer of a broker.
const ANSWER: Duration = Duration::from_secs(10);

/// How the topic stands.
enum State {
    Ready,
    Missing,
    Wrong(String),
}

/// Asks for it. Where it may be made that is tried first, once, since asking alone has some brokers make it in their own
/// way.
pub(super) async fn check(parts: &Arc<Parts>, producer: &Producer) -> Result<(), Invalid> {
    let topic = &parts.config.topic;
    let made = match &parts.config.create_topic {
        Some(create) if !parts.topic.initialized() => make(parts, create).await,
        _ => Ok(()),
    };
    match (look(parts, producer).await?, made) {
        (State::Ready, _) => {
            // Fails only when it is set already.
            let _ = parts.topic.set(());
            Ok(())
        }
        (State::Wrong(reason), _) => Err(Invalid::new(reason)),
        (State::Missing, Err(invalid)) => Err(invalid),
        (State::Missing, Ok(())) => Err(Invalid::new(format!(
            "{}: there is no topic '{topic}': make it, or let it be made by create_topic",
            parts.client.brokers()
        ))),
    }
}

/// Has the topic made before the first record, which else would have some brokers make it in their own way.
pub(super) async fn ensure(parts: &Arc<Parts>, producer: &Producer) -> Result<(), Failure> {
    if parts.config.create_topic.is_none() || parts.topic.initialized() {
        return Ok(());
    }
    check(parts, producer).await.map_err(Failure::Invalid)
}

async fn look(parts: &Arc<Parts>, producer: &Producer) -> Result<State, Invalid> {
    let (work, producer) = (Arc::clone(parts), producer.clone());
    let asked = tokio::task::spawn_blocking(move || {
        let topic = &work.config.topic;
        let metadata =
            producer.client().fetch_metadata(Some(topic), ANSWER).map_err(|error| error.to_string())?;
        let found = metadata.topics().iter().find(|found| found.name() == topic);
        let Some(found) = found else { return Ok(State::Missing) };
        let brokers = work.client.brokers();
        if let Some(error) = found.error() {
            let code = RDKafkaErrorCode::from(error);
            return Ok(match code {
                RDKafkaErrorCode::UnknownTopicOrPartition => State::Missing,
                _ => State::Wrong(format!("{brokers}: topic '{topic}': {code}")),
            });
        }
        let orphans = found.partitions().iter().filter(|partition| partition.leader() < 0).count();
        Ok(match (found.partitions().len(), orphans) {
            (0, _) => State::Missing,
            (_, 0) => State::Ready,
            (all, orphans) => State::Wrong(format!(
                "{brokers}: {orphans} of {all} partitions of topic '{topic}' have no leader: see to the brokers"
            )),
        })
    });
    let failed: String = match asked.await {
        Ok(Ok(state)) => {
            parts.client.clear();
            return Ok(state);
        }
        Ok(Err(error)) => error,
        Err(error) => error.to_string(),
    };
    Err(parts.client.diagnose(&failed).await)
}

async fn make(parts: &Arc<Parts>, create: &CreateTopic) -> Result<(), Invalid> {
    let topic = &parts.config.topic;
    let wrong = |error: &dyn std::fmt::Display| {
        Invalid::new(format!("{}: cannot make the topic '{topic}': {error}", parts.client.brokers()))
    };
    let admin: AdminClient<Context> = parts.client.open().map_err(|error| wrong(&error))?;
    let replicas = TopicReplication::Fixed(create.replicas.unwrap_or(-1));
    let mut new = NewTopic::new(topic, create.partitions, replicas);
    for (key, value) in &create.config {
        new = new.set(key, value);
    }
    let options = AdminOptions::new().operation_timeout(Some(ANSWER)).request_timeout(Some(ANSWER));
    let made = admin.create_topics([&new], &options).await.map_err(|error| wrong(&error))?;
    match made.into_iter().next() {
        // Another one may have been faster.
        Some(Ok(_) | Err((_, RDKafkaErrorCode::TopicAlreadyExists))) => Ok(()),
        Some(Err((_, code))) => {
            Err(wrong(&format!("{code}; check create_topic and the rights of the client")))
        }
        None => Err(wrong(&"the broker says nothing")),
    }
}
