// Applications, what decides who may open them, and what they refer to.

import assert from "node:assert/strict";

import { access, account_id, all, everybody, gateway, host, ids, live, raw, refused } from "./common.mjs";

await live({
  async groups() {
    const include = [{ email_domain: { domain: "example.com" } }];
    const made = await access.groups.create({ account_id, name: "node", include });
    assert.deepEqual(made.include, include);
    const put = await access.groups.update(made.id, { account_id, name: "node", include: everybody, exclude: include });
    assert.deepEqual([put.include, put.exclude], [everybody, include]);
    const holder = await access.groups.create({ account_id, name: "holder", include: [{ group: { id: made.id } }] });
    await refused(409, "holder", () => access.groups.delete(made.id, { account_id }));
    assert.deepEqual(await ids(access.groups.list({ account_id, per_page: 1 })), [made.id, holder.id]);
    for (const one of [holder.id, made.id]) await access.groups.delete(one, { account_id });
  },

  async applicationsAndPolicies() {
    const reusable = await access.policies.create({ account_id, name: "node", decision: "deny", include: everybody });
    assert.equal(reusable.reusable, true);
    const app = { account_id, type: "self_hosted", name: "Node", domain: `node-${host}` };
    const made = await access.applications.create({ ...app, policies: [{ id: reusable.id, precedence: 1 }] });
    assert.equal(made.policies[0].id, reusable.id);
    const put = await access.applications.update(made.id, { ...app, name: "renamed", policies: [reusable.id] });
    assert.deepEqual([put.name, put.aud, put.policies[0].id], ["renamed", made.aud, reusable.id]);
    assert.deepEqual(await access.applications.get(made.id, { account_id }), put);
    await refused(409, "renamed", () => access.policies.delete(reusable.id, { account_id }));

    const own = access.applications.policies;
    const first = await own.create(made.id, { account_id, name: "own", decision: "allow", include: everybody });
    const scope = { account_id, app_id: made.id };
    await own.update(first.id, { ...scope, name: "own", decision: "deny", include: everybody });
    assert.equal((await own.get(first.id, scope)).decision, "deny");
    assert.deepEqual(await ids(own.list(made.id, { account_id })), [reusable.id, first.id]);
    await own.delete(first.id, scope);

    const { settings } = access.applications;
    assert.deepEqual(await settings.edit(made.id, { account_id, allow_iframe: true }), { allow_iframe: true });
    const both = { allow_iframe: false, skip_interstitial: true };
    assert.deepEqual(await settings.update(made.id, { account_id, ...both }), both);
    const read = await access.applications.get(made.id, { account_id });
    assert.deepEqual([read.allow_iframe, read.skip_interstitial, read.name], [false, true, "renamed"]);

    const second = await own.create(made.id, { account_id, name: "second", decision: "deny", include: everybody });
    const moved = await raw("put", `/access/apps/${made.id}/policies/${second.id}/make_reusable`);
    assert.deepEqual([moved.id, moved.name, moved.reusable], [second.id, "second", true]);
    const { decision, app_count } = await access.policies.get(second.id, { account_id });
    assert.deepEqual([decision, app_count], ["deny", 1]);
    assert.deepEqual(await ids(own.list(made.id, { account_id })), [reusable.id, second.id]);
    await access.applications.revokeTokens(made.id, { account_id });
    assert.ok((await ids(access.applications.list({ account_id, per_page: 2 }))).includes(made.id));
    await access.applications.delete(made.id, { account_id });
    const changed = await access.policies.update(reusable.id, {
      account_id, name: "node", decision: "allow", include: everybody,
    });
    assert.equal(changed.decision, "allow");
    assert.equal((await access.policies.get(reusable.id, { account_id })).decision, "allow");
    assert.ok((await ids(access.policies.list({ account_id, per_page: 1 }))).includes(reusable.id));
    for (const one of [reusable.id, second.id]) await access.policies.delete(one, { account_id });
  },

  async tags() {
    await access.tags.create({ account_id, name: "on call" });
    await refused(409, "12132", () => access.tags.create({ account_id, name: "on call" }));
    assert.equal((await access.tags.get("on call", { account_id })).name, "on call");
    assert.deepEqual((await all(access.tags.list({ account_id }))).map((tag) => tag.name), ["on call"]);
    const app = { account_id, name: "Tagged", type: "self_hosted", domain: `tagged-${host}` };
    const tagged = await access.applications.create({ ...app, tags: ["on call"] });
    assert.deepEqual(tagged.tags, ["on call"]);
    const unknown = { ...app, tags: ["on call", "nowhere"] };
    await refused(400, "/tags/1", () => access.applications.update(tagged.id, unknown));
    await refused(409, "Tagged", () => access.tags.delete("on call", { account_id }));
    await access.applications.delete(tagged.id, { account_id });
    assert.equal((await access.tags.delete("on call", { account_id })).name, "on call");
  },

  async customPages() {
    const page = { account_id, name: "No", type: "identity_denied", custom_html: "<h1>No.</h1>" };
    const made = await access.customPages.create(page);
    await access.customPages.update(made.uid, { ...page, name: "Not" });
    assert.equal((await access.customPages.get(made.uid, { account_id })).name, "Not");
    assert.deepEqual((await all(access.customPages.list({ account_id }))).map((one) => one.uid), [made.uid]);
    assert.equal((await access.customPages.delete(made.uid, { account_id })).id, made.uid);
  },

  async certificates() {
    const made = await access.certificates.create({
      account_id, name: "devices", certificate: process.env.AUTHORITY, associated_hostnames: [host],
    });
    assert.deepEqual((await access.certificates.get(made.id, { account_id })).associated_hostnames, [host]);
    await access.certificates.update(made.id, { account_id, associated_hostnames: [] });
    assert.deepEqual(await ids(access.certificates.list({ account_id })), [made.id]);
    assert.equal((await access.certificates.delete(made.id, { account_id })).id, made.id);
  },

  async lists() {
    const made = await gateway.lists.create({
      account_id, name: "people", type: "EMAIL", items: [{ value: "ada@example.com" }],
    });
    await gateway.lists.edit(made.id, { account_id, append: [{ value: "bob@example.com" }] });
    const items = await all(gateway.lists.items.list(made.id, { account_id }));
    assert.deepEqual(items.map((item) => item.value), ["ada@example.com", "bob@example.com"]);
    assert.deepEqual(await ids(gateway.lists.list({ account_id })), [made.id]);
    await gateway.lists.delete(made.id, { account_id });
  },
});
