//! What is wanted, from a file and from flags.
use crate::cli::{How, PlaceArgs, SourceArgs, SpecArgs, Which};
use anyhow::{Context as _, Result, anyhow, ensure};
use harken_mirror::spec::{Exclusion, Place, Role, Selection, Spec};
use std::collections::BTreeMap;

/// What a command needs of a spec.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Needs {
    /// That something is selected.
    Sources,
    /// Nothing.
    Nothing,
}

/// The spec that the flags mean.
pub fn read(args: &SpecArgs) -> Result<Spec> {
    let mut spec = file(&args.which)?;
    sources(&args.sources, &mut spec)?;
    how(&args.how, &mut spec);
    places(&args.place, &mut spec)?;
    checked(spec)
}

/// The spec of a command that does not ask how packets are mirrored, or which.
pub fn of(which: &Which, selected: Option<&SourceArgs>, place: &PlaceArgs) -> Result<Spec> {
    let mut spec = file(which)?;
    if let Some(selected) = selected {
        sources(selected, &mut spec)?;
    }
    places(place, &mut spec)?;
    checked(spec)
}

fn checked(spec: Spec) -> Result<Spec> {
    spec.check().map_err(|error| anyhow!(error))?;
    Ok(spec)
}

fn file(which: &Which) -> Result<Spec> {
    let mut spec = match &which.spec {
        None => Spec::default(),
        Some(path) => {
            let text =
                std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
            Spec::parse(&text).map_err(|error| anyhow!("{}: {error}", path.display()))?
        }
    };
    if let Some(name) = &which.name {
        spec.name.clone_from(name);
    }
    Ok(spec)
}

fn sources(args: &SourceArgs, spec: &mut Spec) -> Result<()> {
    let selection = selection(args)?;
    if !selection.is_empty() {
        spec.sources = vec![selection];
        spec.places.iter_mut().for_each(|place| place.sources = None);
        return Ok(());
    }
    // Exclusions alone make a selection of the file narrower.
    let exclusion = &selection.exclude;
    let of_places = spec.places.iter_mut().flat_map(|place| place.sources.iter_mut().flatten());
    for selection in spec.sources.iter_mut().chain(of_places) {
        let own = &mut selection.exclude;
        own.tags.extend(exclusion.tags.clone());
        own.instances.extend(exclusion.instances.clone());
        own.interfaces.extend(exclusion.interfaces.clone());
        selection.all_interfaces |= args.all_interfaces;
    }
    Ok(())
}

fn how(args: &How, spec: &mut Spec) {
    if let Some(target) = &args.target {
        spec.target = Some(target.clone());
        spec.places.iter_mut().for_each(|place| place.target = None);
    }
    if !args.ports.is_empty() {
        spec.ports.clone_from(&args.ports);
    }
    if let Some(way) = args.directions {
        spec.directions = way.into();
    }
    if !args.ip.is_empty() {
        spec.ip = args.ip.iter().copied().map(Into::into).collect();
    }
    spec.packet_length = args.packet_length.or(spec.packet_length);
    spec.session_number = args.session_number.unwrap_or(spec.session_number);
    spec.source_mtu = args.source_mtu.unwrap_or(spec.source_mtu);
    spec.target_mtu = args.target_mtu.or(spec.target_mtu);
}

/// Account and region by flags: they stand for all that the file says of places.
fn places(args: &PlaceArgs, spec: &mut Spec) -> Result<()> {
    if args.region.is_empty() && args.profile.is_none() && args.assume_role.is_empty() {
        return Ok(());
    }
    ensure!(
        spec.places.is_empty(),
        "the spec has places of its own, so --region, --profile and --assume-role cannot be given as well"
    );
    let last = args.assume_role.len().saturating_sub(1);
    let roles = args.assume_role.iter().enumerate().map(|(at, arn)| Role {
        arn: arn.clone(),
        external_id: args.external_id.clone().filter(|_| at == last),
    });
    let place = Place { profile: args.profile.clone(), assume_roles: roles.collect(), ..Place::default() };
    spec.places = match args.region.as_slice() {
        [] => vec![place],
        regions => {
            regions.iter().map(|region| Place { region: Some(region.clone()), ..place.clone() }).collect()
        }
    };
    Ok(())
}

fn selection(args: &SourceArgs) -> Result<Selection> {
    Ok(Selection {
        tags: tags(&args.tag, "--tag")?,
        vpcs: args.vpc.clone(),
        subnets: args.subnet.clone(),
        instances: args.instance.clone(),
        interfaces: args.interface.clone(),
        security_groups: args.security_group.clone(),
        load_balancers: args.load_balancer.clone(),
        ecs_services: args.ecs_service.clone(),
        all_interfaces: args.all_interfaces,
        exclude: Exclusion {
            tags: tags(&args.exclude_tag, "--exclude-tag")?,
            instances: args.exclude_instance.clone(),
            interfaces: args.exclude_interface.clone(),
            ..Exclusion::default()
        },
    })
}

fn tags(given: &[String], flag: &str) -> Result<BTreeMap<String, Vec<String>>> {
    let mut tags: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for text in given {
        let (key, value) =
            text.split_once('=').with_context(|| format!("{flag}: `{text}` is not KEY=VALUE"))?;
        tags.entry(key.to_owned()).or_default().push(value.to_owned());
    }
    Ok(tags)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_go_before_the_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("mirror.json");
        std::fs::write(&path, r#"{"name": "shop", "sources": [{"vpcs": ["vpc-1"]}], "ports": [80]}"#)
            .unwrap();
        let which = || Which { spec: Some(path.clone()), name: None };
        assert_eq!(of(&which(), None, &PlaceArgs::default()).unwrap().name, "shop");
        let args = SpecArgs {
            which: which(),
            sources: SourceArgs { exclude_instance: vec!["i-1".to_owned()], ..SourceArgs::default() },
            how: How { ports: vec!["8080".parse().unwrap()], ..How::default() },
            place: PlaceArgs {
                region: vec!["eu-west-1".to_owned(), "eu-west-2".to_owned()],
                assume_role: vec!["a".to_owned(), "b".to_owned()],
                external_id: Some("x".to_owned()),
                ..PlaceArgs::default()
            },
        };
        let spec = read(&args).unwrap();
        assert_eq!(spec.ports, ["8080".parse().unwrap()]);
        assert_eq!((spec.sources[0].vpcs.len(), spec.sources[0].exclude.instances.len()), (1, 1));
        assert_eq!((spec.places.len(), spec.places[1].region.as_deref()), (2, Some("eu-west-2")));
        let ids: Vec<_> =
            spec.places[0].assume_roles.iter().map(|role| role.external_id.as_deref()).collect();
        assert_eq!(ids, [None, Some("x")]);

        std::fs::write(&path, r#"{"ports": [0]}"#).unwrap();
        let error = read(&args).unwrap_err().to_string();
        assert!(error.contains("mirror.json: ") && error.contains("line 1"), "{error}");
        let sources = SourceArgs { tag: vec!["app".to_owned()], ..SourceArgs::default() };
        let wrong = SpecArgs { sources, ..SpecArgs::default() };
        assert_eq!(read(&wrong).unwrap_err().to_string(), "--tag: `app` is not KEY=VALUE");
    }
}
