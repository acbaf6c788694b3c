//! A double of an API server, and the file that says how to reach it.

use std::path::Path;

use serde_json::json;
use test_apiserver::ApiServer;
use tokio::runtime::Runtime;

/// An API server that runs beside a test without a runtime of its own.
pub struct Cluster {
    pub server: ApiServer,
    pub runtime: Runtime,
    kubeconfig: tempfile::NamedTempFile,
}

impl Cluster {
    pub fn start() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.expect("a runtime");
        let server = runtime.block_on(ApiServer::start());
        let kubeconfig = tempfile::NamedTempFile::new().expect("a file");
        let config = json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "test",
            "clusters": [{ "name": "test", "cluster": { "server": server.url() } }],
            "users": [{ "name": "test", "user": {} }],
            "contexts": [{ "name": "test", "context": { "cluster": "test", "user": "test", "namespace": "ingress" } }],
        });
        std::fs::write(kubeconfig.path(), config.to_string()).expect("a file that can be written");
        Self { server, runtime, kubeconfig }
    }

    /// The file for `--kubeconfig`.
    pub fn kubeconfig(&self) -> &Path {
        self.kubeconfig.path()
    }
}
