//! Ways to fail on purpose.

use crate::failure::Failure;

/// What goes wrong with which requests.
///
/// Of several faults that fit a request the first takes it, as long as it has times left.
#[derive(Clone, Debug)]
pub struct Fault {
    /// Which verb, as in [`Recorded::verb`](crate::Recorded::verb); `None` for all.
    pub verb: Option<String>,
    /// Which resource: the plural, with the subresource if there is one (`ingresses/status`); `None` for all.
    pub resource: Option<String>,
    /// How many requests; `None` for all to come.
    pub times: Option<usize>,
    /// What happens.
    pub action: FaultAction,
}

/// What happens to a request. But for the last two, this is decided when the request comes, and stays so
/// after the fault is cleared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FaultAction {
    /// It is answered with a Status object and not done.
    Status {
        /// The HTTP status.
        code: u16,
        /// `reason` of the Status.
        reason: &'static str,
        /// `Retry-After` in seconds.
        retry_after: Option<u64>,
    },
    /// It is never answered, and not done.
    HangBeforeHead,
    /// It is done, the head of the answer comes, and its body never does.
    HangAfterHead,
    /// It is done; the connection ends in the middle of the first line of the body, which for a watch is its
    /// first event and for all else the whole body.
    CutMidLine,
    /// It is not done; the answer is a 200 with an empty body.
    EndAtOnce,
    /// It is not done; the answer has the HTTP status 410, as from a proxy: kube-apiserver sends a 410 to a
    /// watch in the stream.
    ExpiredAsStatus,
    /// It is done; the body comes byte by byte, one a millisecond at most.
    SlowBytes,
    /// It is done; the body begins with a line that isn't JSON. For all but watches it is nothing else.
    GarbageLine,
    /// It is done; a watch gets each event twice.
    DuplicateEvents,
    /// While the fault is there, watches, the open ones too, get no new events, but bookmarks up to the last
    /// event they got. Then they get what they missed, or 410 if the past was
    /// [forgotten](crate::ApiServer::compact) meanwhile.
    /// `times` has no meaning.
    BookmarksOnly,
    /// The same without bookmarks.
    IgnoreNewEvents,
}

/// Names a fault that was set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FaultId(u64);

/// What watches don't get for now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Withheld {
    Nothing,
    Events,
    All,
}

#[derive(Debug, Default)]
pub(crate) struct Faults {
    next: u64,
    list: Vec<(FaultId, Fault)>,
}

impl Fault {
    /// For one verb on one resource, `*` for all; a 500 without an end, until told otherwise.
    pub fn on(verb: &str, resource: &str) -> Self {
        let some = |text: &str| (text != "*").then(|| text.to_owned());
        Self { verb: some(verb), resource: some(resource), times: None, action: FaultAction::status(500) }
    }

    /// For every request.
    pub fn on_all() -> Self {
        Self::on("*", "*")
    }

    /// For so many requests only.
    #[must_use]
    pub fn times(self, times: usize) -> Self {
        Self { times: Some(times), ..self }
    }

    /// This happens.
    #[must_use]
    pub fn action(self, action: FaultAction) -> Self {
        Self { action, ..self }
    }

    /// An HTTP status with the usual reason.
    #[must_use]
    pub fn status(self, code: u16) -> Self {
        self.action(FaultAction::status(code))
    }

    /// `Retry-After`, in seconds, for an action that is a status; for others nothing.
    #[must_use]
    pub fn retry_after(mut self, seconds: u64) -> Self {
        if let FaultAction::Status { retry_after, .. } = &mut self.action {
            *retry_after = Some(seconds);
        }
        self
    }

    fn matches(&self, verb: &str, resource: &str) -> bool {
        let fits = |wanted: &Option<String>, is: &str| wanted.as_ref().is_none_or(|wanted| wanted == is);
        fits(&self.verb, verb) && fits(&self.resource, resource)
    }
}

impl FaultAction {
    /// An HTTP status with the reason that a server has for it.
    pub fn status(code: u16) -> Self {
        let reason = match code {
            400 => "BadRequest",
            401 => "Unauthorized",
            403 => "Forbidden",
            404 => "NotFound",
            409 => "Conflict",
            410 => "Expired",
            413 => "RequestEntityTooLarge",
            422 => "Invalid",
            429 => "TooManyRequests",
            500 => "InternalError",
            503 => "ServiceUnavailable",
            504 => "Timeout",
            _ => "",
        };
        Self::Status { code, reason, retry_after: None }
    }

    /// What the request is answered with instead of being done, if that is a Status.
    pub(crate) fn failure(&self) -> Option<Failure> {
        match *self {
            Self::Status { code, reason, retry_after } => {
                let mut failure = Failure::new(code, reason, "a fault that the test asked for");
                failure.retry_after = retry_after;
                Some(failure)
            }
            Self::ExpiredAsStatus => Some(Failure::new(410, "Expired", "too old resource version")),
            _ => None,
        }
    }

    fn withheld(&self) -> Withheld {
        match self {
            Self::BookmarksOnly => Withheld::Events,
            Self::IgnoreNewEvents => Withheld::All,
            _ => Withheld::Nothing,
        }
    }
}

impl Faults {
    pub(crate) fn add(&mut self, fault: Fault) -> FaultId {
        let id = FaultId(self.next);
        self.next += 1;
        self.list.push((id, fault));
        id
    }

    pub(crate) fn remove(&mut self, id: FaultId) {
        self.list.retain(|(other, _)| *other != id);
    }

    pub(crate) fn clear(&mut self) {
        self.list.clear();
    }

    /// What is to happen to a request.
    pub(crate) fn take(&mut self, verb: &str, resource: &str) -> Option<FaultAction> {
        let fault = self.list.iter_mut().map(|(_, fault)| fault).find(|fault| {
            fault.matches(verb, resource)
                && fault.times != Some(0)
                && fault.action.withheld() == Withheld::Nothing
        })?;
        fault.times = fault.times.map(|times| times - 1);
        Some(fault.action.clone())
    }

    pub(crate) fn withheld(&self, resource: &str) -> Withheld {
        let mut withheld = self.list.iter().filter(|(_, fault)| fault.matches("watch", resource));
        let found = withheld.find(|(_, fault)| fault.action.withheld() != Withheld::Nothing);
        found.map_or(Withheld::Nothing, |(_, fault)| fault.action.withheld())
    }
}
