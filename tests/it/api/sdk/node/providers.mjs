// Identity providers; the last one stays for the test to sign people in with, at THIRD.
//
// TENANT, CLIENT and CLIENT_SECRET are those of the directory that ALICE signs in at.

import assert from "node:assert/strict";

import { access, account_id, identityProviders, ids, leave, live, raw, refused } from "./common.mjs";

await live({
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

  // The requests of Cloudflare's page on Entra ID in the order of its sections, SCIM and the last one included.
  async thePageOnEntraId() {
    const { CLIENT, CLIENT_SECRET, TENANT, THIRD, ALICE } = process.env;
    const config = {
      client_id: CLIENT, client_secret: CLIENT_SECRET, directory_id: TENANT, support_groups: true, azure_cloud: "mock",
    };
    const made = await identityProviders.create({ account_id, name: "Entra ID example", type: "azureAD", config });
    const path = `/access/identity_providers/${made.id}`;
    // "Enable SCIM", as an edit of what is shown does, and "Regenerate Secret".
    const scim_config = { enabled: true, user_deprovision: true, identity_update_behavior: "automatic" };
    const enabled = await identityProviders.update(made.id, { account_id, ...made, scim_config });
    const first = enabled.scim_config.secret;
    assert.ok(first && enabled.scim_config.scim_base_url.endsWith(`/populations/${made.id}/scim/v2`));
    const second = (await raw("post", `${path}/refresh_scim_secret`)).scim_config.secret;
    assert.ok(second && second !== first);

    // The last section: what is shown is put back key by key, with `prompt` besides.
    const read = await identityProviders.get(made.id, { account_id });
    const shown = read.config;
    assert.deepEqual([shown.azure_cloud, shown.conditional_access_enabled], ["mock", false]);
    const body = {
      id: read.id, type: "azureAD", uid: read.uid, name: "Entra ID", version: read.version,
      config: {
        azure_cloud: shown.azure_cloud, client_id: shown.client_id,
        conditional_access_enabled: shown.conditional_access_enabled, directory_id: shown.directory_id,
        redirect_url: shown.redirect_url, prompt: "login", support_groups: shown.support_groups,
      },
      scim_config: {
        enabled: true, user_deprovision: true, seat_deprovision: false, group_member_deprovision: false,
        identity_update_behavior: "automatic",
      },
      scim_base_url: read.scim_base_url,
    };
    const put = await identityProviders.update(made.id, { account_id, ...body });
    assert.deepEqual([put.name, put.config.prompt], ["Entra ID", "login"]);
    assert.notEqual(put.version, body.version);
    for (const answer of [put, await identityProviders.get(made.id, { account_id })]) {
      assert.deepEqual([answer.scim_config.secret, answer.config.client_secret], [undefined, undefined], "told once");
      for (const part of ["config", "scim_config"]) {
        for (const [key, value] of Object.entries(body[part])) assert.deepEqual(answer[part][key], value, key);
      }
      assert.ok(body.scim_base_url);
      assert.equal(answer.scim_base_url, body.scim_base_url);
    }
    const alice = { name: "alice", decision: "allow", include: [{ email: { email: ALICE } }] };
    await access.applications.create({
      account_id, name: "Third", type: "self_hosted", domain: THIRD, allowed_idps: [made.id], policies: [alice],
    });
    leave({ provider: made.id, first, second });
  },
});
