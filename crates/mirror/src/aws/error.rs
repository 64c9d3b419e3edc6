//! Why a call did not succeed.
use std::fmt;

/// Why a call did not succeed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Error {
    /// AWS refused.
    Refused {
        /// The action.
        action: &'static str,
        /// HTTP status.
        status: u16,
        /// AWS's code, such as `UnauthorizedOperation`.
        code: String,
        /// AWS's message.
        message: String,
        /// AWS's identifier of the request, which its support asks for.
        request_id: Option<String>,
        /// Seconds that the clock of AWS is ahead of this machine's, where that is what is wrong.
        skew: Option<i64>,
    },
    /// No answer came, or half of one. What was asked for may have been done.
    Unanswered {
        /// The action.
        action: &'static str,
        /// What went wrong.
        reason: String,
    },
    /// An answer came that is none of this action.
    Unreadable {
        /// The action.
        action: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// There are no credentials, or no region.
    Credentials(String),
}

impl Error {
    /// AWS's code, where AWS refused.
    pub fn code(&self) -> &str {
        match self {
            Self::Refused { code, .. } => code,
            _ => "",
        }
    }

    /// Whether to wait and ask again may help: AWS is busy, or no answer came.
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Refused { status, code, .. } => {
                *status >= 500
                    || matches!(
                        code.as_str(),
                        "RequestLimitExceeded"
                            | "Throttling"
                            | "ThrottlingException"
                            | "ThrottledException"
                            | "RequestThrottled"
                            | "TooManyRequestsException"
                            | "EC2ThrottledException"
                            | "ServiceUnavailable"
                            | "Unavailable"
                            | "InternalError"
                            | "InternalFailure"
                            | "RequestTimeout"
                    )
            }
            Self::Unanswered { .. } => true,
            Self::Unreadable { .. } | Self::Credentials(_) => false,
        }
    }

    /// Whether the credentials ran out.
    pub fn is_expired(&self) -> bool {
        matches!(self.code(), "ExpiredToken" | "ExpiredTokenException" | "RequestExpired")
    }

    /// Whether what is named is not there: it was never there, it is gone, or EC2 has not heard of it yet.
    pub fn is_not_found(&self) -> bool {
        let code = self.code();
        code.ends_with(".NotFound") || code.ends_with("NotFoundException") || code.ends_with("NotFound")
    }

    /// Whether something else still uses it.
    pub fn is_in_use(&self) -> bool {
        let code = self.code();
        code.ends_with("InUse") || code.ends_with("InUseException") || code == "DependencyViolation"
    }

    /// Whether it was a trial (`DryRun`), and would have succeeded.
    pub fn is_dry_run(&self) -> bool {
        self.code() == "DryRunOperation"
    }

    /// Whether the right to do it is missing.
    pub fn is_denied(&self) -> bool {
        matches!(self.code(), "UnauthorizedOperation" | "AccessDenied" | "AccessDeniedException")
    }

    /// Whether the client token was used before, for something else.
    pub fn is_other_token(&self) -> bool {
        matches!(self.code(), "IdempotentParameterMismatch" | "IdempotentParameterMismatchException")
    }

    /// What the operator can do about it.
    fn mend(&self) -> Option<&'static str> {
        Some(match self.code() {
            "UnauthorizedOperation" | "AccessDenied" | "AccessDeniedException" => {
                "`harken mirror policy` prints what must be allowed"
            }
            "AuthFailure" | "InvalidClientTokenId" | "UnrecognizedClientException" => {
                "the access key is unknown to AWS, or not active in this region: `aws sts get-caller-identity` tells"
            }
            "SignatureDoesNotMatch" => "the secret access key does not belong to the access key",
            "ExpiredToken" | "ExpiredTokenException" => {
                "log in again: the session of these credentials is over"
            }
            "OptInRequired" => "enable the region for this account first",
            "RequestLimitExceeded" | "Throttling" | "ThrottlingException" => {
                "AWS is asked too often by this account: wait, and do it again; nothing is done twice"
            }
            "TrafficMirrorSourcesPerTargetLimitExceeded" => {
                "use a network load balancer as the target, or a larger sensor"
            }
            "TrafficMirrorSessionsPerInterfaceLimitExceeded" => {
                "an interface has at most three sessions: delete one of the others"
            }
            _ => return None,
        })
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused { action, code, message, request_id, skew, .. } => {
                write!(f, "{action}: {code}: {message}")?;
                if let Some(id) = request_id {
                    write!(f, " (request {id})")?;
                }
                if let Some(skew) = skew {
                    let (seconds, way) = (skew.abs(), if *skew > 0 { "behind" } else { "ahead of" });
                    write!(f, "; mend: the clock of this machine is {seconds} s {way} AWS's, set it")?;
                } else if let Some(mend) = self.mend() {
                    write!(f, "; mend: {mend}")?;
                }
                Ok(())
            }
            Self::Unanswered { action, reason } => write!(f, "{action}: no answer: {reason}"),
            Self::Unreadable { action, reason } => write!(f, "{action}: the answer makes no sense: {reason}"),
            Self::Credentials(reason) => f.write_str(reason),
        }
    }
}

impl std::error::Error for Error {}
