"""The account: tokens of the API, the organization, its signing key, service tokens.

AUTH_DOMAIN is where people sign in. The present signing key has been signing for 30 hours.
"""

import os
from datetime import timedelta

import cloudflare
from cloudflare import Cloudflare

from common import ACCOUNT, ids, live, refused, strict


def a_token_is_verified():
    assert strict.user.tokens.verify().status == "active"
    stranger = Cloudflare(api_token="x" * 40, max_retries=0)
    refused(cloudflare.PermissionDeniedError, stranger.user.tokens.verify, "9109")


def organization():
    organizations = strict.zero_trust.organizations
    design = {
        "background_color": "#102030", "text_color": "#ffffff", "logo_path": "https://cdn.example.com/logo.svg",
        "header_text": "Example", "footer_text": "Call 7000",
    }
    assert organizations.update(**ACCOUNT, login_design=design).login_design.to_dict() == design
    assert organizations.list(**ACCOUNT).login_design.to_dict() == design
    assert organizations.doh.get(**ACCOUNT).enabled is False
    wish = lambda: organizations.doh.update(**ACCOUNT, doh_jwt_duration="24h")
    refused(cloudflare.BadRequestError, wish, "12130")


def defaults_of_the_organization():
    organizations = strict.zero_trust.organizations
    own = {"name": "Example", "auth_domain": os.environ["AUTH_DOMAIN"]}
    before = organizations.list(**ACCOUNT)
    assert {key: before.to_dict()[key] for key in own} == own
    # What a plan that says all it can of an organization without settings of its own sends.
    defaults = {
        "allow_authenticate_via_warp": False, "auto_redirect_to_identity": False, "deny_unmatched_requests": False,
        "deny_unmatched_requests_exempted_zone_names": [], "is_ui_read_only": False, "mfa_required_for_all_apps": False,
        "session_duration": "24h", "strict_service_token_auth": False, "ui_read_only_toggle_reason": "",
        "user_seat_expiration_inactive_time": "730h", "warp_auth_non_browser_401": False,
        "service_token_inactivity": {"enabled": False, "inactivity_threshold_days": 90, "action": "disable"},
    }
    put = organizations.update(**ACCOUNT, **own, **defaults).to_dict()
    assert {key: put.get(key) for key in own | defaults} == own | defaults, put
    read = organizations.list(**ACCOUNT).to_dict()
    assert {key: read.get(key) for key in own | defaults} == own | defaults, read
    made = organizations.create(**ACCOUNT, **own, deny_unmatched_requests=True, session_duration="12h")
    assert (made.deny_unmatched_requests, made.session_duration) == (True, "12h")
    exempt = lambda: organizations.update(**ACCOUNT, deny_unmatched_requests_exempted_zone_names=["example.com"])
    refused(cloudflare.BadRequestError, exempt, "/deny_unmatched_requests_exempted_zone_names")
    renamed = lambda: organizations.update(**ACCOUNT, name="Another")
    refused(cloudflare.ConflictError, renamed, "configuration file")


def keys():
    keys = strict.zero_trust.access.keys
    before = keys.get(**ACCOUNT)
    assert (before.key_rotation_interval_days, before.days_until_next_rotation) == (42, 41), before
    changed = keys.update(**ACCOUNT, key_rotation_interval_days=30)
    assert (changed.key_rotation_interval_days, changed.days_until_next_rotation) == (30, 29), changed
    assert changed.last_key_rotation_at == before.last_key_rotation_at
    rotated = keys.rotate(**ACCOUNT)
    assert (rotated.key_rotation_interval_days, rotated.days_until_next_rotation) == (30, 30), rotated
    assert rotated.last_key_rotation_at >= before.last_key_rotation_at + timedelta(hours=30)
    assert keys.get(**ACCOUNT).to_dict() == rotated.to_dict()
    often = lambda: keys.update(**ACCOUNT, key_rotation_interval_days=20)
    refused(cloudflare.BadRequestError, often, "/key_rotation_interval_days")


def service_tokens():
    tokens = strict.zero_trust.access.service_tokens
    made = tokens.create(**ACCOUNT, name="CI", duration="8760h")
    assert made.client_id.endswith(".access") and len(made.client_secret) >= 40 and made.enabled
    rotated = tokens.rotate(made.id, **ACCOUNT)
    assert rotated.client_secret not in (None, made.client_secret) and rotated.client_id == made.client_id
    before = tokens.get(made.id, **ACCOUNT)
    assert "client_secret" not in before.to_dict()
    assert tokens.refresh(made.id, **ACCOUNT).expires_at > before.expires_at
    assert tokens.update(made.id, **ACCOUNT, name="CI, renamed", enabled=False).enabled is False
    others = [tokens.create(**ACCOUNT, name=f"token {n}").id for n in range(3)]
    assert ids(tokens.list(**ACCOUNT, per_page=2)) == [made.id, *others]
    for one in (made.id, *others):
        assert tokens.delete(one, **ACCOUNT).id == one


live(a_token_is_verified, organization, defaults_of_the_organization, keys, service_tokens)
