//! Requests as forms: the `ec2Query` and `awsQuery` protocols.
use super::Protocol;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

/// What signatures leave as it is: letters, digits, `-`, `_`, `.` and `~`. A space is `%20`, never `+`.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// The parameters of a request, in the order of its members: `Action`, `Version`, then one pair for each value.
pub fn form(protocol: Protocol, action: &str, arguments: &Value) -> Vec<(String, String)> {
    let (Protocol::Ec2(version) | Protocol::Query(version) | Protocol::Json(version)) = protocol;
    let mut out = vec![("Action".to_owned(), action.to_owned()), ("Version".to_owned(), version.to_owned())];
    if let Value::Object(members) = arguments {
        for (name, value) in members {
            put(&mut out, protocol, "", name, value);
        }
    }
    out
}

fn put(out: &mut Vec<(String, String)>, protocol: Protocol, prefix: &str, name: &str, value: &Value) {
    match value {
        Value::Null => {}
        Value::Object(members) => {
            let prefix = format!("{prefix}{name}.");
            for (name, value) in members {
                put(out, protocol, &prefix, name, value);
            }
        }
        Value::Array(list) => {
            let prefix = match protocol {
                Protocol::Ec2(_) => format!("{prefix}{}.", singular(name)),
                Protocol::Query(_) | Protocol::Json(_) => format!("{prefix}{name}.member."),
            };
            for (index, value) in list.iter().enumerate() {
                put(out, protocol, &prefix, &(index + 1).to_string(), value);
            }
        }
        Value::String(text) => out.push((format!("{prefix}{name}"), text.clone())),
        other => out.push((format!("{prefix}{name}"), other.to_string())),
    }
}

/// What EC2 calls a list on the wire. Its model has the plural, the wire mostly the singular.
fn singular(name: &str) -> &str {
    match name {
        "Resources" => "ResourceId",
        "UserIdGroupPairs" => "Groups",
        "IpPermissions" | "IpRanges" | "Ipv6Ranges" => name,
        _ => name.strip_suffix('s').unwrap_or(name),
    }
}

/// The body of a form.
pub(super) fn encode(pairs: &[(String, String)]) -> String {
    let mut out = String::new();
    for (name, value) in pairs {
        if !out.is_empty() {
            out.push('&');
        }
        out.extend(utf8_percent_encode(name, RESERVED));
        out.push('=');
        out.extend(utf8_percent_encode(value, RESERVED));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn lists_of_both_protocols() {
        let arguments =
            json!({"Filters": [{"Name": "a b", "Values": ["x", "y+z"]}], "DryRun": true, "MaxResults": 5});
        let pairs = form(Protocol::Ec2("1"), "Do", &arguments);
        assert_eq!(
            encode(&pairs),
            "Action=Do&Version=1&DryRun=true&Filter.1.Name=a%20b&Filter.1.Value.1=x&Filter.1.Value.2=y%2Bz&MaxResults=5"
        );
        let pairs = form(Protocol::Query("2"), "Do", &json!({"Names": ["ü~"]}));
        assert_eq!(encode(&pairs), "Action=Do&Version=2&Names.member.1=%C3%BC~");
    }
}
