//! Parquet files: a batch is a file, which bears its name only once it is whole.
use crate::config::Delivery;
use crate::datasink::{Batch, Datasink, Failure, Invalid, Limits};
use crate::datasinks::fields::{self, FIELDS};
use crate::files;
use async_trait::async_trait;
use chrono::DateTime;
use parquet::basic::Compression as Codec;
use parquet::column::writer::ColumnWriter;
use parquet::data_type::ByteArray;
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Settings.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The folder; it is made when it is missing. Files are named `events-TIME-KEY.parquet`, by the time of their first
    /// event and their content.
    pub dir: PathBuf,
    /// How columns are compressed.
    #[serde(default)]
    pub compression: Compression,
    /// How it is fed: a batch is a file, so that `batch_events`, `batch_bytes` and `linger_ms` decide when one is
    /// complete. All of them have other defaults here: 100000 events, 64 MiB, 60 seconds.
    #[serde(default = "delivery")]
    pub delivery: Delivery,
}

fn delivery() -> Delivery {
    Delivery {
        batch_events: 100_000,
        batch_bytes: 64 << 20,
        linger_ms: 60_000,
        buffer_events: 200_000,
        buffer_bytes: 128 << 20,
        ..Delivery::default()
    }
}

/// How columns are compressed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Compression {
    /// Not at all.
    None,
    /// Snappy.
    #[default]
    Snappy,
}

/// Columns that hold numbers; all others hold texts.
const NUMBERS: &[&str] = &[
    "event.duration",
    "client.port",
    "server.port",
    "http.request.body.bytes",
    "http.response.status_code",
    "http.response.body.bytes",
    "harken.depth",
    "harken.tunnel.vni",
];

/// The datasink.
#[derive(Debug, Clone)]
pub struct Parquet(Arc<Config>);

impl Parquet {
    /// Nothing is opened yet.
    ///
    /// # Errors
    ///
    /// A buffer that is smaller than a file.
    pub fn new(config: &Config) -> Result<Self, String> {
        let Delivery { batch_events, batch_bytes, buffer_events, buffer_bytes, .. } = config.delivery;
        if buffer_events < batch_events || buffer_bytes < batch_bytes {
            return Err("delivery: buffer_events and buffer_bytes: give no less than batch_events and \
                        batch_bytes, since a file is written as a whole"
                .to_owned());
        }
        Ok(Self(Arc::new(config.clone())))
    }

    async fn blocking(
        &self,
        work: impl FnOnce(&Config) -> io::Result<()> + Send + 'static,
    ) -> Result<(), String> {
        let config = Arc::clone(&self.0);
        let error = match tokio::task::spawn_blocking(move || work(&config)).await {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(error)) => error,
            Err(error) => io::Error::other(error),
        };
        Err(format!("cannot write into {}: {}", self.0.dir.display(), files::with_mend(&error)))
    }
}

#[async_trait]
impl Datasink for Parquet {
    fn kind(&self) -> &'static str {
        "parquet"
    }

    /// One file at a time.
    fn limits(&self) -> Limits {
        Limits { in_flight: 1, ..Limits::default() }
    }

    async fn check(&self) -> Result<(), Invalid> {
        let check = |config: &Config| {
            fs::create_dir_all(&config.dir)?;
            let probe = config.dir.join(".writable");
            File::create(&probe)?;
            fs::remove_file(probe)
        };
        self.blocking(check).await.map_err(Invalid::new)
    }

    async fn write(&self, batch: &Batch) -> Result<(), Failure> {
        let batch = batch.clone();
        self.blocking(move |config| write(config, &batch)).await.map_err(Failure::passing)
    }
}

