//! What errors of records mean for their batch.
use crate::datasink::{Failure, Invalid, Refusal};
use crate::kafka::Client;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

/// The errors of a batch.
#[derive(Debug, Default)]
pub(super) struct Errors {
    /// Records that no broker will take.
    refused: Vec<(usize, Refusal)>,
    /// A request was too large.
    too_large: Option<Refusal>,
    /// The settings, or the rights, are wrong.
    invalid: Option<String>,
    /// It may pass.
    passing: Option<String>,
}

impl Errors {
    /// The record at that place in the batch was not taken.
    pub(super) fn note(&mut self, place: usize, error: &KafkaError) {
        let refusal = || Refusal { reason: error.to_string(), status: None };
        use RDKafkaErrorCode as Code;
        match error.rdkafka_error_code() {
            // The broker refuses a request as a whole, so the culprit is still to be found.
            Some(Code::MessageSizeTooLarge) => {
                self.too_large.get_or_insert_with(refusal);
            }
            Some(Code::InvalidMessage | Code::InvalidRecord | Code::InvalidTimestamp) => {
                self.refused.push((place, refusal()));
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

    /// What it means for the batch. All of it is sent again unless only single records are to blame, since what comes
    /// behind a record must not overtake it.
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
        if let Some(refusal) = self.too_large {
            return Err(Failure::TooLarge(refusal));
        }
        match self.refused.is_empty() {
            true => Ok(()),
            false => Err(Failure::Partial(self.refused)),
        }
    }
}
