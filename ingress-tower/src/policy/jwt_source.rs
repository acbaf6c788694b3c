//! Key sets that somebody is asked for, by requests that need them: nobody is asked for keys that nobody needs.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::header::ACCEPT;
use http::uri::PathAndQuery;
use http::{HeaderValue, Request, StatusCode};
use http_body_util::{BodyExt, Limited};
#[cfg(any(feature = "tracing", test))]
use ingress_core::CalleeAddress;
use ingress_core::{Backend, Callee, Jwt};
use tokio::sync::watch;
use tokio::time::Instant;

use super::aside;
use super::jwt_keys::KeySet;
use crate::bounds::{Client, UpstreamBody};
use crate::lasting::Lasting;
use crate::layer::Shared;
use crate::{Body, BoxError};

/// After which time keys are asked for again, while those that are there are used.
const REFRESH: Duration = Duration::from_secs(5 * 60);
/// After which time requests wait for newer keys, for as long as asking may take, unless nothing came the last time. If
/// there are none, the old ones count.
const OLD: Duration = Duration::from_secs(10 * 60);
/// The least time between the end of one question and the next, be it that nobody answers or that a token names a key that is not there.
const PAUSE: Duration = Duration::from_secs(5);
/// How long asking may take.
const LIMIT: Duration = Duration::from_secs(5);

/// All sources that routes have. Equal callees are one source.
#[derive(Debug, Default)]
pub(crate) struct KeySources(Lasting<Callee, Source>);

/// Somebody who has keys, and those that came last.
#[derive(Debug)]
pub(super) struct Source {
    callee: Callee,
    state: Mutex<State>,
    /// Counts the answers, or that there was none.
    asked: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct State {
    keys: Option<(Arc<KeySet>, Instant)>,
    failure: Option<Arc<str>>,
    /// When asking last ended.
    last: Option<Instant>,
    asking: bool,
}

/// Why there are no keys.
#[derive(Debug, thiserror::Error)]
#[error("there are no keys: {0}")]
pub(super) struct NoKeys(Arc<str>);

/// Ends a question, however it ends.
struct Asking(Arc<Source>);

impl KeySources {
    pub(super) fn of(&self, callee: &Callee) -> Arc<Source> {
        self.0.get(callee, || Source {
            callee: callee.clone(),
            state: Mutex::default(),
            asked: watch::Sender::new(0),
        })
    }

    /// Forgets whom no route has had for long.
    pub(crate) fn forget(&self) {
        self.0.forget();
    }
}

impl Source {
    /// The keys; `others` are the backends that the policy names. Where a token names a key that is not among them,
    /// `unknown` says so, and they are asked for again unless that was just done.
    pub(super) async fn keys<C, B>(
        self: &Arc<Self>,
        shared: &Arc<Shared<C>>,
        others: &[Arc<Backend>],
        unknown: bool,
    ) -> Result<Arc<KeySet>, NoKeys>
    where
        C: Client<B>,
        B: UpstreamBody,
    {
        if let Some(mut answered) = self.ask(shared, others, unknown) {
            // Asking has a limit of its own; this is for a runtime that has ended.
            _ = tokio::time::timeout(LIMIT * 2, answered.changed()).await;
        }
        let state = self.state();
        let failure = || state.failure.clone().unwrap_or_else(|| "nobody was asked".into());
        state.keys.as_ref().map(|(keys, _)| keys.clone()).ok_or_else(|| NoKeys(failure()))
    }

    /// Asks, if it is time to. What is returned changes once that has ended, where it is worth waiting for.
    fn ask<C, B>(
        self: &Arc<Self>,
        shared: &Arc<Shared<C>>,
        others: &[Arc<Backend>],
        unknown: bool,
    ) -> Option<watch::Receiver<u64>>
    where
        C: Client<B>,
        B: UpstreamBody,
    {
        let mut state = self.state();
        let now = Instant::now();
        let age = state.keys.as_ref().map(|(_, since)| now.saturating_duration_since(*since));
        let is_old = |age| age > OLD && state.failure.is_none();
        let is_needed = unknown || age.is_none_or(is_old);
        if !is_needed && age.is_some_and(|age| age <= REFRESH) {
            return None;
        }
        let rested = state.last.is_none_or(|last| now.saturating_duration_since(last) >= PAUSE);
        if !state.asking && rested {
            let Ok(runtime) = tokio::runtime::Handle::try_current() else { return None };
            state.asking = true;
            let (asking, shared, others) = (Asking(self.clone()), shared.clone(), others.to_vec());
            runtime.spawn(Box::pin(async move {
                let answer = tokio::time::timeout(LIMIT, fetch(&shared, &others, &asking.0.callee)).await;
                asking.0.learn(answer.unwrap_or_else(|_| Err("the answer did not come in time".into())));
            }));
        }
        (is_needed && state.asking).then(|| self.asked.subscribe())
    }

