//! The datasink `parquet`, read back by DuckDB.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test stops by panicking")]
#![allow(clippy::needless_pass_by_value, reason = "a literal reads better without a reference")]
mod support;

use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::Command;
use support::python::venv;
use support::{Bench, skip};

/// A Python with DuckDB in a folder of the target folder; nothing, said loudly, where it cannot be had.
fn python() -> Option<PathBuf> {
    venv("duckdb", &["duckdb"]).map_err(|why| skip(&format!("no DuckDB: {why}"))).ok()
}

/// Rows of a query, as objects.
fn query(python: &Path, dir: &Path, sql: &str) -> Vec<Value> {
    let script = "import duckdb, json, sys\n\
        cursor = duckdb.connect().execute(sys.argv[1])\n\
        names = [column[0] for column in cursor.description]\n\
        print(json.dumps([dict(zip(names, row)) for row in cursor.fetchall()]))";
    let sql = sql.replace("EVENTS", &format!("'{}/*.parquet'", dir.display()));
    let output = Command::new(python).args(["-c", script, &sql]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<_> = std::fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn events_of_the_sensor_field_by_field() {
    let Some(python) = python() else { return };
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../captures/vxlan-api/events.json");
    let text = std::fs::read_to_string(&golden).unwrap();
    let mut events: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    events.sort_by_key(|event| event["event"]["id"].to_string());
    for compression in ["none", "snappy"] {
        let dir = tempfile::tempdir().unwrap();
        let out = dir.path().join("out");
        let datasink = json!({
            "lake": {
                "type": "parquet", "dir": out, "compression": compression,
                "delivery": {"batch_events": 3, "linger_ms": 50, "in_flight": 1},
            },
        });
        let bench = Bench::start_with(dir.path(), &golden, datasink.clone());
        let status = bench.finish();
        assert_eq!(status.datasinks[0].written as usize, events.len(), "{}", bench.lines.text());
        let files = names(&out);
        assert_eq!(files.len(), events.len().div_ceil(3), "{files:?}");
        assert!(files[0].starts_with("events-20261124T100000.000Z-"), "{files:?}");
        let columns = "epoch_ns(\"timestamp\") AS nanoseconds, CAST(event AS VARCHAR) AS text, * EXCLUDE (\"timestamp\", event)";
        let rows =
            query(&python, &out, &format!("SELECT {columns} FROM read_parquet(EVENTS) ORDER BY event_id"));
        assert_eq!(rows.len(), events.len());
        for (row, event) in rows.iter().zip(&events) {
            assert_eq!(serde_json::from_str::<Value>(row["text"].as_str().unwrap()).unwrap(), *event);
            let time = chrono::DateTime::parse_from_rfc3339(event["@timestamp"].as_str().unwrap()).unwrap();
            assert_eq!(row["nanoseconds"], time.timestamp_nanos_opt().unwrap());
            for (name, value) in row.as_object().unwrap() {
                let pointer = match name.as_str() {
                    "text" | "nanoseconds" => continue,
                    "network_community_id" => "/network/community_id".to_owned(),
                    "http_response_status_code" => "/http/response/status_code".to_owned(),
                    "http_response_mime_type" => "/http/response/mime_type".to_owned(),
                    "user_agent_original" => "/user_agent/original".to_owned(),
                    other => format!("/{}", other.replace('_', "/")),
                };
                assert_eq!(value, event.pointer(&pointer).unwrap_or(&Value::Null), "{name}");
            }
        }
        let slow = query(
            &python,
            &out,
            "SELECT url_path AS path, count(*) AS n FROM read_parquet(EVENTS) \
             WHERE http_response_status_code >= 400 GROUP BY 1 ORDER BY 1",
        );
        let failed =
            events.iter().filter(|event| event["http"]["response"]["status_code"].as_u64() >= Some(400));
        assert_eq!(slow.iter().map(|row| row["n"].as_u64().unwrap()).sum::<u64>(), failed.count() as u64);
        // The same events once more, as after a crash before the commit: the files replace themselves.
        let again = tempfile::tempdir().unwrap();
        Bench::start_with(again.path(), &golden, datasink).finish();
        assert_eq!(names(&out), files);
    }
}

#[test]
fn a_folder_that_cannot_be_made_is_told_and_nothing_is_lost() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("file"), "").unwrap();
    let datasink = json!({"lake": {
        "type": "parquet", "dir": dir.path().join("file/out"), "delivery": {"linger_ms": 5, "retry_first_ms": 5},
    }});
    let bench = Bench::start(dir.path(), 10, datasink);
    let status = bench.wait("failing", |status| status.datasinks[0].errors > 2);
    assert_eq!((status.datasinks[0].written, status.datasinks[0].valid), (0, false));
    assert!(bench.lines.text().contains("cannot write into"), "{}", bench.lines.text());
    std::fs::remove_file(dir.path().join("file")).unwrap();
    assert_eq!(bench.finish().datasinks[0].written, 10);
    let names = names(&dir.path().join("file/out"));
    assert!(names.iter().all(|name| name.ends_with(".parquet")) && !names.is_empty(), "{names:?}");
}
