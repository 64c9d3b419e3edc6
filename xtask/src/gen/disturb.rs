//! What happens to packets between a mirror and its collector: some are lost, some arrive twice, some late.
use super::{prng::Prng, tunnel::Outer};
use std::{collections::VecDeque, io};

/// With which probability a packet suffers.
#[derive(Clone, Copy, Debug, Default, clap::Args)]
#[group(skip)]
pub(crate) struct Disturbance {
    /// Lose packets with this probability
    #[arg(long = "drop", value_name = "P", default_value_t = 0.0)]
    pub(crate) lose: f64,
    /// Repeat packets with this probability
    #[arg(long, value_name = "P", default_value_t = 0.0)]
    pub(crate) duplicate: f64,
    /// Deliver packets late, behind one to eight that follow, with this probability
    #[arg(long, value_name = "P", default_value_t = 0.0)]
    pub(crate) reorder: f64,
}

/// How many packets suffered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Suffered {
    pub(crate) lost: u64,
    pub(crate) duplicated: u64,
    pub(crate) reordered: u64,
}

/// A frame on its way to the file.
pub(crate) struct Mirrored {
    pub(crate) ts: u64,
    pub(crate) outer: Outer,
    pub(crate) frame: Vec<u8>,
}

/// Stands between the source of packets and the file.
pub(crate) struct Disturber {
    chances: Disturbance,
    prng: Prng,
    seen: u64,
    /// Late packets, and how many must have been seen before they go on.
    held: VecDeque<(u64, Mirrored)>,
    pub(crate) suffered: Suffered,
}

impl Disturber {
    pub(crate) fn new(chances: Disturbance, seed: u64) -> Self {
        Self { chances, prng: Prng::new(seed), seen: 0, held: VecDeque::new(), suffered: Suffered::default() }
    }

    /// Takes a packet and gives `emit` what arrives now. A late packet has the time at which it arrives.
    pub(crate) fn pass(
        &mut self,
        packet: Mirrored,
        mut emit: impl FnMut(&Mirrored) -> io::Result<()>,
    ) -> io::Result<()> {
        self.seen += 1;
        let now = packet.ts;
        if self.prng.chance(self.chances.lose) {
            self.suffered.lost += 1;
        } else if self.prng.chance(self.chances.reorder) {
            self.suffered.reordered += 1;
            self.held.push_back((self.seen + 1 + self.prng.below(8), packet));
        } else {
            emit(&packet)?;
            if self.prng.chance(self.chances.duplicate) {
                self.suffered.duplicated += 1;
                emit(&packet)?;
            }
        }
        while self.held.front().is_some_and(|(due, _)| *due <= self.seen) {
            let Some((_, late)) = self.held.pop_front() else { break };
            emit(&Mirrored { ts: now, ..late })?;
        }
        Ok(())
    }

    /// Gives what is still held.
    pub(crate) fn finish(&mut self, mut emit: impl FnMut(&Mirrored) -> io::Result<()>) -> io::Result<()> {
        self.held.drain(..).try_for_each(|(_, late)| emit(&late))
    }
}
