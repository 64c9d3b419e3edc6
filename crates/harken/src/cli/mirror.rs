//! The flags of `harken mirror`.
use super::run::duration;
use clap::{Args, Subcommand, ValueEnum, ValueHint};
use harken_mirror::spec::{Destination, Directions, Family, Ports};
use std::path::PathBuf;
use std::time::Duration;

/// `harken mirror`.
#[derive(Subcommand, Debug)]
pub enum Mirror {
    /// Show instances and interfaces, with the sessions that mirror them.
    #[command(after_long_help = "Examples:\n  \
        harken mirror discover --tag app=shop\n  \
        harken mirror discover --load-balancer shop-alb --json | jq -r '.[].interfaces[].id'\n  \
        harken mirror discover --ecs-service prod/cart --region eu-central-1 --profile audit")]
    Discover {
        /// As JSON.
        #[arg(long)]
        json: bool,
        /// Which spec.
        #[command(flatten)]
        which: Which,
        /// What is selected; without any condition, everything.
        #[command(flatten)]
        sources: SourceArgs,
        /// In which account and region.
        #[command(flatten)]
        place: PlaceArgs,
    },
    /// Show what `apply` would do, and what may keep packets from arriving. Nothing is changed.
    #[command(
        after_long_help = "Exit codes: 0 planned, 1 failed; with --detailed-exitcode 0 nothing to do, 2 something to \
        do, 1 failed.\n\nExamples:\n  \
        harken mirror plan --tag app=shop --target i-0123456789abcdef0 --ports 80,8080\n  \
        harken mirror plan --spec mirror.json --out shop.plan\n  \
        harken mirror plan --spec mirror.json --detailed-exitcode --json"
    )]
    Plan {
        /// Also open the security group of the target for mirrored packets, where it is not.
        #[arg(long)]
        open_security_group: bool,
        /// Also write the plan to this file, for `apply`.
        #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
        out: Option<PathBuf>,
        /// Exit with 2 when there is something to do.
        #[arg(long)]
        detailed_exitcode: bool,
        /// Also ask AWS of each call that can be asked about now whether it would be allowed (`DryRun`).
        #[arg(long)]
        dry_run: bool,
        /// As JSON.
        #[arg(long)]
        json: bool,
        /// What is wanted.
        #[command(flatten)]
        spec: SpecArgs,
    },
    /// Do what the plan says. To repeat it changes nothing.
    #[command(
        after_long_help = "Exit codes: 0 all is done, 1 something failed (the rest is done, and a repeat goes on).\n\n\
        Examples:\n  \
        harken mirror apply --tag app=shop --target i-0123456789abcdef0 --ports 80,8080\n  \
        harken mirror apply shop.plan\n  \
        harken mirror apply --spec mirror.json --yes --watch --names /etc/harken/vni-names.json"
    )]
    Apply(Box<Apply>),
    /// Check whether mirrored packets arrive: each session at AWS, and what the sensor has received of it.
    #[command(
        after_long_help = "Exit codes: 0 every session is well, 1 one is not, or the check failed.\n\nExamples:\n  \
        harken mirror verify --spec mirror.json --control logs/control.sock\n  \
        harken mirror verify --spec mirror.json --probe http://10.0.1.5:8080/ --wait 30s"
    )]
    Verify(Box<Verify>),
    /// Show what is there: sessions, what differs from the spec, and what bills without use.
    #[command(after_long_help = "Examples:\n  \
        harken mirror status --spec mirror.json\n  \
        harken mirror status --name shop --json")]
    Status {
        /// As JSON.
        #[arg(long)]
        json: bool,
        /// What is wanted.
        #[command(flatten)]
        spec: SpecArgs,
    },
    /// Delete what was made, and nothing else.
    #[command(
        after_long_help = "Deleted is what carries the tags managed-by=harken and harken:stack=NAME. It stops before \
        anything is deleted when a session of others uses our target or filter.\n\nExamples:\n  \
        harken mirror destroy --spec mirror.json\n  \
        harken mirror destroy --name shop --region eu-central-1 --yes"
    )]
    Destroy {
        /// Do not ask.
        #[arg(long, short)]
        yes: bool,
        /// As JSON.
        #[arg(long)]
        json: bool,
        /// Which spec.
        #[command(flatten)]
        which: Which,
        /// In which account and region.
        #[command(flatten)]
        place: PlaceArgs,
    },
    /// Print the same set-up for other tools, for those who do not hand out keys.
    #[command(group = clap::ArgGroup::new("form").required(true))]
    #[command(after_long_help = "Examples:\n  \
        harken mirror export --spec mirror.json --terraform > mirror.tf\n  \
        harken mirror export --spec mirror.json --cloudformation > mirror.template.json\n  \
        harken mirror export --spec mirror.json --aws-cli > mirror.sh")]
    Export {
        /// Also open the security group of the target for mirrored packets, where it is not.
        #[arg(long)]
        open_security_group: bool,
        /// As Terraform configuration.
        #[arg(long, group = "form")]
        terraform: bool,
        /// As a CloudFormation template.
        #[arg(long, group = "form")]
        cloudformation: bool,
        /// As a shell script that calls `aws`.
        #[arg(long, group = "form")]
        aws_cli: bool,
        /// What is wanted.
        #[command(flatten)]
        spec: SpecArgs,
    },
    /// Print the least that has to be allowed, as a policy of IAM.
    #[command(after_long_help = "Examples:\n  \
        harken mirror policy > harken-mirror.json\n  \
        harken mirror policy --for plan,verify --name shop")]
    Policy {
        /// For which commands.
        #[arg(long = "for", value_enum, value_name = "COMMANDS", value_delimiter = ',',
            default_values = ["plan", "apply", "verify", "destroy"])]
        rights: Vec<Right>,
        /// Name of the spec.
        #[arg(long, value_name = "NAME", default_value = "harken")]
        name: String,
        /// Partition of AWS: aws, aws-cn or aws-us-gov.
        #[arg(long, value_name = "NAME", default_value = "aws")]
        partition: String,
    },
    /// Write which interface and instance each VNI stands for, for `--vni-names` of `run` and `replay`.
    #[command(after_long_help = "Examples:\n  \
        harken mirror names --spec mirror.json --out vni-names.json\n  \
        harken mirror names --all --region eu-central-1")]
    Names {
        /// All sessions, also those of others.
        #[arg(long)]
        all: bool,
        /// Into this file, instead of to standard output.
        #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
        out: Option<PathBuf>,
        /// Which spec.
        #[command(flatten)]
        which: Which,
        /// In which account and region.
        #[command(flatten)]
        place: PlaceArgs,
    },
}

