//! A clock that runs only while something is waited for.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, Sleep};

/// What waits seldom has no timer until it waits for the first time.
#[derive(Debug)]
pub(crate) struct Stall {
    limit: Duration,
    sleep: Option<Pin<Box<Sleep>>>,
    running: bool,
}

impl Stall {
    pub(crate) fn new(limit: Duration) -> Self {
        Self { limit, sleep: None, running: false }
    }

    /// Nothing is waited for any more.
    pub(crate) fn stop(&mut self) {
        self.running = false;
    }

    /// Goes on waiting. Done when that has lasted too long.
    pub(crate) fn wait(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let until = Instant::now() + self.limit;
        let sleep = self.sleep.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(until)));
        if !std::mem::replace(&mut self.running, true) {
            sleep.as_mut().reset(until);
        }
        sleep.as_mut().poll(cx)
    }
}
