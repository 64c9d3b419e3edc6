//! The calls of a plan.
use crate::aws::ec2::mirror::{
    CreateTrafficMirrorFilter, CreateTrafficMirrorFilterRule, CreateTrafficMirrorSession,
    CreateTrafficMirrorTarget, DeleteTrafficMirrorFilter, DeleteTrafficMirrorFilterRule,
    DeleteTrafficMirrorSession, DeleteTrafficMirrorTarget, MirrorSession,
    ModifyTrafficMirrorFilterNetworkServices, ModifyTrafficMirrorFilterRule, ModifyTrafficMirrorSession,
};
use crate::aws::ec2::network::{AuthorizeSecurityGroupIngress, RevokeSecurityGroupIngress};
use crate::aws::{Action, Client, Error, arguments};
use serde::{Serialize, Serializer};
use serde_json::{Value, json};

/// Stands for the id of the target that an earlier call makes.
pub const MADE_TARGET: &str = "<id of the target made above>";
/// Stands for the id of the filter that an earlier call makes.
pub const MADE_FILTER: &str = "<id of the filter made above>";

/// Calls that differ in nothing but their name, as one type.
macro_rules! requests {
    ($($name:ident),+ $(,)?) => {
        /// A call that changes something.
        #[derive(Debug, Clone, PartialEq, Eq)]
        #[allow(missing_docs, reason = "the actions of AWS")]
        pub enum Request {
            $($name($name)),+
        }

        $(impl From<$name> for Request {
            fn from(request: $name) -> Self {
                Self::$name(request)
            }
        })+

        impl Request {
            /// The action's name.
            pub const fn action(&self) -> &'static str {
                match self {
                    $(Self::$name(_) => <$name as Action>::NAME),+
                }
            }

            /// Its arguments, by the names of AWS's model.
            pub fn arguments(&self) -> Value {
                match self {
                    $(Self::$name(request) => arguments(request)),+
                }
            }

            /// Asks AWS whether it would do it. Nothing is done.
            ///
            /// # Errors
            /// When it would not.
            pub async fn rehearse(&self, client: &Client) -> Result<(), Error> {
                let answer = match self.clone() {
                    $(Self::$name(mut request) => {
                        request.dry_run = Some(true);
                        client.call(&request).await.map(|_| ())
                    }),+
                };
                match answer {
                    Err(error) if error.is_dry_run() => Ok(()),
                    other => other,
                }
            }
        }
    };
}

requests!(
    CreateTrafficMirrorTarget,
    CreateTrafficMirrorFilter,
    CreateTrafficMirrorFilterRule,
    CreateTrafficMirrorSession,
    ModifyTrafficMirrorFilterNetworkServices,
    ModifyTrafficMirrorFilterRule,
    ModifyTrafficMirrorSession,
    DeleteTrafficMirrorSession,
    DeleteTrafficMirrorFilter,
    DeleteTrafficMirrorFilterRule,
    DeleteTrafficMirrorTarget,
    AuthorizeSecurityGroupIngress,
    RevokeSecurityGroupIngress,
);

impl Request {
    /// Whether it needs the id of something that an earlier call makes.
    pub fn waits(&self) -> bool {
        let text = self.arguments().to_string();
        text.contains(MADE_TARGET) || text.contains(MADE_FILTER)
    }
}

impl Serialize for Request {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        json!({"action": self.action(), "arguments": self.arguments()}).serialize(to)
    }
}

/// What a call is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", content = "id", rename_all = "snake_case")]
pub enum About {
    /// The target.
    Target,
    /// The filter or its rules.
    Filter,
    /// The security group of the target.
    SecurityGroup,
    /// The session of that interface.
    Session(String),
    /// Something of ours that is not needed any more.
    Leftover(String),
}

/// A call, and what it is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Call {
    /// What it is about.
    pub about: About,
    /// The call.
    #[serde(flatten)]
    pub request: Request,
}

impl Call {
    /// A call about that.
    pub fn new(about: About, request: impl Into<Request>) -> Self {
        Self { about, request: request.into() }
    }

    /// The call that deletes a session.
    pub fn delete(session: &MirrorSession) -> Self {
        let request = DeleteTrafficMirrorSession::of(&session.traffic_mirror_session_id);
        Self::new(About::Session(session.network_interface_id.clone()), request)
    }
}
