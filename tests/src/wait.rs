//! Waiting for something to become true, with a deadline and without blind sleeps.
use std::time::{Duration, Instant};

const STEP: Duration = Duration::from_millis(20);

/// Polls until `check` gives something; fails the test with `what` when `limit` has passed.
pub fn until<T>(what: &str, limit: Duration, mut check: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = check() {
            return found;
        }
        assert!(start.elapsed() < limit, "waited {limit:?} in vain: {what}");
        std::thread::sleep(STEP);
    }
}

/// The same where the check itself waits.
pub async fn until_async<T>(what: &str, limit: Duration, mut check: impl AsyncFnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = check().await {
            return found;
        }
        assert!(start.elapsed() < limit, "waited {limit:?} in vain: {what}");
        tokio::time::sleep(STEP).await;
    }
}
