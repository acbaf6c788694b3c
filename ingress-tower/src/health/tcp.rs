//! Whether a connection can be made.

use tokio::net::TcpStream;

use super::ask::Failure;
use super::checked::Question;
use crate::client::resolve;

/// Connects, and closes.
pub(super) async fn ask(question: &Question, local_names: bool) -> Result<(), Failure> {
    let endpoint = question.endpoint().ok_or_else(|| Failure::new("there is no endpoint"))?;
    let addresses = resolve(endpoint.authority(), local_names).await.map_err(Failure::new)?;
    TcpStream::connect(&addresses[..]).await.map(drop).map_err(Failure::new)
}
