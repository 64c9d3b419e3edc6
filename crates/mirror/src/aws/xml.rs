//! Answers in XML. The name of the root element is looked at first: with every member optional, an error would read as an
//! empty answer.
use quick_xml::Reader;
use quick_xml::events::Event;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};

/// What is wrong with an answer that ends before its time.
pub(super) const CUT: &str = "it is cut";

/// An answer of that action.
pub(super) fn answer<T: DeserializeOwned>(action: &str, body: &str) -> Result<T, String> {
    let root = root(body)?;
    if root.strip_suffix("Response") != Some(action) {
        return Err(format!("it begins with <{root}>, not with <{action}Response>"));
    }
    // Ends before its time, where the connection was cut: no end of the root element is there.
    if !body.trim_end().ends_with(&format!("</{root}>")) {
        return Err(CUT.to_owned());
    }
    quick_xml::de::from_str(body).map_err(|error| error.to_string())
}

/// The name of the root element.
fn root(body: &str) -> Result<String, String> {
    let mut reader = Reader::from_str(body);
    loop {
        match reader.read_event() {
            Ok(Event::Start(start)) => {
                return Ok(start.local_name().as_ref().to_owned());
            }
            Ok(Event::Empty(_)) => return Err("it is an empty element".to_owned()),
            Ok(Event::Eof) => return Err("it is no XML document".to_owned()),
            Ok(_) => {}
            Err(error) => return Err(error.to_string()),
        }
    }
}

/// A list: `<nameSet><item>...</item></nameSet>`.
pub(super) fn set<'de, D: Deserializer<'de>, T: Deserialize<'de>>(from: D) -> Result<Vec<T>, D::Error> {
    #[derive(Deserialize)]
    struct Items<T> {
        #[serde(default = "Vec::new")]
        item: Vec<T>,
    }
    Items::deserialize(from).map(|items| items.item)
}

/// A list of the query protocol: `<Name><member>...</member></Name>`.
pub(super) fn members<'de, D: Deserializer<'de>, T: Deserialize<'de>>(from: D) -> Result<Vec<T>, D::Error> {
    #[derive(Deserialize)]
    struct Members<T> {
        #[serde(default = "Vec::new")]
        member: Vec<T>,
    }
    Members::deserialize(from).map(|members| members.member)
}

/// An error as all services that speak XML word it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Refusal {
    pub code: String,
    pub message: String,
    pub request_id: Option<String>,
}

/// The error in a body, where it is one.
pub(super) fn refusal(body: &str) -> Option<Refusal> {
    #[derive(Deserialize)]
    struct Said {
        #[serde(rename = "Code")]
        code: String,
        #[serde(rename = "Message", default)]
        message: String,
    }
    #[derive(Deserialize)]
    struct Errors {
        #[serde(rename = "Error")]
        error: Vec<Said>,
    }
    #[derive(Deserialize)]
    struct Body {
        #[serde(rename = "Errors")]
        errors: Option<Errors>,
        #[serde(rename = "Error")]
        error: Option<Said>,
        #[serde(rename = "RequestID", alias = "RequestId")]
        request_id: Option<String>,
    }
    if !matches!(root(body).ok()?.as_str(), "Response" | "ErrorResponse") {
        return None;
    }
    let body: Body = quick_xml::de::from_str(body).ok()?;
    let said = body.error.or_else(|| body.errors.and_then(|errors| errors.error.into_iter().next()))?;
    Some(Refusal { code: said.code, message: said.message, request_id: body.request_id })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Default, PartialEq, Deserialize)]
    #[serde(default, rename_all = "camelCase")]
    struct Names {
        #[serde(deserialize_with = "set")]
        name_set: Vec<String>,
        next_token: Option<String>,
    }

    const ERROR: &str = "<?xml version=\"1.0\"?>\n<Response><Errors><Error><Code>A.B</Code><Message>c &lt; d</Message>\
                         </Error></Errors><RequestID>r-1</RequestID></Response>";

    #[test]
    fn an_error_never_reads_as_an_empty_answer() {
        let error = answer::<Names>("Do", ERROR).unwrap_err();
        assert_eq!(error, "it begins with <Response>, not with <DoResponse>");
        let refusal = refusal(ERROR).unwrap();
        assert_eq!((refusal.code.as_str(), refusal.message.as_str()), ("A.B", "c < d"));
        assert_eq!(refusal.request_id.as_deref(), Some("r-1"));
    }

    #[test]
    fn lists_and_their_absence() {
        let whole = "<DoResponse xmlns=\"x\"><requestId>1</requestId><nameSet><item>a</item><item>b</item></nameSet>\
                     <new>ignored</new></DoResponse>";
        assert_eq!(answer::<Names>("Do", whole).unwrap().name_set, ["a", "b"]);
        for empty in ["<DoResponse><nameSet/></DoResponse>", "<DoResponse></DoResponse>"] {
            assert_eq!(answer::<Names>("Do", empty).unwrap(), Names::default());
        }
    }

    /// At whatever byte an answer is cut, it is no answer.
    #[test]
    fn no_cut_answer_is_taken() {
        let whole = "<DoResponse><nameSet><item>a</item></nameSet><nextToken>t</nextToken></DoResponse>";
        for cut in 0..whole.len() {
            assert!(answer::<Names>("Do", &whole[..cut]).is_err(), "{}", &whole[..cut]);
        }
        for other in ["", "<html><body>busy</body></html>", "{}", "<DoResponse/>"] {
            assert!(answer::<Names>("Do", other).is_err(), "{other}");
        }
    }
}
