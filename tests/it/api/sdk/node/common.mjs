// What the lives of objects have in common: Cloudflare's own client for Node, with nothing but its base URL changed.
//
// The client reads CLOUDFLARE_BASE_URL and CLOUDFLARE_API_TOKEN itself; NODE_MODULES says where it stands, and the rest
// of the environment comes from the test.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const modules = process.env.NODE_MODULES;
const { default: Cloudflare } = createRequire(`${modules}/`)("cloudflare");
assert.equal(JSON.parse(readFileSync(`${modules}/cloudflare/package.json`)).version, "7.3.0");

export const account_id = process.env.ACCOUNT;
// A host of applications.
export const host = process.env.WIKI;
export const everybody = [{ everyone: {} }];
// A default client: what it is told not to try again must not be tried again.
export const client = new Cloudflare();
export const stranger = new Cloudflare({ apiToken: "x".repeat(40) });
export const { access, identityProviders, gateway, organizations, seats } = client.zeroTrust;

/** The items of an auto-paged list, which asks for pages until one is empty. */
export async function all(listed) {
  const items = [];
  for await (const item of listed) {
    items.push(item);
    assert.ok(items.length < 1000, "the list does not end");
  }
  return items;
}

export const ids = async (listed) => (await all(listed)).map((item) => item.id);

/** That a call is refused with this status and these words. */
export async function refused(status, word, act) {
  await assert.rejects(act, (error) => {
    assert.equal(error.status, status, error.message);
    assert.ok(JSON.stringify(error.errors).includes(word), error.message);
    assert.ok(error.errors[0].code >= 900);
    return true;
  });
}

/** What is behind an address of the account that the client has no method for. */
export async function raw(method, path) {
  const answer = await client[method](`/accounts/${account_id}${path}`);
  assert.deepEqual([answer.success, answer.errors], [true, []]);
  return answer.result;
}

/** Hands the test what it goes on with. */
export const leave = (known) => console.log("left:", JSON.stringify(known));

/** Lives one after the other. */
export async function live(lives) {
  for (const [name, life] of Object.entries(lives)) {
    await life();
    console.log("lived:", name);
  }
}
