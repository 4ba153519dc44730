//! A group whose 100,000 members are all signed in: read, renamed and deleted, and what others wait for meanwhile.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use tokio::runtime::Runtime;
use vestibule::model::ids::IdpId;
use vestibule::session::table::LiveSession;

use super::client::{Answer, Client};
use super::fill::{MEMBERS, group_id};
use super::world::{World, sign_in};
use super::{CASES, THOUGHT, TOKEN, report, say, visited};

/// Where all of it happens.
#[derive(Clone, Copy)]
pub(super) struct Place<'p> {
    pub(super) listen: SocketAddr,
    pub(super) runtime: &'p Runtime,
    pub(super) provider: IdpId,
}

impl Place<'_> {
    /// Has the gateway know everybody's session, as if each had come by.
    pub(super) fn install(self, world: &World) -> anyhow::Result<Vec<Arc<LiveSession>>> {
        let sessions = &world.gateway.sessions;
        let install = |number| -> anyhow::Result<Arc<LiveSession>> {
            let found = super::fill::found(self.provider, number)?;
            Ok(sessions.install(sessions.asking(), found)?)
        };
        (1..=MEMBERS).map(install).collect()
    }

    /// The group with its members: by SCIM, which has no pages, and by the API, which has.
    pub(super) fn read(self, world: &World, client: &mut Client) -> anyhow::Result<()> {
        let group = group_id(1);
        let whole = client.must("GET", &format!("/Groups/{group}"), "")?;
        say(&format!(
            "the group is read by SCIM, {} MB with all members: {:.3?}",
            whole.body.len() / 1_000_000,
            whole.took
        ));
        let account = world.gateway.published.load().organization.account_id.clone();
        let base = format!(
            "/client/v4/accounts/{}/access/identity_providers/{}/scim/groups/{group}",
            account.as_str(),
            self.provider
        );
        let header = format!("Authorization: Bearer {TOKEN}");
        let mut api = Client::connect(self.listen, "localhost", base, header)?;
        let (mut took, mut read, mut after) = (Vec::new(), 0, String::new());
        loop {
            let Answer { body, took: one, .. } = api.must("GET", &after, "")?;
            took.push(one);
            let page: serde_json::Value = serde_json::from_str(&body)?;
            let members = page
                .pointer("/result/members")
                .and_then(|members| members.as_array());
            let members = members.context("members")?;
            read += members.len();
            match members.last().and_then(|last| last.get("value")?.as_str()) {
                Some(last) if members.len() == 10_000 => after = format!("?members_after={last}"),
                _ => break,
            }
        }
        ensure!(read >= MEMBERS as usize, "{read} members were read");
        report("… by the API, 10,000 a page", took);
        Ok(())
    }

    /// Does something, while others use the application, sign in, and ask and tell SCIM.
    pub(super) fn meanwhile<T>(
        self,
        mut scim: Client,
        work: impl FnOnce() -> anyhow::Result<T>,
        name: &str,
    ) -> anyhow::Result<T> {
        let stop = AtomicBool::new(false);
        let cookie = self.runtime.block_on(sign_in(self.listen))?;
        let (proxied, (done, took, signed_in, told)) = visited(self.listen, &cookie, || {
            std::thread::scope(|scope| {
                let signing_in = scope.spawn(|| self.keep_signing_in(&stop));
                let telling = scope.spawn(|| keep_telling(&mut scim, &stop));
                // Those who were at it before it began are not to be missed.
                std::thread::sleep(Duration::from_millis(200));
                let began = Instant::now();
                let done = work();
                let took = began.elapsed();
                stop.store(true, Ordering::Relaxed);
                let failed = |_| anyhow::anyhow!("a client failed");
                let signed_in = signing_in.join().map_err(failed)??;
                let told = telling.join().map_err(failed)??;
                Ok((done?, took, signed_in, told))
            })
        })?;
        say(&format!("{name}: {took:.3?}"));
        slowest("… proxied requests meanwhile", proxied);
        slowest("… sign-ins meanwhile", signed_in);
        slowest("… SCIM's requests about others meanwhile", told);
        Ok(done)
    }

    fn keep_signing_in(self, stop: &AtomicBool) -> anyhow::Result<Vec<Duration>> {
        let mut took = Vec::new();
        while !stop.load(Ordering::Relaxed) {
            let began = Instant::now();
            self.runtime.block_on(sign_in(self.listen))?;
            took.push(began.elapsed());
            std::thread::sleep(THOUGHT * 10);
        }
        Ok(took)
    }

    /// How long after SCIM's answer the last of them is out.
    pub(super) fn until_all_are_out(everybody: &[Arc<LiveSession>], answered: Instant) -> anyhow::Result<()> {
        while !everybody.iter().all(|session| session.over(0).is_some()) {
            ensure!(
                answered.elapsed() < Duration::from_mins(1),
                "somebody is still in"
            );
            std::thread::sleep(Duration::from_millis(1));
        }
        say(&format!(
            "… from the answer until all are out: {:.3?}",
            answered.elapsed()
        ));
        Ok(())
    }
}

/// Looks up and changes people who have nothing to do with it.
fn keep_telling(scim: &mut Client, stop: &AtomicBool) -> anyhow::Result<Vec<Duration>> {
    let (mut took, mut round) = (Vec::new(), 0);
    while !stop.load(Ordering::Relaxed) {
        for (_, request) in [CASES.first(), CASES.last()].into_iter().flatten() {
            let (method, path, body) = request(round);
            took.push(scim.must(method, &path, &body)?.took);
        }
        round += 1;
        std::thread::sleep(THOUGHT * 5);
    }
    Ok(took)
}

fn slowest(name: &str, took: Vec<Duration>) {
    let most = took.iter().max().copied().unwrap_or_default();
    report(name, took);
    say(&format!("{:<42} slowest {most:>8.3?}", ""));
}
