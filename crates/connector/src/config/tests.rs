//! What the file may say, and what is said about what it may not.
use super::*;

const GOOD: &str = r#"{
    "readers": {"reader": {"type": "spool", "dir": "spool"}},
    "datasinks": {"out": {"type": "stdout"}},
    "pipelines": {"all": {"reader": "reader", "datasinks": ["out"]}}
}"#;

#[test]
fn the_defaults_are_filled_in() {
    let config = Config::parse(GOOD).unwrap();
    assert_eq!((config.period_s, config.stop_s), (60, 10));
    assert_eq!(config.dir, PathBuf::from("connector"));
}

#[test]
fn what_is_wrong_is_named() {
    for (from, to, says) in [
        ("\"dir\": \"spool\"", "\"dirr\": \"spool\"", "'reader': unknown field `dirr`"),
        ("\"type\": \"stdout\"", "\"type\": \"stdin\"", "'out': unknown variant `stdin`"),
        ("\"type\": \"stdout\"", "\"type\": \"stdout\", \"a\": 1", "'out': unknown field `a`"),
        (
            "\"type\": \"stdout\"",
            "\"type\": \"stdout\", \"delivery\": {\"linger\": 1}",
            "'out': unknown field `linger`",
        ),
        ("\"readers\"", "\"reader\"", "unknown field `reader`"),
        ("\"reader\": \"reader\"", "\"reader\": \"spool\"", "no reader 'spool' (there is 'reader')"),
        ("[\"out\"]", "[\"in\"]", "no datasink 'in' (there is 'out')"),
        ("[\"out\"]", "[]", "pipelines.all.datasinks is empty"),
        ("[\"out\"]", "[\"out\", \"out\"]", "'out' is named twice"),
        ("{\"all\"", "{\"a.b\"", "'a.b' cannot be a name"),
        ("\"pipelines\"", "\"period_s\": 0, \"pipelines\"", "period_s is 0: give 1 to 86400"),
        ("\"pipelines\"", "\"pipelines\" ", ""),
    ] {
        assert!(GOOD.contains(from), "{from}");
        let error = Config::parse(&GOOD.replacen(from, to, 1)).err().unwrap_or_default();
        assert!(error.contains(says) && error.is_empty() == says.is_empty(), "{to}: {error}");
    }
}

#[test]
fn the_schema_has_every_kind() {
    let schema = Config::schema().to_string();
    for kind in ["spool", "file", "http", "parquet", "stdout", "syslog"] {
        assert!(schema.contains(&format!("\"const\":\"{kind}\"")), "{kind}: {schema}");
    }
}

#[test]
fn the_example_of_the_manual_is_right() {
    let config = Config::parse(include_str!("../../../../docs/connector.example.json")).unwrap();
    assert_eq!(config.pipelines.len(), 1);
}
