//! Faults of bodies.

use std::io;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::{self, StreamExt};

use crate::answer::Lines;
use crate::fault::FaultAction;

/// The body with the fault in it.
pub(crate) fn damage(lines: Lines, action: &FaultAction, is_watch: bool) -> Lines {
    match action {
        FaultAction::HangAfterHead => stream::pending().boxed(),
        FaultAction::CutMidLine => cut(lines),
        FaultAction::SlowBytes => slow(lines),
        FaultAction::GarbageLine => {
            let garbage = stream::once(async { Ok(Bytes::from_static(b"{\"type\": garbage\n")) });
            if is_watch { garbage.chain(lines).boxed() } else { garbage.boxed() }
        }
        FaultAction::DuplicateEvents if is_watch => lines
            .flat_map(|line| match line {
                Ok(line) => stream::iter(vec![Ok(line.clone()), Ok(line)]),
                Err(error) => stream::iter(vec![Err(error)]),
            })
            .boxed(),
        _ => lines,
    }
}

fn cut(lines: Lines) -> Lines {
    let half = stream::once(async move {
        let line = lines.into_future().await.0.transpose()?.unwrap_or_default();
        Ok(line.slice(..line.len() / 2))
    });
    let end = stream::once(async {
        // hyper writes what it has when the body has nothing more; after an error it would drop it.
        tokio::task::yield_now().await;
        Err(io::Error::from(io::ErrorKind::ConnectionReset))
    });
    half.chain(end).boxed()
}

fn slow(lines: Lines) -> Lines {
    lines
        .flat_map(|line| match line {
            Ok(line) => stream::iter(0..line.len())
                .then(move |at| {
                    let byte = line.slice(at..=at);
                    async move {
                        tokio::time::sleep(Duration::from_millis(1)).await;
                        Ok(byte)
                    }
                })
                .boxed(),
            Err(error) => stream::once(async { Err(error) }).boxed(),
        })
        .boxed()
}
