//! Two deadlines where hyper knows one: for an idle connection, and for a head that has begun.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use hyper::rt::{Sleep, Timer};
use pin_project_lite::pin_project;

use super::io::Activity;

/// hyper asks its timer for a sleep when it begins to wait for a request. That sleep lasts for the idle
/// time, until a byte arrives; then it lasts for the header time.
///
/// The beginning of a head that came together with the request before it is in hyper's buffer by then, where
/// nobody else sees it: it has the idle time, unless another byte follows.
#[derive(Clone, Debug)]
pub(super) struct HeadTimer {
    activity: Activity,
    header: Duration,
    idle: Duration,
}

pin_project! {
    struct HeadSleep {
        timer: HeadTimer,
        seen: u64,
        begun: bool,
        #[pin]
        sleep: tokio::time::Sleep,
    }
}

impl HeadTimer {
    pub(super) fn new(activity: Activity, header: Duration, idle: Duration) -> Self {
        Self { activity, header, idle }
    }
}

impl Timer for HeadTimer {
    fn sleep(&self, _: Duration) -> Pin<Box<dyn Sleep>> {
        let sleep = tokio::time::sleep(self.idle);
        Box::pin(HeadSleep { timer: self.clone(), seen: self.activity.count(), begun: false, sleep })
    }

    fn sleep_until(&self, _: Instant) -> Pin<Box<dyn Sleep>> {
        self.sleep(self.idle)
    }
}

impl Future for HeadSleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut this = self.project();
        if !*this.begun && this.timer.activity.count() != *this.seen {
            *this.begun = true;
            this.sleep.as_mut().reset(tokio::time::Instant::now() + this.timer.header);
        }
        this.sleep.poll(cx)
    }
}

impl Sleep for HeadSleep {}
