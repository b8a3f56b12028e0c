//! How the loop tells others what is new, and how it waits.

use std::time::Instant;

use tokio::sync::watch;

/// Tells what is new, and nothing else.
pub(super) fn tell<T: PartialEq>(to: &watch::Sender<T>, value: T) {
    to.send_if_modified(|known| {
        let news = *known != value;
        if news {
            *known = value;
        }
        news
    });
}

/// Never, where there is no time.
pub(super) async fn sleep_until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at.into()).await,
        None => std::future::pending().await,
    }
}
