//! A cluster that is followed while somebody looks up what must be served all the time.

use ingress_kube::client::Cluster;
use test_apiserver::{ApiServer, Recorded};

use super::{Looking, PATIENCE, Running, class, served, slice};

/// What is watched.
pub const KINDS: [&str; 5] = ["endpointslices", "ingressclasses", "ingresses", "secrets", "services"];

/// `kept.example` and `web.example` are served whatever happens.
pub struct Followed {
    pub server: ApiServer,
    pub running: Running,
    pub looking: Looking,
}

impl Followed {
    pub async fn start() -> Self {
        Self::start_with(|cluster| cluster).await
    }

    pub async fn start_with(set: impl FnOnce(Cluster) -> Cluster) -> Self {
        let server = ApiServer::start().await;
        server.apply(class());
        for name in ["kept", "web", "old"] {
            server.apply_all(served("shop", name, "10.0.0.1"));
        }
        let running = Running::ready_with(&server, set).await;
        // Open watches, so that each fault meets what it is meant for.
        let watches = |requests: &[Recorded]| {
            requests.iter().filter(|one| one.verb == "watch" && one.status == Some(200)).count()
                == KINDS.len()
        };
        server.wait_for_requests(PATIENCE, watches).await.expect("open watches");
        let looking = Looking::for_hosts(&running, &["kept.example", "web.example"]);
        Self { server, running, looking }
    }

    /// Changes, creates and deletes.
    pub fn change(&self) {
        self.server.apply(slice("shop", "web", &["10.0.0.9"]));
        self.server.apply_all(served("shop", "new", "10.0.0.2"));
        assert!(self.server.delete("Ingress", "shop", "old"));
    }

    /// What was changed is served, nothing was missed, and every watch works again.
    pub async fn converges(self) {
        let Self { server, running, looking } = self;
        let addresses = |name: &str| running.serves(&format!("{name}.example"), "/").unwrap_or_default();
        running.wait_until("new endpoint", || (addresses("web") == ["10.0.0.9:8080"]).then_some(())).await;
        running.wait_until("new host", || (addresses("new") == ["10.0.0.2:8080"]).then_some(())).await;
        let is_old_served = || running.serves("old.example", "/").is_some();
        running.wait_until("end of a host", || (!is_old_served()).then_some(())).await;
        running.all_work().await;
        looking.end();
        assert_eq!(running.lines_with("cannot be").len(), running.lines_with("can be watched again").len());
        running.stop().await;
        drop(server);
    }
}
