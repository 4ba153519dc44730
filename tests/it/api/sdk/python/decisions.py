"""What was decided about people who signed in, and what would be: the log, tests of policies, checks of a person.

Alice was let in at WIKI and OTHER, Adam at WIKI, and a minute later Mallory was refused at WIKI.
"""

import os
import time
from datetime import timedelta

import cloudflare

from common import ACCOUNT, HOST, every, live, refused, strict

ALICE, ADAM, MALLORY = (os.environ[name] for name in ("ALICE", "ADAM", "MALLORY"))
STAFF = [{"azureAD": {"id": os.environ["STAFF"], "identity_provider_id": os.environ["PROVIDER"]}}]
access = strict.zero_trust.access


def access_requests():
    def log(**filters):
        # Filters whose operators alone the client knows are sent as it lets one send anything.
        extra = {key: filters.pop(key) for key in ("allowed", "app_uid", "idp", "ray_id") if key in filters}
        return access.logs.access_requests.list(**ACCOUNT, **filters, extra_query=extra)

    rows = log()
    refusal = rows[0]
    assert (refusal.user_email, refusal.allowed, refusal.action) == (MALLORY, False, "login")
    assert (refusal.app_domain, refusal.connection) == (HOST, "azureAD") and refusal.ip_address and refusal.rayid
    mails = lambda rows: [row.user_email for row in rows]
    assert set(mails(rows[1:])) == {ALICE, ADAM} and all(row.allowed for row in rows[1:])
    assert log(direction="asc") == rows[::-1]
    assert log(limit=2) == rows[:2] and log(per_page=2, page=2) == rows[2:4] and log(page=99) == []
    assert mails(log(email="MALL")) == [MALLORY] and log(email="mall", email_exact=True) == []
    assert log(email=MALLORY, email_op="neq") == rows[1:]
    assert log(email="contoso", email_op="contains") == rows
    assert log(since=refusal.created_at) == [refusal]
    assert log(until=refusal.created_at) == rows[1:]
    assert log(since=refusal.created_at + timedelta(minutes=1)) == []
    assert log(allowed="false") == [refusal] and log(allowed="false", allowed_op="neq") == rows[1:]
    assert log(app_uid=refusal.app_uid, app_uid_op="neq") == [row for row in rows if row.app_domain != HOST] != []
    assert log(idp=os.environ["PROVIDER"]) == rows and log(idp=os.environ["PROVIDER"], idp_op="neq") == []
    assert log(ray_id=refusal.rayid) == [refusal]
    (some,) = log(ray_id=refusal.rayid, fields="user_email,app_name")
    assert some.to_dict() == {"user_email": MALLORY, "app_name": "Wiki"}
    refused(cloudflare.BadRequestError, lambda: log(fields="password"), "password")


def policy_tests():
    tests = access.applications.policy_tests
    reusable = access.policies.create(
        **ACCOUNT, name="not Adam", decision="deny", include=[{"email": {"email": ADAM}}]
    )
    inline = {"name": "staff", "decision": "allow", "include": STAFF}
    begun = tests.create(**ACCOUNT, policies=[reusable.id, inline])
    assert begun.status == "success" and begun.id
    deadline = time.monotonic() + 10
    while (test := tests.get(begun.id, **ACCOUNT)).status == "processing":
        assert time.monotonic() < deadline, test
        time.sleep(0.02)
    assert test.status == "complete" and test.id == begun.id, test
    assert (test.total_users, test.users_approved, test.users_blocked, test.users_errored) == (3, 1, 2, 0)
    assert (test.percent_users_processed, test.percent_approved, test.percent_blocked) == (100, 33, 66)
    found = lambda **filters: [(user.email, user.status) for user in tests.users.list(begun.id, **ACCOUNT, **filters)]
    assert found(status="success") == [(ALICE, "approved")]
    assert found(status="fail") == [(ADAM, "blocked"), (MALLORY, "blocked")]
    assert found(status="error") == []
    assert found(per_page=1) == [(ALICE, "approved"), (ADAM, "blocked"), (MALLORY, "blocked")]
    refused(cloudflare.BadRequestError, lambda: tests.create(**ACCOUNT, policies=[]), "/policies")
    nowhere = "11111111-1111-4111-8111-111111111111"
    refused(cloudflare.NotFoundError, lambda: tests.get(nowhere, **ACCOUNT), "unknown_policy_test")
    access.policies.delete(reusable.id, **ACCOUNT)


def user_policy_checks():
    (wiki,) = every(access.applications.list(**ACCOUNT, name="Wiki"))
    checks = access.applications.user_policy_checks
    # At Cloudflare whoever asks is the person; a token of ours is none, so the person is named.
    check = lambda user: checks.list(wiki.id, **ACCOUNT, extra_query={"user": user})
    alice = check(ALICE)
    state = alice.app_state
    assert (state.app_uid, state.aud, state.hostname, state.name) == (wiki.id, wiki.aud, HOST, "Wiki")
    (policy,) = state.policies
    assert (state.status, policy["status"], policy["decision"]) == ("Success", "Success", "allow")
    assert (policy["include"][0]["_type"], policy["include"][0]["id"]) == ("azureAD", os.environ["STAFF"])
    assert alice.user_identity.email == ALICE and alice.user_identity.account_id == ACCOUNT["account_id"]
    mallory = check(MALLORY)
    assert (mallory.app_state.status, mallory.app_state.policies[0]["status"]) == ("Failure", "Failure")
    assert mallory.user_identity.email == MALLORY
    refused(cloudflare.BadRequestError, lambda: checks.list(wiki.id, **ACCOUNT), "user=")


live(access_requests, policy_tests, user_policy_checks)