/// `harken mirror apply`.
#[derive(Args, Debug)]
pub struct Apply {
    /// A plan that `plan --out` has written. It is refused when the world has moved since.
    #[arg(value_name = "PLAN", value_hint = ValueHint::FilePath, conflicts_with_all = ["Which", "SourceArgs", "How", "PlaceArgs", "watch"])]
    pub plan: Option<PathBuf>,
    /// Also open the security group of the target for mirrored packets, where it is not.
    #[arg(long, conflicts_with = "plan")]
    pub open_security_group: bool,
    /// When something fails, delete again what this run has made, and nothing else.
    #[arg(long)]
    pub rollback: bool,
    /// Do not ask. Needed where nobody can be asked.
    #[arg(long, short)]
    pub yes: bool,
    /// Go on for good: mirror instances that come, as autoscaling makes them, and let go of those that went.
    #[arg(long, requires = "yes")]
    pub watch: bool,
    /// How often to look, with --watch.
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = duration, requires = "watch")]
    pub every: Duration,
    /// Afterwards write which interface each VNI stands for to this file, for `--vni-names` of `run`.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub names: Option<PathBuf>,
    /// As JSON.
    #[arg(long)]
    pub json: bool,
    /// What is wanted.
    #[command(flatten)]
    pub spec: SpecArgs,
}

/// `harken mirror verify`.
#[derive(Args, Debug)]
pub struct Verify {
    /// The control socket of the sensor.
    #[arg(long, value_name = "SOCKET", default_value = "logs/control.sock", value_hint = ValueHint::FilePath)]
    pub control: PathBuf,
    /// Look at AWS alone: the sensor is elsewhere.
    #[arg(long, conflicts_with_all = ["control", "probe"])]
    pub no_sensor: bool,
    /// For how long to watch what arrives.
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = duration)]
    pub wait: Duration,
    /// Send a request to this URL, marked, and wait until it comes out of the sensor. A source must be in its way.
    #[arg(long, value_name = "URL")]
    pub probe: Option<String>,
    /// Where the sensor writes its logs, for --probe.
    #[arg(long, value_name = "DIR", default_value = "logs", value_hint = ValueHint::DirPath, requires = "probe")]
    pub log_dir: PathBuf,
    /// Compare with what CloudWatch has counted in this time before now.
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub cloudwatch: Option<Duration>,
    /// As JSON.
    #[arg(long)]
    pub json: bool,
    /// What is wanted.
    #[command(flatten)]
    pub spec: SpecArgs,
}

/// What is wanted: a file, flags, or a file with flags over it.
#[derive(Args, Debug, Default)]
pub struct SpecArgs {
    /// Which spec.
    #[command(flatten)]
    pub which: Which,
    /// What is mirrored.
    #[command(flatten)]
    pub sources: SourceArgs,
    /// Where to, and how.
    #[command(flatten)]
    pub how: How,
    /// In which account and region.
    #[command(flatten)]
    pub place: PlaceArgs,
}

/// Which spec.
#[derive(Args, Debug, Default)]
pub struct Which {
    /// The description of what is wanted (`harken schema mirror`). Flags go before what it says.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub spec: Option<PathBuf>,
    /// Name of the whole, in the tags of all that is made. [default: harken]
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
}

