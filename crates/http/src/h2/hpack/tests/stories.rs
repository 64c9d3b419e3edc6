//! Stories of encoders other than ours, as they are published at <https://github.com/http2jp/hpack-test-case>: each is what
//! one connection sends, with the fields that its encoder was given. The folder of a clone is in `HARKEN_HPACK_STORIES`.
#![allow(clippy::disallowed_methods, reason = "the stories are files")]
use super::*;
use serde_json::Value;
use std::path::{Path, PathBuf};

/// A block, the size of the table that was agreed on before it, and its fields.
struct Block {
    wire: Vec<u8>,
    size: Option<usize>,
    fields: Vec<(String, String)>,
}

fn folders() -> Vec<PathBuf> {
    let Some(root) = std::env::var_os("HARKEN_HPACK_STORIES") else {
        eprintln!("SKIPPED: HARKEN_HPACK_STORIES does not name a clone of http2jp/hpack-test-case");
        return Vec::new();
    };
    // `raw-data` is what the encoders were given, `util` are programs.
    let is_encoder = |path: &PathBuf| path.join("story_00.json").exists() && !path.ends_with("raw-data");
    let entries = std::fs::read_dir(&root).unwrap_or_else(|error| panic!("{}: {error}", root.display()));
    let mut folders: Vec<_> = entries.map(|entry| entry.unwrap().path()).filter(is_encoder).collect();
    folders.sort();
    assert!(!folders.is_empty(), "no stories in {}", root.display());
    folders
}

fn story(file: &Path) -> Vec<Block> {
    let story: Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let block = |case: &Value| Block {
        wire: bytes(case["wire"].as_str().unwrap()),
        size: case["header_table_size"].as_u64().map(|size| size as usize),
        fields: case["headers"]
            .as_array()
            .unwrap()
            .iter()
            .flat_map(|field| field.as_object().unwrap())
            .map(|(name, value)| (name.clone(), text(value)))
            .collect(),
    };
    story["cases"].as_array().unwrap().iter().map(block).collect()
}

fn stories(folder: &Path) -> Vec<Vec<Block>> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> =
        entries.filter(|path| path.extension().is_some_and(|extension| extension == "json")).collect();
    files.sort();
    files.iter().map(|file| story(file)).collect()
}

/// Decodes a block and compares what is known with what was encoded: nothing may be wrong. The texts that are known, and
/// all of them.
fn compare(decoder: &mut Decoder, block: &Block) -> [usize; 2] {
    let mut known = [0, 0];
    let mut expected = block.fields.iter();
    let outcome = decoder.decode(&block.wire, |field| {
        let (name, value) = expected.next().expect("no more fields than were encoded");
        for (text, truth) in [(field.name, name), (field.value, value)] {
            known[0] += usize::from(text.is_some());
            known[1] += 1;
            assert!(text.is_none_or(|text| text == truth.as_bytes()), "{text:?} is not {truth:?}");
        }
    });
    assert_eq!((outcome, expected.next()), (Ok(()), None));
    known
}

#[test]
fn every_encoder_is_understood() {
    for folder in folders() {
        let (mut blocks, mut fields) = (0, 0);
        for story in stories(&folder) {
            let mut decoder = Decoder::new(false);
            for block in &story {
                if let Some(size) = block.size {
                    decoder.table.resize(size);
                }
                let [known, all] = compare(&mut decoder, block);
                assert_eq!(known, all);
                fields += all / 2;
            }
            blocks += story.len();
        }
        println!("{}: {blocks} blocks, {fields} fields", folder.file_name().unwrap().display());
    }
}

/// Joined at any block, and with any block lost: what is said is true, whatever is missing.
#[test]
fn nothing_is_guessed_after_a_loss() {
    for folder in folders() {
        let mut joined = vec![[0, 0]; 20];
        for story in stories(&folder) {
            for first in 1..story.len() {
                // Joined behind the first blocks, and without the one before.
                let mut late = Decoder::new(true);
                let mut lossy = Decoder::new(false);
                for block in &story[..first - 1] {
                    lossy.decode(&block.wire, |_| ()).unwrap();
                }
                lossy.lose();
                for (block, sum) in story[first..].iter().zip(&mut joined) {
                    let known = compare(&mut late, block);
                    assert_eq!(compare(&mut lossy, block), known);
                    (sum[0], sum[1]) = (sum[0] + known[0], sum[1] + known[1]);
                }
            }
        }
        let share = |at: usize| 100.0 * joined[at][0] as f64 / joined[at][1].max(1) as f64;
        println!(
            "{}: known in the first block {:.1} %, the second {:.1} %, the fifth {:.1} %, the twentieth {:.1} %",
            folder.file_name().unwrap().display(),
            share(0),
            share(1),
            share(4),
            share(19)
        );
    }
}
