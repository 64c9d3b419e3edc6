//! The closing ledger of `harken run`, read back from what it prints.

use anyhow::{Context, Result, bail};
use serde::Serialize;
use std::collections::BTreeMap;

/// One sum and its parts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Section {
    pub(super) total: u64,
    pub(super) parts: BTreeMap<String, u64>,
}

/// What became of the packets of one source.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Source {
    pub(super) name: String,
    /// Packets handed to Harken.
    pub(super) received: u64,
    /// Packets that were not: dropped for want of room, or refused under load.
    pub(super) dropped: u64,
    /// Packets that were cut.
    pub(super) cut: u64,
}

/// The whole of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Books {
    pub(super) sections: BTreeMap<String, Section>,
    pub(super) sources: Vec<Source>,
    /// Lines of logs that were dropped.
    pub(super) lines_dropped: u64,
}

/// A number as the ledger writes it, with commas.
fn number(text: &str) -> Option<u64> {
    text.replace(',', "").parse().ok()
}

impl Books {
    /// Reads the closing ledger out of all that was said. Fails where there is none, or where Harken itself
    /// says that it does not balance.
    pub(super) fn read(said: &str) -> Result<Self> {
        if let Some(line) = said.lines().find(|line| line.contains("does not balance")) {
            bail!("{line}");
        }
        let mut books = Self::default();
        let mut section = None;
        for line in said.lines().filter(|line| !line.starts_with("harken: ")) {
            if let Some((name, figures)) = line.split_once(": ") {
                if figures.contains(" packets received, ") {
                    books.sources.push(source(name, figures)?);
                } else if let Some((_, dropped)) = figures.split_once(" lines written, ") {
                    let dropped = dropped.split_whitespace().next().and_then(number);
                    books.lines_dropped += dropped.with_context(|| format!("no log's figures: {line}"))?;
                }
                continue;
            }
            let Some((name, Some(count))) =
                line.rsplit_once(' ').map(|(name, count)| (name.trim(), number(count)))
            else {
                section = None;
                continue;
            };
            if !line.starts_with(' ') {
                section = Some(name.to_owned());
                books.sections.entry(name.to_owned()).or_default().total = count;
            } else if let Some(section) = section.as_ref().and_then(|name| books.sections.get_mut(name)) {
                section.parts.insert(name.to_owned(), count);
            }
        }
        if !books.sections.contains_key("packets") {
            bail!("harken has printed no ledger; it said:\n{}", said.trim_end());
        }
        Ok(books)
    }

    /// The total of a section; 0 where there is none.
    pub(super) fn total(&self, section: &str) -> u64 {
        self.sections.get(section).map_or(0, |section| section.total)
    }

    /// What all sources have handed over.
    pub(super) fn received(&self) -> u64 {
        self.sources.iter().map(|source| source.received).sum()
    }

    /// What was dropped before Harken read it.
    pub(super) fn dropped(&self) -> u64 {
        self.sources.iter().map(|source| source.dropped).sum()
    }

    /// Segments that were read and passed over under load.
    pub(super) fn shed(&self) -> u64 {
        let parts = self.sections.values().flat_map(|section| &section.parts);
        parts.filter(|(name, _)| name.starts_with("shed.")).map(|(_, count)| count).sum()
    }
}

fn source(name: &str, figures: &str) -> Result<Source> {
    let mut source = Source { name: name.to_owned(), ..Source::default() };
    for figure in figures.split(", ") {
        let wrong = || format!("no source's figures: {name}: {figures}");
        let (count, what) = figure.split_once(' ').with_context(wrong)?;
        let count = number(count).with_context(wrong)?;
        match what {
            "packets received" => source.received = count,
            "cut short" => source.cut = count,
            // They were not for Harken.
            what if what.starts_with("left to this host") => {}
            // Dropped by the kernel, refused under load: in both cases nobody has read it.
            _ => source.dropped += count,
        }
    }
    Ok(source)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAID: &str = "\
harken: receiving from udp 127.0.0.1:4789 with 1 worker
harken: 12 packets were dropped by the kernel in the last 60 s: more workers or a larger ring help
packets                                                 1,215
  ignored.udp.not_a_tunnel                                 15
segments                                                1,200
  delivered                                             1,000
  shed.new_flows                                          200
beside the sums
  bodies shed under load                                    7
udp 127.0.0.1:4789: 1215 packets received, 12 dropped by the kernel, 3 refused under load, 1 cut short
eth1: 0 packets received, 0 dropped by the kernel, 0 refused under load, 0 cut short, 9 left to this host although a tunnel may be in them (fragments and their like): AF_PACKET reads those
stats.log: 1 lines written, 0 dropped
http.log: 190 lines written, 2 dropped
";

    #[test]
    fn a_ledger_is_read() {
        let books = Books::read(SAID).unwrap();
        let source = Source { name: "udp 127.0.0.1:4789".to_owned(), received: 1215, dropped: 15, cut: 1 };
        let eth1 = Source { name: "eth1".to_owned(), ..Source::default() };
        assert_eq!(books.sources, [source, eth1]);
        assert_eq!((books.received(), books.dropped(), books.shed()), (1215, 15, 200));
        assert_eq!((books.total("packets"), books.total("nothing"), books.lines_dropped), (1215, 0, 2));
        assert_eq!(books.sections.len(), 2, "what is beside the sums is no sum");
    }

    #[test]
    fn what_is_no_ledger_is_an_error() {
        for (said, says) in [
            ("harken: cannot open", "no ledger"),
            ("harken: the ledger does not balance, which is a defect", "does not balance"),
            ("eth0: many packets received, 0 cut short\n", "no source's figures"),
        ] {
            assert!(format!("{:#}", Books::read(said).err().unwrap()).contains(says), "{said}");
        }
    }
}
