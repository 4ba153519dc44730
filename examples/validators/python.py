"""Who is asking, from Cf-Access-Jwt-Assertion. Needs PyJWT[crypto]; README.md says what is checked and why."""

import jwt

ISSUER = "https://login.example.com"
AUDIENCE = "the tag that `vestibule check` prints for this application"

keys = jwt.PyJWKClient(f"{ISSUER}/cdn-cgi/access/certs", cache_keys=True, lifespan=300, timeout=5)


class Refused(Exception):
    """Answer 403."""


def person(assertions: list[str]) -> dict:
    """The claims of the one assertion. `assertions` holds every value of the header."""
    if len(assertions) != 1:
        raise Refused("there must be one assertion")
    try:
        key = keys.get_signing_key_from_jwt(assertions[0])
        claims = jwt.decode(
            assertions[0],
            key.key,
            algorithms=["RS256"],
            audience=AUDIENCE,
            issuer=ISSUER,
            leeway=60,
            options={"require": ["exp", "iat", "nbf", "iss", "aud"]},
        )
    except jwt.PyJWTError as error:
        raise Refused(str(error)) from error
    if claims.get("type") != "app":
        raise Refused("this is no application token")
    return claims
