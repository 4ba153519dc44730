// What was decided about people who signed in, and what would be: the log, tests of policies, checks of a person.
//
// Alice was let in at WIKI and OTHER, Adam at WIKI, and a minute later Mallory was refused at WIKI.

import assert from "node:assert/strict";
import { setTimeout } from "node:timers/promises";

import { access, account_id, all, host, live, refused } from "./common.mjs";

const { ALICE, ADAM, MALLORY, PROVIDER, STAFF } = process.env;

/** The log; what the client knows no filter for is sent as it lets one send anything. */
function log(filters, query = undefined) {
  const params = { account_id, ...filters };
  // Options have the whole query where they have any.
  return access.logs.accessRequests.list(params, query && { query: { ...filters, ...query } });
}

await live({
  async accessRequests() {
    const rows = await log({});
    const [refusal, ...others] = rows;
    assert.deepEqual([refusal.user_email, refusal.allowed, refusal.action], [MALLORY, false, "login"]);
    assert.deepEqual([refusal.app_domain, refusal.connection], [host, "azureAD"]);
    assert.ok(refusal.ip_address && refusal.ray_id && others.every((row) => row.allowed));
    assert.deepEqual(new Set(others.map((row) => row.user_email)), new Set([ALICE, ADAM]));
    const next = new Date(Date.parse(refusal.created_at) + 60_000).toISOString();
    for (const [filters, found] of [
      [{ direction: "asc" }, rows.toReversed()],
      [{ limit: 2 }, rows.slice(0, 2)],
      [{ per_page: 2, page: 2 }, rows.slice(2, 4)],
      [{ page: 99 }, []],
      [{ email: "MALL" }, [refusal]],
      [{ email: "mall", email_exact: true }, []],
      [{ email: MALLORY, emailOp: "neq" }, others],
      [{ email: "contoso", emailOp: "contains" }, rows],
      [{ since: refusal.created_at }, [refusal]],
      [{ until: refusal.created_at }, others],
      [{ since: next }, []],
    ]) {
      assert.deepEqual(await log(filters), found, JSON.stringify(filters));
    }
    const elsewhere = others.filter((row) => row.app_domain !== host);
    assert.ok(elsewhere.length > 0);
    for (const [filters, query, found] of [
      [{}, { allowed: false }, [refusal]],
      [{ allowedOp: "neq" }, { allowed: false }, others],
      [{ app_uidOp: "neq" }, { app_uid: refusal.app_uid }, elsewhere],
      [{}, { idp: PROVIDER }, rows],
      [{ idpOp: "neq" }, { idp: PROVIDER }, []],
      [{ fields: "user_email,app_name" }, { ray_id: refusal.ray_id }, [{ user_email: MALLORY, app_name: "Wiki" }]],
    ]) {
      assert.deepEqual(await log(filters, query), found, JSON.stringify(query));
    }
    await refused(400, "password", () => log({ fields: "password" }));
  },

  async policyTests() {
    const { policyTests } = access.applications;
    const reusable = await access.policies.create({
      account_id, name: "not Adam", decision: "deny", include: [{ email: { email: ADAM } }],
    });
    const include = [{ azureAD: { id: STAFF, identity_provider_id: PROVIDER } }];
    const inline = { name: "staff", decision: "allow", include };
    const begun = await policyTests.create({ account_id, policies: [reusable.id, inline] });
    assert.equal(begun.status, "success");
    let test = await policyTests.get(begun.id, { account_id });
    for (const deadline = Date.now() + 10_000; test.status === "processing"; await setTimeout(20)) {
      assert.ok(Date.now() < deadline, "the test does not end");
      test = await policyTests.get(begun.id, { account_id });
    }
    const { id, status, total_users, users_approved, users_blocked, users_errored } = test;
    assert.deepEqual([id, status], [begun.id, "complete"]);
    assert.deepEqual([total_users, users_approved, users_blocked, users_errored], [3, 1, 2, 0]);
    assert.deepEqual([test.percent_users_processed, test.percent_approved, test.percent_blocked], [100, 33, 66]);
    const found = async (filters) => {
      const users = await all(policyTests.users.list(begun.id, { account_id, ...filters }));
      return users.map((user) => [user.email, user.status]);
    };
    const [approved, ...blocked] = [[ALICE, "approved"], [ADAM, "blocked"], [MALLORY, "blocked"]];
    assert.deepEqual(await found({ status: "success" }), [approved]);
    assert.deepEqual(await found({ status: "fail" }), blocked);
    assert.deepEqual(await found({ status: "error" }), []);
    assert.deepEqual(await found({ per_page: 1 }), [approved, ...blocked]);
    await refused(400, "/policies", () => policyTests.create({ account_id, policies: [] }));
    const nowhere = "11111111-1111-4111-8111-111111111111";
    await refused(404, "unknown_policy_test", () => policyTests.get(nowhere, { account_id }));
    await access.policies.delete(reusable.id, { account_id });
  },

  async userPolicyChecks() {
    const [wiki] = await all(access.applications.list({ account_id, name: "Wiki" }));
    const checks = access.applications.userPolicyChecks;
    // At Cloudflare whoever asks is the person; a token of ours is none, so the person is named.
    const check = (user) => checks.list(wiki.id, { account_id }, { query: { user } });
    const { app_state, user_identity } = await check(ALICE);
    assert.deepEqual([app_state.app_uid, app_state.aud, app_state.hostname], [wiki.id, wiki.aud, host]);
    const [policy, ...more] = app_state.policies;
    assert.deepEqual([app_state.status, policy.status, policy.decision, more], ["Success", "Success", "allow", []]);
    assert.deepEqual([policy.include[0]._type, policy.include[0].id], ["azureAD", STAFF]);
    assert.deepEqual([user_identity.email, user_identity.account_id], [ALICE, account_id]);
    const mallory = await check(MALLORY);
    assert.deepEqual([mallory.app_state.status, mallory.user_identity.email], ["Failure", MALLORY]);
    await refused(400, "user=", () => checks.list(wiki.id, { account_id }));
  },
});
