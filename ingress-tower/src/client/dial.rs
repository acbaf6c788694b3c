//! New connections to endpoints.

use std::future::Future;
use std::sync::Weak;
use std::time::Duration;

use http::uri::Authority;
use tokio::net::TcpStream;

use super::connection::Connection;
use super::http2::{self, Slot};
use super::resolve::resolve;
use super::target::Target;
use super::tls::Connector;
use crate::BoxError;

/// Makes connections. What that takes is boxed, so that the requests that need no new one stay small.
#[derive(Debug)]
pub(super) struct Dialer {
    connector: Connector,
    local_names: bool,
}

impl Dialer {
    pub(super) fn new(local_names: bool) -> Self {
        Self { connector: Connector::new(), local_names }
    }

    /// A connection of HTTP/1.1; `alone` says that it carries one request only.
    pub(super) async fn http1(
        &self,
        target: &Target,
        alone: bool,
        limit: Option<Duration>,
    ) -> Result<Connection, BoxError> {
        let connect = Box::pin(async {
            let stream = self.dial(&target.authority).await?;
            let opened = match &target.tls {
                None => Connection::open(stream, alone).await,
                Some(tls) => Connection::open(self.connector.secure(stream, tls, false).await?, alone).await,
            };
            Ok(opened?)
        });
        within(limit, connect).await
    }

    /// A connection of HTTP/2, which lies in this slot for as long as it is open.
    pub(super) async fn http2(
        &self,
        target: &Target,
        slot: Weak<Slot>,
        limit: Option<Duration>,
    ) -> Result<http2::Sender, BoxError> {
        let connect = Box::pin(async {
            let stream = self.dial(&target.authority).await?;
            match &target.tls {
                None => http2::handshake(stream, slot).await,
                Some(tls) => http2::handshake(self.connector.secure(stream, tls, true).await?, slot).await,
            }
        });
        within(limit, connect).await
    }

    async fn dial(&self, endpoint: &Authority) -> Result<TcpStream, BoxError> {
        let addresses = resolve(endpoint, self.local_names).await?;
        let stream = TcpStream::connect(&addresses[..]).await?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }
}

async fn within<T>(
    limit: Option<Duration>,
    connect: impl Future<Output = Result<T, BoxError>>,
) -> Result<T, BoxError> {
    match limit {
        Some(limit) => match tokio::time::timeout(limit, connect).await {
            Ok(connected) => connected,
            Err(_) => Err("connecting took too long".into()),
        },
        None => connect.await,
    }
}
