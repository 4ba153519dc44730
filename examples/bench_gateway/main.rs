//! A gateway for load generators: one upstream, one person signed in, the cookie in a file.
//!
//! ```text
//! cargo build --release --example bench_gateway
//! target/release/examples/bench_gateway LISTEN UPSTREAM COOKIE_FILE
//! ```

mod world;

use std::time::Duration;

use anyhow::Context as _;
use world::{Kept, World};

/// As in the product's binary: a tenth less time for each request.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let mut next = |what| {
        arguments
            .next()
            .with_context(|| format!("{what} is missing: LISTEN UPSTREAM COOKIE_FILE"))
    };
    let (listen, upstream, file) = (next("LISTEN")?, next("UPSTREAM")?, next("COOKIE_FILE")?);
    let control = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    control.block_on(async {
        let world = World::start(
            listen.parse()?,
            upstream.parse()?,
            Kept {
                store: "sqlite::memory:",
                provider: "",
            },
        )
        .await?;
        tokio::fs::write(file, &world.cookie).await?;
        tokio::signal::ctrl_c().await?;
        world.gateway.stop(Duration::ZERO).await;
        Ok(())
    })
}
