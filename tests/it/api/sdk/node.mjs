// Whole lives of objects through Cloudflare's own client for Node, with nothing but its base URL changed.
//
// The client reads CLOUDFLARE_BASE_URL and CLOUDFLARE_API_TOKEN itself; ACCOUNT, WIKI (a host of applications), TENANT
// and AUTHORITY (a certificate in PEM) come from the test, and NODE_MODULES says where the client stands.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const modules = process.env.NODE_MODULES;
const { default: Cloudflare } = createRequire(`${modules}/`)("cloudflare");
assert.equal(JSON.parse(readFileSync(`${modules}/cloudflare/package.json`)).version, "7.3.0");

const account_id = process.env.ACCOUNT;
const host = process.env.WIKI;
const everybody = [{ everyone: {} }];
// A default client: what it is told not to try again must not be tried again.
const client = new Cloudflare();
const { access, identityProviders, gateway } = client.zeroTrust;

/** The items of an auto-paged list, which asks for pages until one is empty. */
async function all(listed) {
  const items = [];
  for await (const item of listed) {
    items.push(item);
    assert.ok(items.length < 1000, "the list does not end");
  }
  return items;
}

const ids = async (listed) => (await all(listed)).map((item) => item.id);

/** That a call is refused with this status and these words. */
async function refused(status, word, act) {
  await assert.rejects(act, (error) => {
    assert.equal(error.status, status, error.message);
    assert.ok(JSON.stringify(error.errors).includes(word), error.message);
    assert.ok(error.errors[0].code >= 900);
    return true;
  });
}

const lives = {
  async token() {
    assert.equal((await client.user.tokens.verify()).status, "active");
  },

  async identityProviders() {
    const config = {
      client_id: "3b5f2c9e-5d0f-4c0e-9c1c-1a2b3c4d5e6f",
      client_secret: "s3cr3t-value-of-node",
      directory_id: process.env.TENANT,
      support_groups: true,
    };
    const body = { account_id, name: "Entra of Node", type: "azureAD", config };
    const made = await identityProviders.create(body);
    assert.equal(made.config.client_secret, undefined);
    const read = await identityProviders.get(made.id, { account_id });
    assert.deepEqual(read, made);
    read.config.prompt = "login";
    const put = await identityProviders.update(made.id, { account_id, ...read });
    assert.equal(put.config.prompt, "login");
    assert.ok((await ids(identityProviders.list({ account_id, per_page: 1 }))).includes(made.id));
    await identityProviders.delete(made.id, { account_id });
    await refused(404, "unknown_identity_provider", () => identityProviders.get(made.id, { account_id }));
    await refused(400, "/config/prompt", () =>
      identityProviders.create({ ...body, config: { ...config, prompt: "always" } }),
    );
  },

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

    await access.applications.settings.update(made.id, { account_id, allow_iframe: false });
    await access.applications.revokeTokens(made.id, { account_id });
    assert.ok((await ids(access.applications.list({ account_id, per_page: 2 }))).includes(made.id));
    await access.applications.delete(made.id, { account_id });
    const changed = await access.policies.update(reusable.id, {
      account_id, name: "node", decision: "allow", include: everybody,
    });
    assert.equal(changed.decision, "allow");
    assert.equal((await access.policies.get(reusable.id, { account_id })).decision, "allow");
    assert.ok((await ids(access.policies.list({ account_id, per_page: 1 }))).includes(reusable.id));
    await access.policies.delete(reusable.id, { account_id });
  },

  async serviceTokens() {
    const made = await access.serviceTokens.create({ account_id, name: "CI", duration: "8760h" });
    assert.ok(made.client_id.endsWith(".access") && made.client_secret);
    const rotated = await access.serviceTokens.rotate(made.id, { account_id });
    assert.notEqual(rotated.client_secret, made.client_secret);
    const read = await access.serviceTokens.get(made.id, { account_id });
    assert.equal(read.client_secret, undefined);
    const refreshed = await access.serviceTokens.refresh(made.id, { account_id });
    assert.ok(refreshed.expires_at > read.expires_at);
    const put = await access.serviceTokens.update(made.id, { account_id, enabled: false });
    assert.deepEqual([put.enabled, put.name], [false, "CI"]);
    assert.deepEqual(await ids(access.serviceTokens.list({ account_id, per_page: 1 })), [made.id]);
    assert.equal((await access.serviceTokens.delete(made.id, { account_id })).id, made.id);
  },

  async tags() {
    await access.tags.create({ account_id, name: "on call" });
    await refused(409, "12132", () => access.tags.create({ account_id, name: "on call" }));
    assert.equal((await access.tags.get("on call", { account_id })).name, "on call");
    assert.deepEqual((await all(access.tags.list({ account_id }))).map((tag) => tag.name), ["on call"]);
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
};

for (const [name, life] of Object.entries(lives)) {
  await life();
  console.log("lived:", name);
}
