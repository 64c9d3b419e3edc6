//! Token endpoints of OAuth 2.0 (RFC 6749) and OpenID Connect.
use crate::json::{Docs, has};
use crate::{Call, answers, media_type};

/// A request for a token.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OAuth {
    /// `grant_type`, as sent.
    pub grant_type: String,
    /// `client_id`, where the body has it.
    pub client_id: Option<String>,
    /// The error that was the answer, RFC 6749 section 5.2.
    pub error: Option<String>,
    /// The request's body goes on beyond what was kept of it.
    pub is_cut: bool,
}

impl OAuth {
    /// Of a form.
    pub(crate) fn of_form(call: &Call<'_>) -> Option<Self> {
        let request = call.request?;
        let kept = request.body.kept.as_slice();
        if !has(kept, b"grant_type=")
            || !media_type(request).eq_ignore_ascii_case(b"application/x-www-form-urlencoded")
        {
            return None;
        }
        let (mut grant, mut client) = (None, None);
        for (name, value) in form_urlencoded::parse(kept) {
            match &*name {
                "grant_type" => grant = Some(value.into_owned()),
                "client_id" => client = Some(value.into_owned()),
                _ => {}
            }
        }
        Self::new(call, grant, client, request.body.is_cut())
    }

    /// Of a document in JSON, which some servers take as well.
    pub(crate) fn of_json(call: &Call<'_>, docs: &Docs) -> Option<Self> {
        let doc = docs.docs.first()?;
        Self::new(call, doc.grant.clone(), doc.client.clone(), !docs.is_whole)
    }

    fn new(call: &Call<'_>, grant: Option<String>, client_id: Option<String>, is_cut: bool) -> Option<Self> {
        let answers = answers(call.response, &[b"\"error\""]);
        let error = answers.into_iter().find_map(|doc| doc.error);
        Some(Self { grant_type: grant?, client_id, error, is_cut })
    }

    /// The grant without the name space of those that extensions define.
    pub(crate) fn operation(&self) -> String {
        let grant = self.grant_type.rsplit(':').next().unwrap_or_default();
        format!("token {grant}")
    }
}
