//! Settings of an application, each as a browser meets it.

mod cookies;
mod cors;
mod denial;
mod effects;
mod hosts;
mod public_paths;
mod tokens;

use crate::support::wire::Reply;
use crate::support::world::World;

/// Whether an answer sends to the login page.
fn asks_to_sign_in(reply: &Reply) -> bool {
    let location = reply.header("location").unwrap_or_default();
    reply.status == 302 && location.contains("/cdn-cgi/access/login/")
}

/// What `check` says of *Wiki* with these lines.
fn refused(world: &World, lines: &str) -> String {
    let text = std::fs::read_to_string(world.file()).unwrap();
    let text = text.replace("name = \"Wiki\"\n", &format!("name = \"Wiki\"\n{lines}\n"));
    let file = world.file().with_file_name("other.toml");
    std::fs::write(&file, text).unwrap();
    let read = vestibule::config::load(&file, &|_| None);
    read.map_or_else(|faults| faults.to_string(), |_| String::new())
}
