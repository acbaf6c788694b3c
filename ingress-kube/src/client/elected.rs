//! What one of several processes does for all: the status of Ingresses, and Events.

use std::collections::BTreeSet;
use std::time::Duration;

use ingress_core::Diagnostics;
use kube::Client;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::events::{self, Findings};
use super::feed::{self, Content, FeedId, News, Settings};
use super::leader::Elector;
use super::status::{Address, StatusWriter, Told, of_service};
use super::{Cluster, Namespaces, Publish, Watched};
use crate::{Config, Object};

/// How long the last writes may take altogether, and where the status of all Ingresses is taken back.
const END: Duration = Duration::from_secs(3);
const END_OF_STATUS: Duration = Duration::from_secs(10);

/// Something to report.
#[derive(Debug)]
pub(super) enum Note {
    Leading(bool),
    Trouble(String),
}

/// The tasks that write, and what they are told.
#[derive(Debug, Default)]
pub(super) struct Writers {
    told: Option<mpsc::UnboundedSender<Vec<Told>>>,
    findings: Option<mpsc::UnboundedSender<Findings>>,
    status: Option<JoinHandle<()>>,
    events: Option<JoinHandle<()>>,
    elector: Option<(oneshot::Sender<()>, JoinHandle<()>)>,
    others: Vec<JoinHandle<()>>,
    end: Duration,
}

impl Writers {
    /// Begins what the program asked for.
    pub(super) fn start(cluster: &Cluster, config: &Config) -> (Self, mpsc::UnboundedReceiver<Note>) {
        let (notes, received) = mpsc::unbounded_channel();
        let mut writers = Self::default();
        writers.end = if cluster.remove_status { END_OF_STATUS } else { END };
        if cluster.publish.is_none() && !cluster.events {
            return (writers, received);
        }
        let client = &cluster.client;
        let trouble = |notes: &mpsc::UnboundedSender<Note>| {
            let notes = notes.clone();
            move |text: String| drop(notes.send(Note::Trouble(text)))
        };
        let (lead, leading) = watch::channel(cluster.election.is_none());
        if let Some(publish) = &cluster.publish {
            let (told, news) = mpsc::unbounded_channel();
            let (addresses, known) = watch::channel(BTreeSet::new());
            match publish {
                Publish::Addresses(all) => drop(addresses.send_replace(all.iter().cloned().collect())),
                Publish::Service { namespace, name } => {
                    let follow = follow_service(
                        client.clone(),
                        cluster.settings.clone(),
                        namespace.clone(),
                        name.clone(),
                        addresses,
                        trouble(&notes),
                    );
                    writers.others.push(tokio::spawn(follow));
                }
            }
            // Two installations in one cluster must not take each other's status for their own.
            let class = config.ingress_class.as_ref().map(|name| format!("/{name}")).unwrap_or_default();
            let manager = format!("{}{class}", config.controller_class).chars().take(128).collect();
            let scoped = matches!(cluster.namespaces, Namespaces::Named(_));
            let writer = StatusWriter::new(client.clone(), known, leading.clone(), manager, scoped);
            writers.status = Some(tokio::spawn(writer.run(news, cluster.remove_status, trouble(&notes))));
            writers.told = Some(told);
        }
        if cluster.events {
            let (findings, found) = mpsc::unbounded_channel();
            let instance =
                cluster.election.as_ref().map_or("gateway", |election| &election.identity).to_owned();
            let run = events::run(client.clone(), instance, leading.clone(), found, trouble(&notes));
            writers.events = Some(tokio::spawn(run));
            writers.findings = Some(findings);
        }
        if let Some(election) = cluster.election.clone() {
            let (stop, stopped) = oneshot::channel();
            let elector = Elector::new(client.clone(), election);
            let health = cluster.health();
            let run = async move {
                let mut stopped = std::pin::pin!(async { drop(stopped.await) });
                // Who serves nothing yet has nothing to write, and must not keep others from it.
                tokio::select! {
                    _ = health.wait_until_ready() => {}
                    () = &mut stopped => return,
                }
                elector.run(&lead, stopped, |note| drop(notes.send(note))).await;
            };
            writers.elector = Some((stop, tokio::spawn(run)));
        } else {
            // Held for as long as the tasks look at it.
            writers.others.push(tokio::spawn(async move { lead.closed().await }));
        }
        (writers, received)
    }

    /// Says what became of Ingresses.
    pub(super) fn tell(&self, told: impl FnOnce() -> Vec<Told>) {
        if let Some(sender) = &self.told {
            let _ = sender.send(told());
        }
    }

    /// Says what was found.
    pub(super) fn found(
        &self,
        now: &Diagnostics,
        before: &Diagnostics,
        uid: impl Fn(&str, &str) -> Option<String>,
    ) {
        if let Some(sender) = &self.findings {
            let _ = sender.send(events::news(now, before, uid));
        }
    }

    /// Ends the tasks: those that write finish first, and then the Lease is given back.
    pub(super) async fn end(&mut self) {
        (self.told, self.findings) = (None, None);
        let limit = Instant::now() + self.end;
        for mut task in [self.status.take(), self.events.take()].into_iter().flatten() {
            if tokio::time::timeout_at(limit, &mut task).await.is_err() {
                task.abort();
            }
        }
        if let Some((stop, elector)) = self.elector.take() {
            let _ = stop.send(());
            let _ = elector.await;
        }
        self.others.drain(..).for_each(|task| task.abort());
    }
}

impl Drop for Writers {
    fn drop(&mut self) {
        let tasks = [self.status.take(), self.events.take()].into_iter().flatten();
        let elector = self.elector.take().map(|(_, task)| task);
        tasks.chain(elector).chain(self.others.drain(..)).for_each(|task| task.abort());
    }
}

/// Keeps up to date where a Service can be reached.
async fn follow_service(
    client: Client,
    settings: Settings,
    namespace: String,
    name: String,
    addresses: watch::Sender<BTreeSet<Address>>,
    failed: impl Fn(String),
) {
    let id = FeedId {
        watched: Watched::Services,
        namespace: Some((*namespace).into()),
        name: Some((*name).into()),
    };
    let (sender, mut news) = mpsc::channel(1);
    let _task = feed::spawn(&client, &id, &settings, &sender);
    let mut failing = false;
    while let Some((_, news)) = news.recv().await {
        let items = match news {
            News::Listed(items) => {
                if items.is_empty() {
                    failed(format!(
                        "Service {namespace}/{name}, whose addresses are published, does not exist"
                    ));
                }
                items
            }
            News::Applied(item) => vec![item],
            // The addresses of a Service that is gone for a moment are better than none.
            News::Deleted(_) | News::Works => Vec::new(),
            News::Failed(why) => {
                if !std::mem::replace(&mut failing, true) {
                    failed(format!("Service {namespace}/{name}, whose addresses are published: {why}"));
                }
                continue;
            }
        };
        failing = false;
        for item in items {
            let Content::Object(Object::Service(service), _) = item.content else { continue };
            let now = of_service(&service);
            addresses.send_if_modified(|known| std::mem::replace(known, now.clone()) != now);
        }
    }
}
