// The account: tokens of the API, the organization, its signing key, service tokens.
//
// AUTH_DOMAIN is where people sign in. The present signing key has been signing for 30 hours.

import assert from "node:assert/strict";

import { access, account_id, client, ids, live, organizations, refused, stranger } from "./common.mjs";

await live({
  async token() {
    assert.equal((await client.user.tokens.verify()).status, "active");
    await refused(403, "9109", () => stranger.user.tokens.verify());
  },

  async organization() {
    const own = { name: "Example", auth_domain: process.env.AUTH_DOMAIN };
    const before = await organizations.list({ account_id });
    assert.deepEqual({ name: before.name, auth_domain: before.auth_domain }, own);
    // What a plan that says all it can of an organization without settings of its own sends.
    const defaults = {
      allow_authenticate_via_warp: false, auto_redirect_to_identity: false, deny_unmatched_requests: false,
      deny_unmatched_requests_exempted_zone_names: [], is_ui_read_only: false, mfa_required_for_all_apps: false,
      session_duration: "24h", strict_service_token_auth: false, ui_read_only_toggle_reason: "",
      user_seat_expiration_inactive_time: "730h", warp_auth_non_browser_401: false,
      service_token_inactivity: { enabled: false, inactivity_threshold_days: 90, action: "disable" },
    };
    const put = await organizations.update({ account_id, ...own, ...defaults });
    const read = await organizations.list({ account_id });
    for (const [key, value] of Object.entries({ ...own, ...defaults })) {
      assert.deepEqual([put[key], read[key]], [value, value], key);
    }
    const described = { ...own, deny_unmatched_requests: true, login_design: { header_text: "Example" } };
    const made = await organizations.create({ account_id, ...described });
    assert.deepEqual([made.deny_unmatched_requests, made.login_design], [true, described.login_design]);
    const zones = "deny_unmatched_requests_exempted_zone_names";
    await refused(400, `/${zones}`, () => organizations.update({ account_id, [zones]: ["example.com"] }));
    await refused(409, "configuration file", () => organizations.update({ account_id, name: "Another" }));
    assert.deepEqual(await organizations.doh.get({ account_id }), { enabled: false });
    await refused(400, "12130", () => organizations.doh.update({ account_id, doh_jwt_duration: "24h" }));
  },

  async keys() {
    const { keys } = access;
    const days = (shown) => [shown.key_rotation_interval_days, shown.days_until_next_rotation];
    const before = await keys.get({ account_id });
    assert.deepEqual(days(before), [42, 41]);
    const changed = await keys.update({ account_id, key_rotation_interval_days: 30 });
    assert.deepEqual([...days(changed), changed.last_key_rotation_at], [30, 29, before.last_key_rotation_at]);
    const rotated = await keys.rotate({ account_id });
    assert.deepEqual(days(rotated), [30, 30]);
    const age = Date.parse(rotated.last_key_rotation_at) - Date.parse(before.last_key_rotation_at);
    assert.ok(age >= 30 * 3_600_000, `${age}`);
    assert.deepEqual(await keys.get({ account_id }), rotated);
    const often = { account_id, key_rotation_interval_days: 20 };
    await refused(400, "/key_rotation_interval_days", () => keys.update(often));
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
});
