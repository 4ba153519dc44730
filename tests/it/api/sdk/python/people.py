"""People who signed in before: found, told about, renamed, put out, deleted.

Alice has two sessions, at WIKI alone and at OTHER alone; Adam has one; Mallory was refused at WIKI.
"""

import os

import cloudflare

from common import ACCOUNT, HOST, every, ids, live, refused, strict

ALICE, ADAM, MALLORY = (os.environ[name] for name in ("ALICE", "ADAM", "MALLORY"))
access = strict.zero_trust.access


def known(email):
    """The one user with an address."""
    (user,) = every(access.users.list(**ACCOUNT, email=email))
    return user


def sessions(user):
    return list(access.users.active_sessions.list(user.id, **ACCOUNT))


def users():
    listed = every(access.users.list(**ACCOUNT))
    assert [user.email for user in listed] == [ALICE, ADAM, MALLORY], listed
    alice, adam, mallory = listed
    assert alice.name == "Alice Example" and alice.uid == alice.id and alice.access_seat is True
    assert alice.gateway_seat is False and alice.seat_uid and alice.active_device_count == 0
    assert alice.created_at <= alice.last_successful_login <= adam.last_successful_login
    assert ids(access.users.list(**ACCOUNT, per_page=1)) == [alice.id, adam.id, mallory.id]
    assert ids(access.users.list(**ACCOUNT, per_page=2, page=2)) == [mallory.id]
    for filters, found in (
        ({"email": ALICE.upper()}, [alice]),
        ({"name": "Adam Example"}, [adam]),
        ({"name": "Adam"}, []),
        ({"search": "MALLORY"}, [mallory]),
        ({"search": "example", "per_page": 2}, [alice, adam, mallory]),
        ({"email": ALICE, "name": "Adam Example"}, []),
    ):
        assert every(access.users.list(**ACCOUNT, **filters)) == found, filters
    assert access.users.get(alice.id, **ACCOUNT).to_dict() == alice.to_dict()

    renamed = access.users.update(adam.id, **ACCOUNT, email=ADAM, name="Adam of Staff")
    assert (renamed.name, renamed.email) == ("Adam of Staff", ADAM)
    assert access.users.get(adam.id, **ACCOUNT).name == "Adam of Staff"
    other = lambda: access.users.update(adam.id, **ACCOUNT, email=ALICE, name="Adam")
    refused(cloudflare.BadRequestError, other, "/email")
    made_up = lambda: access.users.create(**ACCOUNT, email="zoe@contoso.example", name="Zoe")
    refused(cloudflare.BadRequestError, made_up, "first login")


def identities():
    alice = known(ALICE)
    newest, oldest = sorted(sessions(alice), key=lambda session: session.metadata.iat, reverse=True)
    opened = [[app.name for app in session.metadata.apps.values()] for session in (oldest, newest)]
    assert opened == [["Wiki"], ["Other"]], opened
    (app,) = oldest.metadata.apps.values()
    assert (app.hostname, app.type) == (HOST, "self_hosted")
    assert access.applications.get(app.uid, **ACCOUNT).name == "Wiki"
    for session in (newest, oldest):
        assert session.name == session.metadata.nonce
        assert session.expiration == session.metadata.expires == session.metadata.iat + session.metadata.ttl
    identity = access.users.active_sessions.get(newest.name, **ACCOUNT, user_id=alice.id)
    assert identity.is_active is True and identity.email == ALICE and identity.user_uuid == alice.id
    assert identity.account_id == ACCOUNT["account_id"] and identity.idp.type == "azureAD"
    assert (identity.is_warp, identity.is_gateway, identity.service_token_status) == (False, False, False)
    assert os.environ["STAFF"] in [group["id"] for group in identity.to_dict()["groups"]]
    last = access.users.last_seen_identity.get(alice.id, **ACCOUNT)
    assert (last.email, last.user_uuid, last.iat) == (ALICE, alice.id, identity.iat)
    # Another's session is none of this user's.
    foreign = lambda: access.users.active_sessions.get(newest.name, **ACCOUNT, user_id=known(ADAM).id)
    refused(cloudflare.NotFoundError, foreign, "unknown_session")


def failed_logins():
    mallory = known(MALLORY)
    (failed,) = access.users.failed_logins.list(mallory.id, **ACCOUNT)
    told = failed.metadata
    assert (told["app_name"], told["user_email"], told["user_uuid"]) == ("Wiki", MALLORY, mallory.id)
    assert len(told["aud"]) == 64 and told["ray_id"] and failed.expiration > 0
    assert list(access.users.failed_logins.list(known(ALICE).id, **ACCOUNT)) == []


def tokens_are_revoked():
    alice = known(ALICE)
    (wiki,) = every(access.applications.list(**ACCOUNT, name="Wiki"))
    access.applications.revoke_tokens(wiki.id, **ACCOUNT)
    left = [app.name for session in sessions(alice) for app in session.metadata.apps.values()]
    assert left == ["Other"], left


def seats():
    adam = known(ADAM)
    free = {"seat_uid": adam.seat_uid, "access_seat": False, "gateway_seat": False}
    (seat,) = strict.zero_trust.seats.edit(**ACCOUNT, body=[free])
    assert (seat.seat_uid, seat.access_seat, seat.gateway_seat) == (adam.seat_uid, False, False)
    assert seat.created_at == adam.created_at
    assert known(ADAM).access_seat is False and sessions(adam) == []
    take = lambda: strict.zero_trust.seats.edit(**ACCOUNT, body=[{**free, "access_seat": True}])
    refused(cloudflare.BadRequestError, take, "/0/access_seat")


def revocation():
    alice = known(ALICE)
    nonces = [session.name for session in sessions(alice)]
    assert len(nonces) == 2
    assert strict.zero_trust.organizations.revoke_users(**ACCOUNT, email=ALICE) is True
    assert sessions(alice) == []
    for nonce in nonces:
        assert access.users.active_sessions.get(nonce, **ACCOUNT, user_id=alice.id).is_active is False
    assert access.users.last_seen_identity.get(alice.id, **ACCOUNT).email == ALICE
    nobody = lambda: strict.zero_trust.organizations.revoke_users(**ACCOUNT, email="nobody@contoso.example")
    refused(cloudflare.NotFoundError, nobody, "unknown_user")


def deletion():
    mallory = known(MALLORY)
    assert access.users.delete(mallory.id, **ACCOUNT) is None
    refused(cloudflare.NotFoundError, lambda: access.users.get(mallory.id, **ACCOUNT), "unknown_user")
    assert every(access.users.list(**ACCOUNT, email=MALLORY)) == []


live(users, identities, failed_logins, tokens_are_revoked, seats, revocation, deletion)
