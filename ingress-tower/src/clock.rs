//! The present, as the core counts it.

use std::sync::LazyLock;

use ingress_core::Moment;
use tokio::time::Instant;

/// Where counting begins. Tokio's clock, so that tests may stop it.
static START: LazyLock<Instant> = LazyLock::new(Instant::now);

pub(crate) fn now() -> Moment {
    Moment::after(Instant::now().saturating_duration_since(*START))
}
