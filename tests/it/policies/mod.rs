//! Policies through real HTTP: one rule decides, both ways, and is unknown where its source is missing; and what
//! policies are taken.

mod auth_context;
mod door;
mod evaluation;
mod evaluator;
mod live;
mod selectors;

/// Waits for a change that takes a moment to reach the data plane.
async fn until(mut holds: impl AsyncFnMut() -> bool) {
    for _ in 0..100 {
        if holds().await {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    panic!("it does not come to hold within two seconds");
}
