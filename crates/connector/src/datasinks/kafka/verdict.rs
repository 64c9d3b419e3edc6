//! What errors of records mean for their batch.
use crate::datasink::{Failure, Invalid, Refusal};
use crate::kafka::Client;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

/// The errors of a batch.
#[derive(Debug, Default)]
pub(super) struct Errors {
    /// A record that no broker will take. It may have taken others with it.
    refused: Option<Refusal>,
    /// The settings, or the rights, are wrong.
    invalid: Option<String>,
    /// It may pass.
    passing: Option<String>,
}

impl Errors {
    /// A record was not taken.
    pub(super) fn note(&mut self, error: &KafkaError) {
        use RDKafkaErrorCode as Code;
        match error.rdkafka_error_code() {
            // A broker refuses all that came in the same request for the same partition, and only newer ones say for
            // which record.
            Some(
                Code::MessageSizeTooLarge
                | Code::InvalidMessage
                | Code::InvalidRecord
                | Code::InvalidTimestamp
                | Code::InvalidDifferentRecord,
            ) => {
                self.refused.get_or_insert_with(|| Refusal { reason: error.to_string(), status: None });
            }
            Some(
                Code::TopicAuthorizationFailed
                | Code::ClusterAuthorizationFailed
                | Code::TransactionalIdAuthorizationFailed
                | Code::SaslAuthenticationFailed
                | Code::Authentication
                | Code::SSL
                | Code::UnknownTopic
                | Code::UnknownPartition
                | Code::UnknownTopicOrPartition
                | Code::InvalidTopic
                | Code::PolicyViolation
                | Code::InvalidRequiredAcks
                | Code::UnsupportedVersion
                | Code::UnsupportedForMessageFormat,
            ) => {
                self.invalid.get_or_insert_with(|| error.to_string());
            }
            _ => self.passing_because(error.to_string()),
        }
    }

    /// Something else went wrong that may pass.
    pub(super) fn passing_because(&mut self, reason: String) {
        self.passing.get_or_insert(reason);
    }

    /// What it means for the batch. All of it is sent again, since what comes behind a record must not overtake it.
    pub(super) fn verdict(self, client: &Client) -> Result<(), Failure> {
        if let Some(reason) = self.invalid {
            return Err(Failure::Invalid(Invalid::new(client.explain(&reason))));
        }
        if let Some(reason) = self.passing {
            let reason = client.explain(&reason);
            return Err(match client.trouble() {
                Some((_, true)) => Failure::Invalid(Invalid::new(reason)),
                _ => Failure::passing(reason),
            });
        }
        // It is halved until the record stands alone.
        self.refused.map_or(Ok(()), |refusal| Err(Failure::Refused(refusal)))
    }
}
