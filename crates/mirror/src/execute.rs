//! Does what a plan says, one call after the other.
use crate::aws::ec2::mirror::{
    DeleteTrafficMirrorFilter, DeleteTrafficMirrorFilterRule, DeleteTrafficMirrorSession,
    DeleteTrafficMirrorTarget,
};
use crate::aws::ec2::mirror::{
    DescribeTrafficMirrorFilterRules, DescribeTrafficMirrorFilters, DescribeTrafficMirrorSessions,
    DescribeTrafficMirrorTargets,
};
use crate::aws::ec2::network::RevokeSecurityGroupIngress;
use crate::aws::{Client, Error, Paged};
use crate::ours;
use crate::plan::{About, Call, MADE_FILTER, MADE_TARGET, Request};
use serde::Serialize;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::time::{Instant, sleep};

/// How long EC2 may take until it has heard of what it has made, and until something is not used any more.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long something may stay unheard of after it was made before it is taken for gone: a client token that was used
/// before brings back what it made then, also when that was deleted since.
const GONE: Duration = Duration::from_secs(10);
/// Wait before looking again; it doubles.
const FIRST_WAIT: Duration = Duration::from_millis(200);
/// How long a repeated run uses the same tokens. It has to outlast the time until EC2 has heard everywhere of what the run
/// before it has made; from then on, the plan knows. Longer, and what was made, deleted and is made again soon would be
/// waited for in vain, [`GONE`] each.
const SAME_TOKENS: u64 = 300;
/// How many tokens are tried.
const TOKENS: u32 = 5;

/// What happens while calls are made. `call` counts from 0.
#[derive(Debug)]
pub enum Event<'a> {
    /// A call begins.
    Begins {
        /// Which.
        call: usize,
    },
    /// It is done.
    Done {
        /// Which.
        call: usize,
        /// What was made, where something was.
        id: Option<&'a str>,
    },
    /// It failed.
    Failed {
        /// Which.
        call: usize,
        /// Why.
        error: &'a Error,
    },
    /// It was not tried, because an earlier one failed.
    NotTried {
        /// Which.
        call: usize,
    },
    /// Something that this run had made is deleted again.
    Undone {
        /// Its id.
        id: &'a str,
        /// Why it could not be, where it could not.
        error: Option<&'a Error>,
    },
}

/// How it ended.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize)]
pub struct Outcome {
    /// Calls that were made.
    pub done: usize,
    /// Calls that failed: what they were about, and why.
    pub failed: Vec<(String, String)>,
    /// Calls that were not tried.
    pub not_tried: usize,
    /// Ids of what this run has made and deleted again.
    pub undone: Vec<String>,
    /// Ids of what it has made and could not delete again.
    pub left: Vec<String>,
}

impl Outcome {
    /// Whether all is as it should be.
    pub const fn is_success(&self) -> bool {
        self.failed.is_empty() && self.not_tried == 0
    }
}

/// Makes calls in one account and region.
pub struct Executor<'a> {
    client: &'a Client,
    stack: &'a str,
    /// The account, so that two accounts do not share tokens.
    account: &'a str,
    /// Which [`SAME_TOKENS`] it is.
    epoch: u64,
    target: Option<String>,
    filter: Option<String>,
    undo: Vec<Undo>,
}

/// Pauses between attempts, each twice as long as the one before, until the time is over.
struct Pauses {
    until: Instant,
    next: Duration,
}

impl Pauses {
    fn within(time: Duration) -> Self {
        Self { until: Instant::now() + time, next: FIRST_WAIT }
    }

    /// Waits. False, at once, when the time is over.
    async fn pause(&mut self) -> bool {
        if Instant::now() > self.until {
            return false;
        }
        sleep(self.next).await;
        self.next *= 2;
        true
    }
}

/// Something that was made, and how it is deleted again.
struct Undo {
    id: String,
    request: Request,
}

