//! A plan in a file: what was wanted, and which calls that came to.
use anyhow::{Context as _, Result, ensure};
use harken_mirror::plan::{Choices, Plan};
use harken_mirror::spec::Spec;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::path::Path;

/// Which form the file has.
const FORM: u32 = 1;

/// A plan in a file.
#[derive(Serialize, Deserialize)]
pub struct Saved {
    form: u32,
    spec: Spec,
    open_security_group: bool,
    /// By place: account, region and calls.
    plans: Vec<Calls>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Calls {
    account: String,
    region: String,
    calls: Value,
}

impl Saved {
    /// A plan that is to be written.
    pub fn new(spec: &Spec, choices: Choices, plans: &[Plan]) -> Result<Self> {
        let open_security_group = choices.open_security_group;
        Ok(Self { form: FORM, spec: spec.clone(), open_security_group, plans: calls(plans)? })
    }

    /// Writes it.
    pub fn write(&self, path: &Path) -> Result<()> {
        super::write(path, &serde_json::to_string_pretty(self)?)
    }

    /// Reads one.
    pub fn read(path: &Path) -> Result<Self> {
        let text =
            std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        let saved: Self = serde_json::from_str(&text).with_context(|| {
            format!("{} is no plan that `harken mirror plan --out` has written", path.display())
        })?;
        ensure!(
            saved.form == FORM,
            "{} was written by another version of harken: make the plan anew",
            path.display()
        );
        Ok(saved)
    }

    /// What was wanted.
    pub const fn spec(&self) -> &Spec {
        &self.spec
    }

    /// What was chosen.
    pub const fn choices(&self) -> Choices {
        Choices { open_security_group: self.open_security_group }
    }

    /// Refuses when the same wish comes to other calls now.
    pub fn check(&self, plans: &[Plan]) -> Result<()> {
        let now = calls(plans)?;
        if now == self.plans {
            return Ok(());
        }
        let count = |plans: &[Calls]| -> usize {
            plans.iter().filter_map(|plan| plan.calls.as_array()).map(Vec::len).sum()
        };
        let new = now.iter().flat_map(|plan| plan.calls.as_array().into_iter().flatten());
        let old: Vec<_> =
            self.plans.iter().flat_map(|plan| plan.calls.as_array().into_iter().flatten()).collect();
        let differs =
            new.into_iter().find(|call| !old.contains(call)).map(|call| format!(", such as {call}"));
        anyhow::bail!(
            "the world has moved since the plan was made: it had {} calls, now there would be {}{}; mend: make the plan anew",
            count(&self.plans),
            count(&now),
            differs.unwrap_or_default()
        )
    }
}

fn calls(plans: &[Plan]) -> Result<Vec<Calls>> {
    let calls = |plan: &Plan| {
        Ok(Calls {
            account: plan.account.clone(),
            region: plan.region.clone(),
            calls: serde_json::to_value(&plan.calls)?,
        })
    };
    plans.iter().map(calls).collect()
}
