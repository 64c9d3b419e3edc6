//! Flags of `harken mask`.
use clap::{Args, Subcommand, ValueEnum, ValueHint};
use std::path::PathBuf;

/// What to do with masking.
#[derive(Subcommand, Debug)]
pub enum Mask {
    /// Show what masking makes of a value, or of recorded events.
    #[command(after_help = "Examples:\n  \
        harken mask test --text 'pay 4111 1111 1111 1111 with password=hunter22'\n  \
        harken mask test --as url --text 'https://u:pw@api.example/v1?token=abc'\n  \
        harken mask test --masking masking.json body.json\n  \
        harken replay --format ecs --show-secrets FILE | harken mask test --masking masking.json --events -")]
    Test(MaskTest),
}

/// Flags of `harken mask test`.
#[derive(Args, Debug)]
pub struct MaskTest {
    /// What is masked, and how, as for `harken run`.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub masking: Option<PathBuf>,

    /// How the value is read.
    #[arg(long = "as", value_enum, value_name = "FORM", default_value_t = ValueForm::Auto)]
    pub form: ValueForm,

    /// Read the value as that of a header field of this name.
    #[arg(long, value_name = "NAME", conflicts_with = "form")]
    pub header: Option<String>,

    /// The value.
    #[arg(long, value_name = "TEXT", conflicts_with = "file")]
    pub text: Option<String>,

    /// Events, one JSON object a line, as `harken replay --format ecs --show-secrets` gives them; `-` is standard
    /// input. Shows for each what is masked in it, and totals.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath,
        conflicts_with_all = ["text", "file", "header", "form"])]
    pub events: Option<PathBuf>,

    /// For programs: one JSON object for the value, or for each event.
    #[arg(long)]
    pub json: bool,

    /// A file with the value; `-` is standard input.
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath,
        required_unless_present_any = ["text", "events"])]
    pub file: Option<PathBuf>,
}

/// How a value is read.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub enum ValueForm {
    /// JSON if it begins like that, else text.
    Auto,
    /// Free text.
    Text,
    /// JSON.
    Json,
    /// Pairs of names and values, as in a query.
    Form,
    /// multipart/form-data.
    Multipart,
    /// gRPC messages.
    Grpc,
    /// A URL, or the target of a request.
    Url,
}
