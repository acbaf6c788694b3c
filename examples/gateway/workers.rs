//! The threads that serve traffic: each a runtime of its own, all with the same listening socket.
//!
//! A request is accepted, routed, proxied and answered on one thread, so nothing of it waits for another.

use std::net::TcpListener;
use std::thread::JoinHandle;

use ingress_tower::server::Server;
use ingress_tower::tls::Tls;
use tokio::sync::watch;

use crate::Failure;
use crate::access_log::GatewayService;

/// A listening socket, and what is spoken there.
#[derive(Debug)]
pub(crate) struct Port {
    pub(crate) listener: TcpListener,
    pub(crate) tls: Option<Tls>,
}

/// The running threads.
#[derive(Debug)]
pub(crate) struct Workers {
    threads: Vec<JoinHandle<usize>>,
    stop: watch::Sender<bool>,
}

impl Workers {
    /// Starts `count` threads.
    pub(crate) fn start(
        count: usize,
        ports: &[Port],
        service: &GatewayService,
        server: &Server,
    ) -> Result<Self, Failure> {
        let (stop, stopped) = watch::channel(false);
        let start = |number: usize| {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            // A listener belongs to the runtime in which it is made.
            let entered = runtime.enter();
            let mut serving = tokio::task::JoinSet::new();
            for port in ports {
                let listener = tokio::net::TcpListener::from_std(port.listener.try_clone()?)?;
                let (tls, service, server) = (port.tls.clone(), service.clone(), server.clone());
                let mut stopped = stopped.clone();
                let until = async move {
                    // An error means that the sender is gone, and that is the end, too.
                    let _ = stopped.wait_for(|stopped| *stopped).await;
                };
                serving.spawn(async move {
                    match tls {
                        None => server.serve(listener, service, until).await.cut,
                        Some(tls) => server.serve_tls(listener, &tls, service, until).await.cut,
                    }
                });
            }
            drop(entered);
            let serve = async move { serving.join_all().await.into_iter().sum() };
            std::thread::Builder::new()
                .name(format!("worker-{number}"))
                .spawn(move || runtime.block_on(serve))
        };
        let threads: Result<_, std::io::Error> = (0..count).map(start).collect();
        let threads = threads.map_err(|error| Failure::System(format!("cannot start a worker: {error}")))?;
        Ok(Self { threads, stop })
    }

    /// Stops accepting and waits until open requests are done or the drain limit is reached. Returns how
    /// many connections were cut.
    pub(crate) fn stop(self) -> usize {
        self.stop.send_replace(true);
        let mut cut = 0;
        for thread in self.threads {
            match thread.join() {
                Ok(connections) => cut += connections,
                Err(_) => tracing::error!("a worker had panicked, and its connections with it"),
            }
        }
        cut
    }
}