/// What is mirrored.
#[derive(Args, Debug, Default)]
#[command(next_help_heading = "Sources")]
pub struct SourceArgs {
    /// Sources with this tag, of the interface or its instance; `*` stands for any text. Several keys: all of them.
    #[arg(long, value_name = "KEY=VALUE")]
    pub tag: Vec<String>,
    /// Sources in this VPC.
    #[arg(long, value_name = "ID")]
    pub vpc: Vec<String>,
    /// Sources in this subnet.
    #[arg(long, value_name = "ID")]
    pub subnet: Vec<String>,
    /// This instance.
    #[arg(long, value_name = "ID")]
    pub instance: Vec<String>,
    /// This interface.
    #[arg(long, value_name = "ID")]
    pub interface: Vec<String>,
    /// Sources in this security group.
    #[arg(long, value_name = "ID")]
    pub security_group: Vec<String>,
    /// Sources behind this load balancer.
    #[arg(long, value_name = "NAME|ARN")]
    pub load_balancer: Vec<String>,
    /// Sources that run the tasks of this service of ECS.
    #[arg(long, value_name = "CLUSTER/SERVICE")]
    pub ecs_service: Vec<String>,
    /// All interfaces of an instance, not the first alone.
    #[arg(long)]
    pub all_interfaces: bool,
    /// But not those with this tag.
    #[arg(long, value_name = "KEY=VALUE")]
    pub exclude_tag: Vec<String>,
    /// But not this instance.
    #[arg(long, value_name = "ID")]
    pub exclude_instance: Vec<String>,
    /// But not this interface.
    #[arg(long, value_name = "ID")]
    pub exclude_interface: Vec<String>,
}

/// Where packets go, and how they are mirrored.
#[derive(Args, Debug, Default)]
#[command(next_help_heading = "Mirroring")]
pub struct How {
    /// Where packets go: eni-..., i-..., vpce-..., tmt-... or the ARN of a network load balancer.
    #[arg(long, value_name = "ID|ARN")]
    pub target: Option<Destination>,
    /// Ports of the servers, such as 80,8000-8999. [default: all of TCP]
    #[arg(long, value_name = "PORTS", value_delimiter = ',')]
    pub ports: Vec<Ports>,
    /// Which way packets are mirrored. [default: both]
    #[arg(long, value_enum, value_name = "WAY")]
    pub directions: Option<Way>,
    /// Which families of addresses. [default: ipv4,ipv6]
    #[arg(long, value_enum, value_name = "FAMILIES", value_delimiter = ',')]
    pub ip: Vec<Version>,
    /// Bytes of each packet that are mirrored. [default: all that fits]
    #[arg(long, value_name = "BYTES")]
    pub packet_length: Option<u32>,
    /// Number of the sessions: the lowest of an interface has a packet first. [default: 100]
    #[arg(long, value_name = "N")]
    pub session_number: Option<u16>,
    /// MTU of the sources. [default: 9001]
    #[arg(long, value_name = "BYTES")]
    pub source_mtu: Option<u32>,
    /// MTU of the target. [default: 9001 for an interface, else 8500]
    #[arg(long, value_name = "BYTES")]
    pub target_mtu: Option<u32>,
}

/// In which account and region.
#[derive(Args, Debug, Default)]
#[command(next_help_heading = "Account")]
pub struct PlaceArgs {
    /// The region; several have the spec fulfilled in each. [default: that of the environment]
    #[arg(long, value_name = "NAME")]
    pub region: Vec<String>,
    /// The profile of ~/.aws/config.
    #[arg(long, value_name = "NAME")]
    pub profile: Option<String>,
    /// A role to take on; several are taken on one after the other.
    #[arg(long, value_name = "ARN")]
    pub assume_role: Vec<String>,
    /// The external id that the last of them asks for.
    #[arg(long, value_name = "ID", requires = "assume_role")]
    pub external_id: Option<String>,
}

/// Which way packets are mirrored.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub enum Way {
    /// Requests and responses.
    Both,
    /// What sources receive.
    Ingress,
    /// What sources send.
    Egress,
}

impl From<Way> for Directions {
    fn from(way: Way) -> Self {
        match way {
            Way::Both => Self::Both,
            Way::Ingress => Self::Ingress,
            Way::Egress => Self::Egress,
        }
    }
}

/// A family of addresses.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub enum Version {
    /// IPv4.
    Ipv4,
    /// IPv6.
    Ipv6,
}

impl From<Version> for Family {
    fn from(version: Version) -> Self {
        match version {
            Version::Ipv4 => Self::Ipv4,
            Version::Ipv6 => Self::Ipv6,
        }
    }
}

/// Commands that need rights.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub enum Right {
    /// discover, plan, status, export, names.
    Plan,
    /// apply.
    Apply,
    /// apply --open-security-group.
    OpenSecurityGroup,
    /// verify.
    Verify,
    /// destroy.
    Destroy,
}

impl From<Right> for harken_mirror::policy::Right {
    fn from(right: Right) -> Self {
        match right {
            Right::Plan => Self::Plan,
            Right::Apply => Self::Apply,
            Right::OpenSecurityGroup => Self::OpenSecurityGroup,
            Right::Verify => Self::Verify,
            Right::Destroy => Self::Destroy,
        }
    }
}
