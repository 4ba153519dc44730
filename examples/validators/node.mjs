// Who is asking, from Cf-Access-Jwt-Assertion. Needs jose; README.md says what is checked and why.
import { createRemoteJWKSet, jwtVerify } from "jose";

export const issuer = "https://login.example.com";
export const audience = "the tag that `vestibule check` prints for this application";

const keys = createRemoteJWKSet(new URL(`${issuer}/cdn-cgi/access/certs`), {
  cooldownDuration: 60_000,
  timeoutDuration: 5_000,
});

/** The claims of the one assertion; throws where there is none to believe. Answer 403 then. */
export async function person(request) {
  // Node joins repeated headers with a comma, which no token has.
  const assertion = request.headers["cf-access-jwt-assertion"];
  if (!assertion) throw new Error("there must be one assertion");
  const { payload } = await jwtVerify(assertion, keys, {
    algorithms: ["RS256"],
    issuer,
    audience,
    clockTolerance: 60,
    requiredClaims: ["exp", "iat", "nbf"],
  });
  if (payload.type !== "app") throw new Error("this is no application token");
  return payload;
}
