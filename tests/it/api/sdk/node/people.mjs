// People who signed in before: found, told about, renamed, put out, deleted.
//
// Alice has two sessions, at WIKI alone and at OTHER alone; Adam has one; Mallory was refused at WIKI.

import assert from "node:assert/strict";

import { access, account_id, all, host, ids, live, organizations, refused, seats } from "./common.mjs";

const { ALICE, ADAM, MALLORY, STAFF } = process.env;
const { users } = access;
const { activeSessions, failedLogins, lastSeenIdentity } = users;

/** The one user with an address. */
async function known(email) {
  const found = await all(users.list({ account_id, email }));
  assert.equal(found.length, 1, email);
  return found[0];
}

const sessions = (user) => all(activeSessions.list(user.id, { account_id }));
const opened = (session) => Object.values(session.metadata.apps).map((app) => app.name);

await live({
  async users() {
    const listed = await all(users.list({ account_id }));
    assert.deepEqual(listed.map((user) => user.email), [ALICE, ADAM, MALLORY]);
    const [alice, adam, mallory] = listed;
    assert.deepEqual([alice.name, alice.uid, alice.access_seat], ["Alice Example", alice.id, true]);
    assert.deepEqual([alice.gateway_seat, alice.active_device_count], [false, 0]);
    assert.ok(alice.seat_uid && new Date(alice.last_successful_login) <= new Date(adam.last_successful_login));
    assert.deepEqual(await ids(users.list({ account_id, per_page: 1 })), [alice.id, adam.id, mallory.id]);
    assert.deepEqual(await ids(users.list({ account_id, per_page: 2, page: 2 })), [mallory.id]);
    for (const [filters, found] of [
      [{ email: ALICE.toUpperCase() }, [alice]],
      [{ name: "Adam Example" }, [adam]],
      [{ name: "Adam" }, []],
      [{ search: "MALLORY" }, [mallory]],
      [{ search: "example", per_page: 2 }, [alice, adam, mallory]],
      [{ email: ALICE, name: "Adam Example" }, []],
    ]) {
      assert.deepEqual(await all(users.list({ account_id, ...filters })), found);
    }
    assert.deepEqual(await users.get(alice.id, { account_id }), alice);

    const renamed = await users.update(adam.id, { account_id, email: ADAM, name: "Adam of Staff" });
    assert.deepEqual([renamed.name, renamed.email], ["Adam of Staff", ADAM]);
    assert.equal((await users.get(adam.id, { account_id })).name, "Adam of Staff");
    await refused(400, "/email", () => users.update(adam.id, { account_id, email: ALICE, name: "Adam" }));
    await refused(400, "first login", () => users.create({ account_id, email: "zoe@contoso.example", name: "Zoe" }));
  },

  async identities() {
    const alice = await known(ALICE);
    const [oldest, newest] = (await sessions(alice)).sort((one, other) => one.metadata.iat - other.metadata.iat);
    assert.deepEqual([opened(oldest), opened(newest)], [["Wiki"], ["Other"]]);
    const [app] = Object.values(oldest.metadata.apps);
    assert.deepEqual([app.hostname, app.type], [host, "self_hosted"]);
    assert.equal((await access.applications.get(app.uid, { account_id })).name, "Wiki");
    for (const { name, expiration, metadata } of [oldest, newest]) {
      assert.deepEqual([name, expiration], [metadata.nonce, metadata.expires]);
      assert.equal(metadata.expires, metadata.iat + metadata.ttl);
    }
    const identity = await activeSessions.get(newest.name, { account_id, user_id: alice.id });
    assert.deepEqual([identity.isActive, identity.email, identity.user_uuid], [true, ALICE, alice.id]);
    assert.deepEqual([identity.account_id, identity.idp.type], [account_id, "azureAD"]);
    assert.deepEqual([identity.is_warp, identity.is_gateway, identity.service_token_status], [false, false, false]);
    assert.ok(identity.groups.some((group) => group.id === STAFF));
    const last = await lastSeenIdentity.get(alice.id, { account_id });
    assert.deepEqual([last.email, last.user_uuid, last.iat, last.passkeys], [ALICE, alice.id, identity.iat, []]);
    // Another's session is none of this user's.
    const adam = await known(ADAM);
    await refused(404, "unknown_session", () => activeSessions.get(newest.name, { account_id, user_id: adam.id }));
  },

  async failedLogins() {
    const mallory = await known(MALLORY);
    const [failed, ...more] = await all(failedLogins.list(mallory.id, { account_id }));
    const { app_name, user_email, user_uuid, aud, ray_id } = failed.metadata;
    assert.deepEqual([app_name, user_email, user_uuid, more], ["Wiki", MALLORY, mallory.id, []]);
    assert.ok(aud.length === 64 && ray_id && failed.expiration > 0);
    assert.deepEqual(await all(failedLogins.list((await known(ALICE)).id, { account_id })), []);
  },

  async tokensAreRevoked() {
    const alice = await known(ALICE);
    const [wiki] = await all(access.applications.list({ account_id, name: "Wiki" }));
    await access.applications.revokeTokens(wiki.id, { account_id });
    assert.deepEqual((await sessions(alice)).flatMap(opened), ["Other"]);
  },

  async seats() {
    const adam = await known(ADAM);
    const free = { seat_uid: adam.seat_uid, access_seat: false, gateway_seat: false };
    const [seat] = await all(seats.edit({ account_id, body: [free] }));
    assert.deepEqual([seat.seat_uid, seat.access_seat, seat.gateway_seat], [adam.seat_uid, false, false]);
    assert.equal(seat.created_at, adam.created_at);
    assert.equal((await known(ADAM)).access_seat, false);
    assert.deepEqual(await sessions(adam), []);
    const take = { ...free, access_seat: true };
    await refused(400, "/0/access_seat", () => seats.edit({ account_id, body: [take] }));
  },

  async revocation() {
    const alice = await known(ALICE);
    const nonces = (await sessions(alice)).map((session) => session.name);
    assert.equal(nonces.length, 2);
    assert.equal(await organizations.revokeUsers({ account_id, email: ALICE }), true);
    assert.deepEqual(await sessions(alice), []);
    for (const nonce of nonces) {
      assert.equal((await activeSessions.get(nonce, { account_id, user_id: alice.id })).isActive, false);
    }
    assert.equal((await lastSeenIdentity.get(alice.id, { account_id })).email, ALICE);
    const nobody = "nobody@contoso.example";
    await refused(404, "unknown_user", () => organizations.revokeUsers({ account_id, email: nobody }));
  },

  async deletion() {
    const mallory = await known(MALLORY);
    assert.equal(await users.delete(mallory.id, { account_id }), null);
    await refused(404, "unknown_user", () => users.get(mallory.id, { account_id }));
    assert.deepEqual(await all(users.list({ account_id, email: MALLORY })), []);
  },
});
