//! What is done to an exchange before anything of it is written.
use crate::masking::Masking;
use harken_api::Descriptors;
use harken_http::Exchange;
use std::sync::Arc;

/// Makes exchanges ready to be written, one after the other. One for each thread.
#[derive(Clone, Debug, Default)]
pub struct Preparation {
    /// Messages of protocol buffers become JSON, as far as these describe them.
    pub descriptors: Option<Arc<Descriptors>>,
    /// Secrets are masked; `None` to mask nothing.
    pub masking: Option<Masking>,
}

impl Preparation {
    /// Makes an exchange ready. What was masked stays known until the next one.
    pub fn prepare(&mut self, exchange: &mut Exchange) {
        // Masking sees the names that the descriptors tell.
        if let Some(descriptors) = &self.descriptors {
            descriptors.decode(exchange);
        }
        if let Some(masking) = &mut self.masking {
            masking.mask(exchange);
        }
    }
}
