//! The whole of Vestibule in one command: a mock Entra tenant, two sample applications, and the gateway before them.
//!
//! ```text
//! cargo run --example demo            # on port 8080
//! cargo run --example demo -- 8081    # on another
//! ```

mod apps;
mod world;

use anyhow::Context as _;
use vestibule::telemetry::logging::{self, LineFormat};
use world::World;

/// Where the demo listens unless told otherwise.
const PORT: u16 = 8080;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let port = match std::env::args().nth(1) {
        Some(text) => text.parse().with_context(|| format!("{text:?} is no port"))?,
        None => PORT,
    };
    let _log = logging::start(tracing::Level::WARN, None, LineFormat::Text)?;
    let (world, _) = World::start(port, "sqlite::memory:").await?;
    announce(&world);
    tokio::signal::ctrl_c().await?;
    world.gateway.stop(std::time::Duration::from_secs(1)).await;
    Ok(())
}

#[expect(clippy::print_stdout, reason = "the demo speaks to the person who started it")]
fn announce(world: &World) {
    let wiki = world.address("wiki", "/");
    let live = world.address("live", "/");
    let public = world.address("wiki", "/public/");
    println!(
        "\nVestibule is running. Open one of these in a browser:\n
  {wiki:<34} who you are, and every header the application received
  {live:<34} a WebSocket and server-sent events that end with your session
  {public:<34} open to everybody, without a sign-in\n
Sign in as\n
  alice@contoso.example   Engineering: opens Wiki and Live
  bob@contoso.example     Sales: opens Wiki, is refused at Live
  eve@contoso.example     in 250 groups, none of them Engineering: opens Wiki
  carol@partner.example   a guest of another company: is refused
  dan@contoso.example     his account is disabled: Microsoft's side refuses him\n
The mock Entra tenant is at {entra} (no password is checked). At
  {entra}/provisioning
disable somebody, or have them leave a group, and watch their open tab of Live: it is cut within a second.
Stop with Ctrl-C; nothing is kept.\n",
        entra = world.entra.base_url(),
    );
}