impl<'a> Executor<'a> {
    /// For a spec of that name.
    pub fn new(client: &'a Client, account: &'a str, stack: &'a str) -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self {
            client,
            stack,
            account,
            epoch: since.as_secs() / SAME_TOKENS,
            target: None,
            filter: None,
            undo: Vec::new(),
        }
    }

    /// Makes the calls, in order. One that fails about one source does not stop those about others; one that all need
    /// does. With `rollback`, a failure has everything deleted again that this run has made.
    pub async fn run(mut self, calls: &[Call], rollback: bool, tell: &mut dyn FnMut(Event<'_>)) -> Outcome {
        let mut outcome = Outcome::default();
        let mut stopped = false;
        for (index, call) in calls.iter().enumerate() {
            if stopped {
                tell(Event::NotTried { call: index });
                outcome.not_tried += 1;
                continue;
            }
            tell(Event::Begins { call: index });
            match self.make(&call.request).await {
                Ok(id) => {
                    outcome.done += 1;
                    tell(Event::Done { call: index, id: id.as_deref() });
                }
                Err(error) => {
                    tell(Event::Failed { call: index, error: &error });
                    outcome.failed.push((subject(&call.about), error.to_string()));
                    // Sessions without target or with half a filter would mirror the wrong packets.
                    stopped = matches!(call.about, About::Target | About::Filter) || rollback;
                }
            }
        }
        if rollback && !outcome.is_success() {
            self.roll_back(&mut outcome, tell).await;
        }
        outcome
    }

    async fn roll_back(&mut self, outcome: &mut Outcome, tell: &mut dyn FnMut(Event<'_>)) {
        for Undo { id, request } in std::mem::take(&mut self.undo).into_iter().rev() {
            match self.make(&request).await {
                Ok(_) => {
                    tell(Event::Undone { id: &id, error: None });
                    outcome.undone.push(id);
                }
                Err(error) => {
                    tell(Event::Undone { id: &id, error: Some(&error) });
                    outcome.left.push(id);
                }
            }
        }
    }

    /// Makes one call, until it is done or will not be. Gives the id of what it has made.
    async fn make(&mut self, request: &Request) -> Result<Option<String>, Error> {
        let request = self.resolved(request.clone());
        let mut pauses = Pauses::within(PATIENCE);
        loop {
            let error = match self.send(&request).await {
                Ok(id) => return Ok(id),
                Err(error) => error,
            };
            let text = request.arguments().to_string();
            // What this run has made, EC2 may not have heard of everywhere.
            let unheard = error.is_not_found() && self.undo.iter().any(|made| text.contains(&made.id));
            if !(unheard || error.is_in_use()) || !pauses.pause().await {
                return Err(error);
            }
        }
    }

    /// With the ids of what was made.
    fn resolved(&self, mut request: Request) -> Request {
        let put = |place: &mut String, mark: &str, id: &Option<String>| {
            if let Some(id) = id.as_ref().filter(|_| place == mark) {
                place.clone_from(id);
            }
        };
        match &mut request {
            Request::CreateTrafficMirrorFilterRule(rule) => {
                put(&mut rule.traffic_mirror_filter_id, MADE_FILTER, &self.filter);
            }
            Request::CreateTrafficMirrorSession(session) => {
                put(&mut session.traffic_mirror_filter_id, MADE_FILTER, &self.filter);
                put(&mut session.traffic_mirror_target_id, MADE_TARGET, &self.target);
            }
            Request::ModifyTrafficMirrorSession(session) => {
                session.traffic_mirror_filter_id.iter_mut().for_each(|id| put(id, MADE_FILTER, &self.filter));
                session.traffic_mirror_target_id.iter_mut().for_each(|id| put(id, MADE_TARGET, &self.target));
            }
            _ => {}
        }
        request
    }

    /// A client token: the same for the same request, so that to repeat it makes nothing twice.
    fn token(&self, request: &Request, attempt: u32) -> String {
        let (action, arguments) = (request.action(), request.arguments().to_string());
        let place = format!("{}/{}/{}/{attempt}", self.account, self.client.region(), self.epoch);
        ours::hex(&[self.stack, &place, action, &arguments])
    }

    async fn send(&mut self, request: &Request) -> Result<Option<String>, Error> {
        for attempt in 0..TOKENS {
            let sent = self.create(request, Some(self.token(request, attempt))).await;
            let made = match sent {
                None => return self.change(request).await,
                Some(Err(error)) if error.is_other_token() => continue,
                Some(made) => made?,
            };
            if self.appears(&made).await? {
                match made.kind {
                    Kind::Target => self.target = Some(made.id.clone()),
                    Kind::Filter => self.filter = Some(made.id.clone()),
                    Kind::Rule | Kind::Session => {}
                }
                self.undo.push(Undo { id: made.id.clone(), request: made.delete() });
                return Ok(Some(made.id));
            }
        }
        Err(Error::Unanswered {
            action: request.action(),
            reason: format!("what it makes is not there afterwards, after {TOKENS} attempts"),
        })
    }

    /// Makes something; none when the request makes nothing.
    async fn create(&self, request: &Request, token: Option<String>) -> Option<Result<Made, Error>> {
        let made = |kind, id| Made { kind, id };
        Some(match request.clone() {
            Request::CreateTrafficMirrorTarget(mut request) => {
                request.client_token = token;
                let answer = self.client.call(&request).await;
                answer.map(|answer| made(Kind::Target, answer.traffic_mirror_target.traffic_mirror_target_id))
            }
            Request::CreateTrafficMirrorFilter(mut request) => {
                request.client_token = token;
                let answer = self.client.call(&request).await;
                answer.map(|answer| made(Kind::Filter, answer.traffic_mirror_filter.traffic_mirror_filter_id))
            }
            Request::CreateTrafficMirrorFilterRule(mut request) => {
                request.client_token = token;
                let answer = self.client.call(&request).await;
                answer.map(|answer| {
                    made(Kind::Rule, answer.traffic_mirror_filter_rule.traffic_mirror_filter_rule_id)
                })
            }
            Request::CreateTrafficMirrorSession(mut request) => {
                request.client_token = token;
                let answer = self.client.call(&request).await;
                answer.map(|answer| {
                    made(Kind::Session, answer.traffic_mirror_session.traffic_mirror_session_id)
                })
            }
            _ => return None,
        })
    }

    /// Changes or deletes something.
    async fn change(&mut self, request: &Request) -> Result<Option<String>, Error> {
        let client = self.client;
        let gone = |answer: Result<(), Error>| match answer {
            Err(error) if error.is_not_found() => Ok(()),
            other => other,
        };
        match request {
            Request::ModifyTrafficMirrorFilterNetworkServices(request) => {
                client.call(request).await.map(drop)
            }
            Request::ModifyTrafficMirrorFilterRule(request) => client.call(request).await.map(drop),
            Request::ModifyTrafficMirrorSession(request) => client.call(request).await.map(drop),
            Request::DeleteTrafficMirrorSession(request) => gone(client.call(request).await.map(drop)),
            Request::DeleteTrafficMirrorFilter(request) => gone(client.call(request).await.map(drop)),
            Request::DeleteTrafficMirrorFilterRule(request) => gone(client.call(request).await.map(drop)),
            Request::DeleteTrafficMirrorTarget(request) => gone(client.call(request).await.map(drop)),
            Request::RevokeSecurityGroupIngress(request) => gone(client.call(request).await.map(drop)),
            Request::AuthorizeSecurityGroupIngress(request) => match client.call(request).await {
                Ok(answer) => {
                    let ids: Vec<_> = answer
                        .security_group_rule_set
                        .into_iter()
                        .map(|rule| rule.security_group_rule_id)
                        .collect();
                    let id = ids.first().cloned();
                    if let Some(id) = id.clone() {
                        let request = RevokeSecurityGroupIngress {
                            group_id: request.group_id.clone(),
                            security_group_rule_ids: ids,
                            dry_run: None,
                        };
                        self.undo.push(Undo { id, request: request.into() });
                    }
                    return Ok(id);
                }
                Err(error) if error.code() == "InvalidPermission.Duplicate" => Ok(()),
                Err(error) => Err(error),
            },
            _ => Ok(()),
        }
        .map(|()| None)
    }

    /// Waits until EC2 has heard of what it has made. False when it does not: it was deleted before.
    async fn appears(&self, made: &Made) -> Result<bool, Error> {
        let mut pauses = Pauses::within(GONE);
        loop {
            let id = &made.id;
            let seen = match made.kind {
                Kind::Target => self.sees(DescribeTrafficMirrorTargets::of(id)).await,
                Kind::Filter => self.sees(DescribeTrafficMirrorFilters::of(id)).await,
                Kind::Rule => self.sees(DescribeTrafficMirrorFilterRules::of(id)).await,
                Kind::Session => self.sees(DescribeTrafficMirrorSessions::of(id)).await,
            };
            match seen {
                Ok(true) => return Ok(true),
                Ok(false) => {}
                Err(error) if error.is_not_found() => {}
                Err(error) => return Err(error),
            }
            if !pauses.pause().await {
                return Ok(false);
            }
        }
    }

    async fn sees<A: Paged>(&self, action: A) -> Result<bool, Error> {
        self.client.all(action).await.map(|found| !found.is_empty())
    }
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    Target,
    Filter,
    Rule,
    Session,
}

/// Something that was made.
struct Made {
    kind: Kind,
    id: String,
}

impl Made {
    /// How it is deleted again.
    fn delete(&self) -> Request {
        match self.kind {
            Kind::Target => DeleteTrafficMirrorTarget::of(&self.id).into(),
            Kind::Filter => DeleteTrafficMirrorFilter::of(&self.id).into(),
            Kind::Rule => DeleteTrafficMirrorFilterRule::of(&self.id).into(),
            Kind::Session => DeleteTrafficMirrorSession::of(&self.id).into(),
        }
    }
}

/// What a call is about, in words.
pub fn subject(about: &About) -> String {
    match about {
        About::Target => "the target".to_owned(),
        About::Filter => "the filter".to_owned(),
        About::SecurityGroup => "the security group".to_owned(),
        About::Session(interface) => interface.clone(),
        About::Leftover(id) => id.clone(),
    }
}
