//! The conditions of all rules, compiled together.

use super::model::Conditions;
use super::tables::{Comparison, Nets, Texts};
use super::value::{Pattern, Span};
use crate::asset::{self, Asset};
use crate::view::View;
use std::net::IpAddr;

/// Lists of a clause, as bits of a set.
const HOST: u8 = 1;
const PATH: u8 = 2;
const AGENT: u8 = 4;
const TYPE: u8 = 8;
const CLIENT: u8 = 16;
const SERVER: u8 = 32;

/// One set of conditions: a `where` or an `unless`.
#[derive(Debug)]
struct Clause {
    /// The lists, of those in tables, that are given.
    needs: u8,
    methods: Vec<String>,
    status: Vec<Span>,
    vni: Vec<Span>,
    assets: u8,
}

/// All clauses.
#[derive(Debug, Default)]
pub(crate) struct Matcher {
    clauses: Vec<Clause>,
    hosts: Texts,
    paths: Texts,
    agents: Texts,
    types: Texts,
    clients: Nets,
    servers: Nets,
    /// Whether some clause asks for the class of asset.
    any_asset: bool,
}

/// What the tables found for one event; the memory is kept for the next one.
#[derive(Debug, Default)]
pub(crate) struct Marks {
    met: Vec<u8>,
    found: Vec<usize>,
    assets: u8,
}

fn patterns<'c>(
    clauses: &'c [&Conditions],
    list: fn(&Conditions) -> &Vec<Pattern>,
) -> impl Iterator<Item = (usize, &'c Pattern)> {
    clauses
        .iter()
        .enumerate()
        .flat_map(move |(number, on)| list(on).iter().map(move |pattern| (number, pattern)))
}

impl Matcher {
    /// Compiles clauses; their place in the list is their number.
    pub(crate) fn new(clauses: &[&Conditions]) -> Result<Self, String> {
        let small = Comparison { segments: false, small: true, any_case: false };
        let any_case = Comparison { segments: false, small: false, any_case: true };
        let exact = Comparison { segments: true, small: false, any_case: false };
        let nets = |list: fn(&Conditions) -> &Vec<super::value::Net>| {
            let each = clauses.iter().enumerate();
            Nets::new(each.flat_map(move |(number, on)| list(on).iter().map(move |net| (number, *net))))
        };
        Ok(Self {
            hosts: Texts::new(patterns(clauses, |on| &on.host), small)?,
            paths: Texts::new(patterns(clauses, |on| &on.path), exact)?,
            agents: Texts::new(patterns(clauses, |on| &on.user_agent), any_case)?,
            types: Texts::new(patterns(clauses, |on| &on.content_type), any_case)?,
            clients: nets(|on| &on.client),
            servers: nets(|on| &on.server),
            any_asset: clauses.iter().any(|on| !on.asset.is_empty()),
            clauses: clauses.iter().map(|on| Clause::new(on)).collect(),
        })
    }

    /// Looks the event up in every table.
    pub(crate) fn mark(&self, view: &View<'_>, marks: &mut Marks) {
        let Marks { met, found, assets } = marks;
        met.clear();
        met.resize(self.clauses.len(), 0);
        let mut note = |clause: usize, list: u8| {
            if let Some(met) = met.get_mut(clause) {
                *met |= list;
            }
        };
        if let Some(host) = &view.host {
            self.hosts.each(host, found, |clause| note(clause, HOST));
        }
        if let Some(path) = &view.path {
            self.paths.each(&path.0, found, |clause| note(clause, PATH));
        }
        if let Some(agent) = &view.user_agent {
            self.agents.each(&agent.0, found, |clause| note(clause, AGENT));
        }
        if !self.types.is_empty() {
            for kind in view.content_types.iter().flatten() {
                self.types.each(&kind.0, found, |clause| note(clause, TYPE));
            }
        }
        let mut address = |address: Option<IpAddr>, nets: &Nets, list: u8| {
            if let Some(address) = address {
                nets.each(address, |clause| note(clause, list));
            }
        };
        address(view.client, &self.clients, CLIENT);
        address(view.server, &self.servers, SERVER);
        *assets = if self.any_asset { asset::classes(view) } else { 0 };
    }

    /// Whether all that a clause lists holds for the event that was looked up last.
    pub(crate) fn holds(&self, clause: usize, view: &View<'_>, marks: &Marks) -> bool {
        let (Some(on), Some(met)) = (self.clauses.get(clause), marks.met.get(clause)) else { return false };
        let number = |spans: &[Span], number: Option<u32>| {
            spans.is_empty() || number.is_some_and(|number| spans.iter().any(|span| span.has(number)))
        };
        let method = || {
            on.methods.is_empty()
                || view
                    .method
                    .as_ref()
                    .is_some_and(|is| on.methods.iter().any(|m| m.eq_ignore_ascii_case(&is.0)))
        };
        on.needs & met == on.needs
            && number(&on.status, view.status.map(u32::from))
            && number(&on.vni, view.vni)
            && (on.assets == 0 || on.assets & marks.assets != 0)
            && method()
    }
}

impl Clause {
    fn new(on: &Conditions) -> Self {
        let bit = |empty: bool, list: u8| if empty { 0 } else { list };
        Self {
            needs: bit(on.host.is_empty(), HOST)
                | bit(on.path.is_empty(), PATH)
                | bit(on.user_agent.is_empty(), AGENT)
                | bit(on.content_type.is_empty(), TYPE)
                | bit(on.client.is_empty(), CLIENT)
                | bit(on.server.is_empty(), SERVER),
            methods: on.method.clone(),
            status: on.status.clone(),
            vni: on.vni.clone(),
            assets: on.asset.iter().fold(0, |set, asset: &Asset| set | asset.bit()),
        }
    }
}
