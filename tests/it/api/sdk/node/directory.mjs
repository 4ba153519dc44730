// What a directory told by SCIM before: three people, two groups, and one request that was refused.
//
// ALICE_OID is Alice's object id there, SECRET what the directory proves itself with.

import assert from "node:assert/strict";

import { access, account_id, all, everybody, identityProviders, leave, live, raw, refused } from "./common.mjs";

const { ALICE, ALICE_OID, KIM, PROVIDER, SECRET } = process.env;
const { scim } = identityProviders;
const own = `/access/identity_providers/${PROVIDER}`;
const users = (filters) => all(scim.users.list(PROVIDER, { account_id, ...filters }));
const groups = (filters) => all(scim.groups.list(PROVIDER, { account_id, ...filters }));
const updates = (filters) => all(access.logs.scim.updates.list({ account_id, idp_id: [PROVIDER], ...filters }));

await live({
  async people() {
    const listed = await users({});
    const [alice, kim, lee] = listed;
    assert.deepEqual([alice.displayName, alice.active, alice.externalId], ["Told Alice", true, ALICE_OID]);
    assert.deepEqual(alice.emails, [{ type: "work", primary: true, value: ALICE }]);
    assert.deepEqual(alice.schemas, ["urn:ietf:params:scim:schemas:core:2.0:User"]);
    assert.deepEqual([kim.displayName, kim.active, lee.active, listed.length], ["Told Kim", false, true, 3]);
    for (const [filters, found] of [
      [{ per_page: 1 }, listed],
      [{ username: KIM.toUpperCase() }, [kim]],
      [{ email: ALICE }, [alice]],
      [{ name: "nobody" }, []],
      [{ cf_resource_id: [kim.id, lee.id] }, [kim, lee]],
      [{ cf_resource_id: [lee.id, kim.id], per_page: 1 }, [lee, kim]],
      [{ idp_resource_id: [ALICE_OID] }, [alice]],
    ]) {
      assert.deepEqual(await users(filters), found, JSON.stringify(filters));
    }
    await refused(400, "email", () => users({ cf_resource_id: [kim.id], email: KIM }));
    assert.equal((await raw("get", `${own}/scim/users/${kim.id}`)).displayName, "Told Kim");
  },

  async groups() {
    const listed = await groups({});
    const [sailors, pilots] = listed;
    assert.deepEqual(listed.map((group) => group.displayName), ["Sailors", "Pilots"]);
    assert.deepEqual(sailors.schemas, ["urn:ietf:params:scim:schemas:core:2.0:Group"]);
    for (const [filters, found] of [
      [{ per_page: 1 }, listed],
      [{ name: "pilots" }, [pilots]],
      [{ name: "pil" }, []],
      [{ cf_resource_id: [sailors.id] }, [sailors]],
      [{ idp_resource_id: [pilots.externalId, sailors.externalId] }, [pilots, sailors]],
    ]) {
      assert.deepEqual(await groups(filters), found, JSON.stringify(filters));
    }
    const { members } = await raw("get", `${own}/scim/groups/${sailors.id}`);
    const [alice, kim] = await users({});
    assert.deepEqual(new Set(members.map((member) => member.value)), new Set([alice.id, kim.id]));
  },

  async log() {
    const rows = await updates({ direction: "asc" });
    assert.deepEqual(rows.map((row) => [row.request_method, row.resource_type, row.status].join(" ")), [
      "POST USER SUCCESS", "POST USER SUCCESS", "POST USER SUCCESS", "POST GROUP SUCCESS", "POST GROUP SUCCESS",
      "PATCH USER SUCCESS", "POST USER FAILURE",
    ]);
    const [first, refusal] = [rows[0], rows.at(-1)];
    assert.deepEqual([first.idp_id, first.resource_user_email, first.idp_resource_id], [PROVIDER, ALICE, ALICE_OID]);
    assert.ok(first.request_body.includes(ALICE) && first.error_description === null && refusal.error_description);
    assert.deepEqual(await updates({}), rows.toReversed());
    for (const [filters, found] of [
      [{ per_page: 1 }, rows],
      [{ per_page: 3 }, rows],
      [{ per_page: 7 }, rows],
      [{ limit: 3, per_page: 2 }, rows.slice(0, 3)],
      [{ status: ["FAILURE"] }, [refusal]],
      [{ resource_type: ["GROUP"] }, rows.slice(3, 5)],
      [{ request_method: ["PATCH", "DELETE"] }, [rows[5]]],
      [{ resource_user_email: [ALICE], status: ["SUCCESS"] }, [first]],
      [{ resource_group_name: ["Pilots"] }, [rows[4]]],
      [{ cf_resource_id: [first.cf_resource_id] }, [first]],
      [{ idp_resource_id: [ALICE_OID], per_page: 1, status: ["SUCCESS"] }, [first]],
      [{ until: first.logged_at }, []],
    ]) {
      assert.deepEqual(await updates({ direction: "asc", ...filters }), found, JSON.stringify(filters));
    }
    await refused(400, "status", () => updates({ status: ["MAYBE"] }));
  },

  async authenticationContexts() {
    const [context, ...more] = await raw("get", `${own}/auth_context`);
    assert.deepEqual([context.ac_id, context.display_name, context.uid, more], ["c1", "Strong", context.id, []]);
    assert.equal((await raw("put", `${own}/auth_context`)).id, PROVIDER);
    assert.deepEqual(await raw("get", `${own}/auth_context`), [context]);
    const require = [{ auth_context: { id: context.id, ac_id: "c1", identity_provider_id: PROVIDER } }];
    const strong = { account_id, name: "strong", decision: "allow", include: everybody, require };
    const made = await access.policies.create(strong);
    assert.deepEqual((await access.policies.get(made.id, { account_id })).require, require);
    await access.policies.delete(made.id, { account_id });
  },

  async secret() {
    const { id, scim_config } = await raw("post", `${own}/refresh_scim_secret`);
    assert.equal(id, PROVIDER);
    assert.ok(scim_config.secret && scim_config.secret !== SECRET);
    assert.equal((await identityProviders.get(PROVIDER, { account_id })).scim_config.secret, undefined);
    leave({ secret: scim_config.secret });
  },
});