    /// Keeps what it has if nothing came.
    fn learn(&self, answer: Result<KeySet, BoxError>) {
        let mut state = self.state();
        match answer {
            Ok(keys) => (state.keys, state.failure) = (Some((Arc::new(keys), Instant::now())), None),
            Err(error) => {
                #[cfg(feature = "tracing")]
                tracing::warn!(callee = self.shown(), %error, "the keys of tokens cannot be fetched");
                state.failure = Some(error.to_string().into());
            }
        }
    }

    /// Whom it asks for what, without the query: that may have a secret.
    #[cfg(any(feature = "tracing", test))]
    fn shown(&self) -> String {
        let path = self.callee.path.as_text().unwrap_or_default();
        let path = path.split(['?', '#']).next().unwrap_or_default();
        match &self.callee.to {
            CalleeAddress::Backend(backend) => format!("{backend} {path}"),
            CalleeAddress::Url(address, protocol) => {
                format!("{}://{address}{path}", if protocol.is_tls() { "https" } else { "http" })
            }
            _ => path.to_owned(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Asking {
    fn drop(&mut self) {
        let mut state = self.0.state();
        (state.asking, state.last) = (false, Some(Instant::now()));
        drop(state);
        self.0.asked.send_modify(|asked| *asked = asked.wrapping_add(1));
    }
}

async fn fetch<C, B>(
    shared: &Arc<Shared<C>>,
    others: &[Arc<Backend>],
    callee: &Callee,
) -> Result<KeySet, BoxError>
where
    C: Client<B>,
    B: UpstreamBody,
{
    let path = callee.path.as_text().ok_or("the path has something of a request in it")?;
    let path: PathAndQuery = if path.is_empty() { "/" } else { path }.parse()?;
    let mut request = Request::new(Body::empty());
    request
        .headers_mut()
        .insert(ACCEPT, HeaderValue::from_static("application/jwk-set+json, application/json"));
    let answer = aside::ask(shared, others, &callee.to, path, request).await?;
    if answer.status() != StatusCode::OK {
        return Err(format!("the answer is {}", answer.status()).into());
    }
    let body = Limited::new(answer.into_body(), Jwt::MAX_KEYS_LEN).collect().await?;
    Ok(KeySet::parse(&body.to_bytes())?)
}

#[cfg(test)]
mod tests {
    use ingress_core::{Endpoint, Protocol};

    use super::*;

    #[test]
    fn nothing_shows_a_query() {
        let to = CalleeAddress::Backend("default/issuer:80".parse().unwrap());
        let address = Endpoint::new(([192, 0, 2, 1], 443).into()).address().clone();
        let url = CalleeAddress::Url(address, Protocol::Https);
        for (to, path, want) in [
            (to.clone(), "/keys?key=hidden", "default/issuer:80 /keys"),
            (to, "/keys", "default/issuer:80 /keys"),
            (url, "/keys?key=hidden", "https://192.0.2.1:443/keys"),
        ] {
            let source = KeySources::default().of(&Callee::new(to, path.parse().unwrap()));
            assert_eq!(source.shown(), want);
        }
    }

    #[test]
    fn what_came_is_known_for_a_while_after_the_last_has_gone() {
        let to = CalleeAddress::Backend("default/issuer:80".parse().unwrap());
        let callee = Callee::new(to, "/keys".parse().unwrap());
        let sources = KeySources::default();
        sources.of(&callee).learn(Err("nobody is there".into()));
        sources.forget();
        assert_eq!(sources.of(&callee).state().failure.as_deref(), Some("nobody is there"));
    }
}
