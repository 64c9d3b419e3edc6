//! All patterns and networks of one field, of all rules together: one pass finds every rule that they
//! concern.

use super::value::{Net, Pattern, glob, regex_builder};
use globset::{Candidate, GlobSet, GlobSetBuilder};
use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use prefix_trie::PrefixMap;
use regex::{RegexSet, RegexSetBuilder};
use std::net::IpAddr;

/// The most bytes of all regular expressions of one field.
const REGEX_LIMIT: usize = 16 << 20;

/// Patterns of one field.
#[derive(Debug, Default)]
pub(crate) struct Texts {
    globs: GlobSet,
    regexes: RegexSet,
    /// The clause of each glob, and of each regular expression.
    of_glob: Vec<usize>,
    of_regex: Vec<usize>,
}

/// How the text of a field is compared.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Comparison {
    /// `*` stays between slashes.
    pub(crate) segments: bool,
    /// The text comes in small letters.
    pub(crate) small: bool,
    /// Capital and small letters are the same.
    pub(crate) any_case: bool,
}

impl Texts {
    /// Compiles the patterns, each with the number of its clause.
    pub(crate) fn new<'p>(
        patterns: impl Iterator<Item = (usize, &'p Pattern)>,
        how: Comparison,
    ) -> Result<Self, String> {
        let mut globs = GlobSetBuilder::new();
        let mut regexes = Vec::new();
        let (mut of_glob, mut of_regex) = (Vec::new(), Vec::new());
        for (clause, pattern) in patterns {
            if let Some(regex) = pattern.regex() {
                // Also finds what is wrong by itself.
                regex_builder(regex, how.any_case || how.small).build().map_err(|error| error.to_string())?;
                regexes.push(regex);
                of_regex.push(clause);
            } else {
                let text = if how.small { pattern.0.to_ascii_lowercase() } else { pattern.0.clone() };
                globs.add(glob(&text, how.segments, how.any_case)?);
                of_glob.push(clause);
            }
        }
        let regexes = RegexSetBuilder::new(regexes)
            .case_insensitive(how.any_case || how.small)
            .size_limit(REGEX_LIMIT)
            .build()
            .map_err(|error| error.to_string())?;
        let globs = globs.build().map_err(|error| error.to_string())?;
        Ok(Self { globs, regexes, of_glob, of_regex })
    }

    /// Calls with each clause that a pattern of matches, maybe more than once; `found` is memory to work in.
    pub(crate) fn each(&self, text: &str, found: &mut Vec<usize>, mut call: impl FnMut(usize)) {
        if !self.of_glob.is_empty() {
            self.globs.matches_candidate_into(&Candidate::from_bytes(text), found);
            found.iter().filter_map(|number| self.of_glob.get(*number)).for_each(|clause| call(*clause));
        }
        if !self.of_regex.is_empty() {
            let numbers = self.regexes.matches(text);
            numbers.iter().filter_map(|number| self.of_regex.get(number)).for_each(|clause| call(*clause));
        }
    }

    /// Whether there is no pattern.
    pub(crate) fn is_empty(&self) -> bool {
        self.of_glob.is_empty() && self.of_regex.is_empty()
    }
}

/// Networks of one field.
#[derive(Debug, Default)]
pub(crate) struct Nets {
    v4: PrefixMap<Ipv4Net, Vec<usize>>,
    v6: PrefixMap<Ipv6Net, Vec<usize>>,
}

impl Nets {
    /// A table of networks, each with the number of its clause.
    pub(crate) fn new(nets: impl Iterator<Item = (usize, Net)>) -> Self {
        let mut table = Self::default();
        for (clause, net) in nets {
            match net.0 {
                IpNet::V4(net) => table.v4.entry(net).or_default().push(clause),
                IpNet::V6(net) => table.v6.entry(net).or_default().push(clause),
            }
        }
        table
    }

    /// Calls with each clause that has a network with the address in it, maybe more than once.
    pub(crate) fn each(&self, address: IpAddr, call: impl FnMut(usize)) {
        match IpNet::from(address) {
            IpNet::V4(host) => self.v4.cover_values(&host).flatten().copied().for_each(call),
            IpNet::V6(host) => self.v6.cover_values(&host).flatten().copied().for_each(call),
        }
    }
}
