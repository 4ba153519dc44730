//! What is found out about a request: the country it comes from, the certificate of its client.

mod authority;
mod certificates;
mod countries;
pub(crate) use countries::database;
mod rules;
mod tls_edge;

use serde_json::Value;

use super::support::person::Person;
use super::support::world::World;

/// What `get-identity` says on a host.
async fn identity(person: &mut Person, world: &World, host: &str) -> Value {
    let reply = person
        .fetch(&world.host(host), "/cdn-cgi/access/get-identity", &[])
        .await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    serde_json::from_slice(&reply.body).unwrap()
}