/// Writes a file. The same batch has the same name, so that one that comes again replaces itself.
fn write(config: &Config, batch: &Batch) -> io::Result<()> {
    fs::create_dir_all(&config.dir)?;
    let events: Vec<Value> =
        batch.events().iter().map(|event| serde_json::from_slice(&event.json).unwrap_or_default()).collect();
    let first = events.first().and_then(fields::time).unwrap_or_default();
    let time = DateTime::from_timestamp_nanos(first).format("%Y%m%dT%H%M%S%.3fZ");
    let path = config.dir.join(format!("events-{time}-{}.parquet", batch.key()));
    let part = files::beside(&path, ".part");
    let written = columns(config, &part, batch, &events).and_then(|()| fs::rename(&part, &path));
    if let Err(error) = written {
        // What is left of it would only take room.
        let _ = fs::remove_file(&part);
        return Err(error);
    }
    files::sync_folder(&path)
}

/// The columns; dots are underlines in their names.
fn schema() -> String {
    let mut text = "message event { optional int64 timestamp (TIMESTAMP(NANOS,true));".to_owned();
    for name in FIELDS {
        let kind = if NUMBERS.contains(name) { "int64" } else { "binary" };
        let logical = if NUMBERS.contains(name) { "" } else { " (STRING)" };
        text.push_str(&format!(" optional {kind} {}{logical};", name.replace('.', "_")));
    }
    text + " required binary event (JSON); }"
}

fn columns(config: &Config, path: &Path, batch: &Batch, events: &[Value]) -> io::Result<()> {
    let codec = match config.compression {
        Compression::None => Codec::UNCOMPRESSED,
        Compression::Snappy => Codec::SNAPPY,
    };
    let properties = Arc::new(WriterProperties::builder().set_compression(codec).build());
    let schema = Arc::new(parse_message_type(&schema()).map_err(io::Error::other)?);
    let file = File::create(path)?;
    let mut writer = SerializedFileWriter::new(file.try_clone()?, schema, properties).map_err(cause)?;
    let mut rows = writer.next_row_group().map_err(cause)?;
    let mut place = 0_usize;
    while let Some(mut column) = rows.next_column().map_err(cause)? {
        let name = place.checked_sub(1).and_then(|place| FIELDS.get(place));
        let written = match (column.untyped(), name) {
            (ColumnWriter::Int64ColumnWriter(writer), name) => {
                let value = |event: &Value| match name {
                    Some(name) => fields::get(event, name)?.as_i64(),
                    None => fields::time(event),
                };
                let (values, levels) = optional(events.iter().map(value));
                writer.write_batch(&values, Some(&levels), None)
            }
            (ColumnWriter::ByteArrayColumnWriter(writer), Some(name)) => {
                let value = |event: &Value| Some(ByteArray::from(fields::get(event, name)?.as_str()?));
                let (values, levels) = optional(events.iter().map(value));
                writer.write_batch(&values, Some(&levels), None)
            }
            (ColumnWriter::ByteArrayColumnWriter(writer), None) => {
                let values: Vec<_> =
                    batch.events().iter().map(|event| ByteArray::from(event.json.to_vec())).collect();
                writer.write_batch(&values, None, None)
            }
            _ => return Err(io::Error::other("a column has another type than the schema")),
        };
        written.map_err(cause)?;
        column.close().map_err(cause)?;
        place += 1;
    }
    rows.close().map_err(cause)?;
    writer.close().map_err(cause)?;
    file.sync_all()
}

/// The values that are there, and for each row whether one is.
fn optional<T>(values: impl Iterator<Item = Option<T>>) -> (Vec<T>, Vec<i16>) {
    let mut there = Vec::new();
    let levels = values.map(|value| {
        let level = i16::from(value.is_some());
        there.extend(value);
        level
    });
    let levels = levels.collect();
    (there, levels)
}

/// The error of the system behind one of the library.
fn cause(error: ParquetError) -> io::Error {
    match error {
        ParquetError::External(inner) => match inner.downcast::<io::Error>() {
            Ok(error) => *error,
            Err(inner) => io::Error::other(inner),
        },
        other => io::Error::other(other),
    }
}
