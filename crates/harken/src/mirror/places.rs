//! Accounts and regions, and what there is in each.
use super::spec::Needs;
use crate::style::Palette;
use anyhow::{Result, ensure};
use harken_mirror::aws::{Client, Session, Settings};
use harken_mirror::spec::{self, Spec};
use harken_mirror::world::World;

/// An account in a region, as it is now.
pub struct Place {
    /// What the spec says of it.
    pub wanted: spec::Place,
    /// Talks to it.
    pub client: Client,
    /// What there is.
    pub world: World,
}

impl Place {
    /// All places of a spec, looked at one after the other.
    pub async fn all(spec: &Spec, needs: Needs) -> Result<Vec<Self>> {
        let mut places = Vec::new();
        for wanted in spec.places() {
            ensure!(
                needs == Needs::Nothing || !spec.sources_of(&wanted).is_empty(),
                "nothing is selected; mend: give --spec FILE, or conditions such as --tag app=shop"
            );
            let roles = wanted.assume_roles.iter().map(|role| (role.arn.clone(), role.external_id.clone()));
            let settings = Settings {
                region: wanted.region.clone(),
                profile: wanted.profile.clone(),
                roles: roles.collect(),
            };
            let client = Client::new(Session::open(&settings).await?)?;
            let world = Self::look(&client, spec, &wanted).await?;
            places.push(Self { wanted, client, world });
        }
        Ok(places)
    }

    /// Looks again.
    pub async fn refresh(&mut self, spec: &Spec) -> Result<()> {
        self.world = Self::look(&self.client, spec, &self.wanted).await?;
        Ok(())
    }

    /// Which it is, above what is told of it.
    pub fn heading(&self, palette: Palette) -> String {
        format!("{} {}\n", palette.bold(&self.world.account), palette.bold(&self.world.region))
    }

    async fn look(client: &Client, spec: &Spec, wanted: &spec::Place) -> Result<World> {
        Ok(World::read(client, spec.sources_of(wanted), spec.target_of(wanted)).await?)
    }
}
