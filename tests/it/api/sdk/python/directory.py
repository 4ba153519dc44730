"""What a directory told by SCIM before: three people, two groups, and one request that was refused.

ALICE_OID is Alice's object id there, SECRET what the directory proves itself with.
"""

import os

import cloudflare

from common import ACCOUNT, every, ids, leave, live, raw, refused, strict

ALICE, KIM = os.environ["ALICE"], os.environ["KIM"]
PROVIDER = os.environ["PROVIDER"]
providers = strict.zero_trust.identity_providers


def people():
    listed = every(providers.scim.users.list(PROVIDER, **ACCOUNT))
    alice, kim, lee = listed
    assert (alice.display_name, alice.active, alice.external_id) == ("Told Alice", True, os.environ["ALICE_OID"])
    assert [(mail.value, mail.primary, mail.type) for mail in alice.emails] == [(ALICE, True, "work")]
    assert alice.schemas == ["urn:ietf:params:scim:schemas:core:2.0:User"] and alice.meta.created
    assert (kim.display_name, kim.active, lee.active) == ("Told Kim", False, True)
    assert ids(providers.scim.users.list(PROVIDER, **ACCOUNT, per_page=1)) == [one.id for one in listed]
    for filters, found in (
        ({"username": KIM.upper()}, [kim]),
        ({"email": ALICE}, [alice]),
        ({"name": "nobody"}, []),
        ({"cf_resource_id": [kim.id, lee.id]}, [kim, lee]),
        ({"cf_resource_id": [lee.id, kim.id], "per_page": 1}, [lee, kim]),
        ({"idp_resource_id": [os.environ["ALICE_OID"]]}, [alice]),
    ):
        assert every(providers.scim.users.list(PROVIDER, **ACCOUNT, **filters)) == found, filters
    both = lambda: every(providers.scim.users.list(PROVIDER, **ACCOUNT, cf_resource_id=[kim.id], email=KIM))
    refused(cloudflare.BadRequestError, both, "email")
    assert raw("get", f"/access/identity_providers/{PROVIDER}/scim/users/{kim.id}")["displayName"] == "Told Kim"


def groups():
    sailors, pilots = listed = every(providers.scim.groups.list(PROVIDER, **ACCOUNT))
    assert (sailors.display_name, pilots.display_name) == ("Sailors", "Pilots")
    assert sailors.external_id and sailors.schemas == ["urn:ietf:params:scim:schemas:core:2.0:Group"]
    assert every(providers.scim.groups.list(PROVIDER, **ACCOUNT, per_page=1)) == listed
    for filters, found in (
        ({"name": "pilots"}, [pilots]),
        ({"name": "pil"}, []),
        ({"cf_resource_id": [sailors.id]}, [sailors]),
        ({"idp_resource_id": [pilots.external_id, sailors.external_id]}, [pilots, sailors]),
    ):
        assert every(providers.scim.groups.list(PROVIDER, **ACCOUNT, **filters)) == found, filters
    members = raw("get", f"/access/identity_providers/{PROVIDER}/scim/groups/{sailors.id}")["members"]
    told = every(providers.scim.users.list(PROVIDER, **ACCOUNT))
    assert {member["value"] for member in members} == {told[0].id, told[1].id}, members


def log():
    def updates(**filters):
        return every(strict.zero_trust.access.logs.scim.updates.list(**ACCOUNT, idp_id=[PROVIDER], **filters))

    rows = updates(direction="asc")
    assert [(row.request_method, row.resource_type, row.status) for row in rows] == [
        ("POST", "USER", "SUCCESS"), ("POST", "USER", "SUCCESS"), ("POST", "USER", "SUCCESS"),
        ("POST", "GROUP", "SUCCESS"), ("POST", "GROUP", "SUCCESS"),
        ("PATCH", "USER", "SUCCESS"), ("POST", "USER", "FAILURE"),
    ], rows
    first, refusal = rows[0], rows[-1]
    assert (first.idp_id, first.resource_user_email, first.idp_resource_id) == (
        PROVIDER, ALICE, os.environ["ALICE_OID"],
    )
    assert ALICE in first.request_body and first.error_description is None and refusal.error_description
    assert updates() == rows[::-1]
    for size in (1, 3, 7, 20):
        assert updates(direction="asc", per_page=size) == rows, size
    assert updates(direction="asc", limit=3, per_page=2) == rows[:3]
    for filters, found in (
        ({"status": ["FAILURE"]}, [refusal]),
        ({"resource_type": ["GROUP"]}, rows[3:5]),
        ({"request_method": ["PATCH", "DELETE"]}, rows[5:6]),
        ({"resource_user_email": [ALICE], "status": ["SUCCESS"]}, [first]),
        ({"resource_group_name": ["Pilots"]}, rows[4:5]),
        ({"cf_resource_id": [first.cf_resource_id]}, [first]),
        ({"idp_resource_id": [os.environ["ALICE_OID"]], "per_page": 1, "status": ["SUCCESS"]}, [first]),
        ({"until": first.logged_at}, []),
    ):
        assert updates(direction="asc", **filters) == found, filters
    wrong = lambda: updates(status=["MAYBE"])
    refused(cloudflare.BadRequestError, wrong, "status")


def authentication_contexts():
    path = f"/access/identity_providers/{PROVIDER}/auth_context"
    (context,) = raw("get", path)
    assert (context["ac_id"], context["display_name"], context["id"]) == ("c1", "Strong", context["uid"])
    assert raw("put", path)["id"] == PROVIDER
    assert raw("get", path) == [context]
    rule = {"auth_context": {"id": context["id"], "ac_id": "c1", "identity_provider_id": PROVIDER}}
    policies = strict.zero_trust.access.policies
    made = policies.create(
        **ACCOUNT, name="strong", decision="allow", include=[{"everyone": {}}], require=[rule]
    )
    assert policies.get(made.id, **ACCOUNT).to_dict()["require"] == [rule]
    assert policies.delete(made.id, **ACCOUNT).id == made.id


def secret():
    shown = raw("post", f"/access/identity_providers/{PROVIDER}/refresh_scim_secret")
    fresh = shown["scim_config"]["secret"]
    assert fresh != os.environ["SECRET"] and shown["id"] == PROVIDER
    assert providers.get(PROVIDER, **ACCOUNT).scim_config.secret is None
    leave(secret=fresh)


live(people, groups, log, authentication_contexts, secret)
