"""Applications, what decides who may open them, and what they refer to."""

import os

import cloudflare
from cloudflare.types.zero_trust.access import application_create_response, application_get_response

from common import ACCOUNT, EVERYBODY, HOST, ids, lax, live, raw, refused, strict


def groups():
    # Read leniently, for the reason above.
    groups = lax.zero_trust.access.groups
    sent = [{"email_domain": {"domain": "example.com"}}, {"ip": {"ip": "198.51.100.7"}}]
    made = groups.create(**ACCOUNT, name="staff", include=sent, exclude=[{"email": {"email": "m@example.com"}}])
    assert [rule.to_dict() for rule in made.include] == sent
    put = groups.update(made.id, **ACCOUNT, name="people", include=EVERYBODY)
    assert put.name == "people" and groups.get(made.id, **ACCOUNT).name == "people"
    others = [groups.create(**ACCOUNT, name=f"group {n}", include=EVERYBODY).id for n in range(3)]
    assert ids(groups.list(**ACCOUNT, per_page=1)) == [made.id, *others]
    assert [group.id for group in groups.list(**ACCOUNT, name="people")] == [made.id]
    holder = groups.create(**ACCOUNT, name="holder", include=[{"group": {"id": made.id}}])
    refused(cloudflare.ConflictError, lambda: groups.delete(made.id, **ACCOUNT), "holder")
    for one in (holder.id, made.id, *others):
        assert groups.delete(one, **ACCOUNT).id == one


def policies():
    policies = strict.zero_trust.access.policies
    approvers = [{"approvals_needed": 1, "email_addresses": ["ada@example.com"]}]
    made = policies.create(
        **ACCOUNT, name="staff", decision="allow", include=[{"email_domain": {"domain": "example.com"}}],
        require=[{"geo": {"country_code": "DE"}}], session_duration="30m", approval_required=True,
        approval_groups=approvers, purpose_justification_required=True, purpose_justification_prompt="Why?",
    )
    assert made.reusable is True and made.session_duration == "30m" and made.app_count == 0
    assert policies.get(made.id, **ACCOUNT).to_dict() == made.to_dict()
    put = policies.update(made.id, **ACCOUNT, name="all", decision="deny", include=EVERYBODY)
    assert put.decision == "deny" and put.session_duration is None
    others = [
        policies.create(**ACCOUNT, name=f"policy {n}", decision="deny", include=EVERYBODY).id for n in range(3)
    ]
    listed = ids(policies.list(**ACCOUNT, per_page=2))
    assert listed[-4:] == [made.id, *others], listed
    for one in (made.id, *others):
        assert policies.delete(one, **ACCOUNT).id == one


def applications():
    applications = strict.zero_trust.access.applications
    policies = strict.zero_trust.access.policies
    reusable = policies.create(**ACCOUNT, name="reusable", decision="deny", include=EVERYBODY)
    made = applications.create(
        **ACCOUNT, name="Python", type="self_hosted", domain=f"py-{HOST}/admin", allowed_idps=[],
        app_launcher_visible=False, auto_redirect_to_identity=False, enable_binding_cookie=False,
        http_only_cookie_attribute=True, same_site_cookie_attribute="lax", session_duration="24h",
        cors_headers={"allowed_methods": ["GET"], "allowed_origins": ["https://example.com"], "max_age": 10},
        policies=[{"id": reusable.id, "precedence": 1}],
    )
    assert type(made) is application_create_response.SelfHostedApplication, type(made)
    assert len(made.aud) == 64 and made.domain == f"py-{HOST}/admin"
    read = applications.get(made.id, **ACCOUNT)
    assert type(read) is application_get_response.SelfHostedApplication, type(read)
    assert [policy.id for policy in read.policies] == [reusable.id]
    # References are bare ids too.
    put = applications.update(
        made.id, **ACCOUNT, name="Renamed", type="self_hosted", domain=f"py-{HOST}/admin",
        session_duration="1h", policies=[reusable.id],
    )
    assert put.name == "Renamed" and put.aud == made.aud
    refused(cloudflare.ConflictError, lambda: policies.delete(reusable.id, **ACCOUNT), "Renamed")

    own = applications.policies
    first = own.create(made.id, **ACCOUNT, extra_body={"name": "own", "decision": "allow", "include": EVERYBODY})
    assert first.precedence == 2 and "reusable" not in first.to_dict()
    body = {"name": "own", "decision": "deny", "include": EVERYBODY}
    assert own.update(first.id, **ACCOUNT, app_id=made.id, extra_body=body).decision == "deny"
    assert own.get(first.id, **ACCOUNT, app_id=made.id).decision == "deny"
    assert ids(own.list(made.id, **ACCOUNT)) == [reusable.id, first.id]
    assert own.delete(first.id, **ACCOUNT, app_id=made.id).id == first.id
    assert ids(own.list(made.id, **ACCOUNT)) == [reusable.id]

    settings = applications.settings.edit(made.id, **ACCOUNT, allow_iframe=False)
    assert settings.allow_iframe is False
    applications.revoke_tokens(made.id, **ACCOUNT)
    two = [{"type": "public", "uri": f"py2-{HOST}"}, {"type": "public", "uri": f"py3-{HOST}/x"}]
    other = applications.create(
        **ACCOUNT, name="Two", type="self_hosted", domain=f"py2-{HOST}", destinations=two
    )
    assert [place.to_dict() for place in other.destinations] == two
    listed = ids(applications.list(**ACCOUNT, per_page=3))
    assert listed[-2:] == [made.id, other.id] and listed == ids(applications.list(**ACCOUNT))
    assert ids(applications.list(**ACCOUNT, aud=made.aud)) == [made.id]
    assert ids(applications.list(**ACCOUNT, domain=f"py2-{HOST}")) == [other.id]
    for one in (made.id, other.id):
        assert applications.delete(one, **ACCOUNT).id == one
    refused(cloudflare.NotFoundError, lambda: applications.get(made.id, **ACCOUNT), "11021")
    policies.delete(reusable.id, **ACCOUNT)


def settings_and_reuse():
    applications = strict.zero_trust.access.applications
    policies = strict.zero_trust.access.policies
    made = applications.create(**ACCOUNT, name="Reuse", type="self_hosted", domain=f"reuse-{HOST}")
    edited = applications.settings.edit(made.id, **ACCOUNT, allow_iframe=True)
    assert (edited.allow_iframe, edited.skip_interstitial) == (True, None)
    put = applications.settings.update(made.id, **ACCOUNT, allow_iframe=False, skip_interstitial=True)
    assert (put.allow_iframe, put.skip_interstitial) == (False, True)
    read = applications.get(made.id, **ACCOUNT)
    assert (read.allow_iframe, read.skip_interstitial, read.name) == (False, True, "Reuse")

    body = {"name": "own", "decision": "deny", "include": EVERYBODY}
    own = applications.policies.create(made.id, **ACCOUNT, extra_body=body)
    refused(cloudflare.NotFoundError, lambda: policies.get(own.id, **ACCOUNT), "unknown_policy")
    moved = raw("put", f"/access/apps/{made.id}/policies/{own.id}/make_reusable")
    assert (moved["id"], moved["name"], moved["reusable"]) == (own.id, "own", True), moved
    reusable = policies.get(own.id, **ACCOUNT)
    assert (reusable.name, reusable.decision, reusable.app_count) == ("own", "deny", 1)
    assert [policy.id for policy in applications.get(made.id, **ACCOUNT).policies] == [own.id]
    other = applications.create(
        **ACCOUNT, name="Other", type="self_hosted", domain=f"reuse2-{HOST}", policies=[own.id]
    )
    assert policies.get(own.id, **ACCOUNT).app_count == 2
    for one in (made.id, other.id):
        assert applications.delete(one, **ACCOUNT).id == one
    assert policies.delete(own.id, **ACCOUNT).id == own.id


def launcher():
    applications = strict.zero_trust.access.applications
    looks = {
        "app_launcher_logo_url": "https://cdn.example.com/logo.svg", "bg_color": "#102030", "header_bg_color": "#ffffff",
        "footer_links": [{"name": "Help", "url": "https://www.example.com/help"}],
        "landing_page_design": {
            "title": "Welcome", "message": "Sign in.", "image_url": "https://cdn.example.com/door.jpg",
            "button_color": "#1f5fbf", "button_text_color": "#ffffff",
        },
        "skip_app_launcher_login_page": True,
    }
    everybody = {"name": "everybody", "decision": "allow", "include": EVERYBODY, "precedence": 1}
    made = applications.create(**ACCOUNT, type="app_launcher", policies=[everybody], allowed_idps=[], **looks)
    assert made.type == "app_launcher" and len(made.aud) == 64, made
    read = applications.get(made.id, **ACCOUNT).to_dict()
    assert {key: read[key] for key in looks} == looks, read
    put = applications.update(made.id, **ACCOUNT, type="app_launcher", bg_color="#ffffff", session_duration="12h")
    assert put.to_dict()["bg_color"] == "#ffffff" and put.session_duration == "12h"
    assert [policy.name for policy in put.policies] == ["everybody"]
    again = lambda: applications.create(**ACCOUNT, type="app_launcher")
    refused(cloudflare.ConflictError, again, "12132")
    assert applications.delete(made.id, **ACCOUNT).id == made.id


def tags():
    tags = strict.zero_trust.access.tags
    names = ["on call", "infra/net", "Größe"]
    for name in names:
        assert tags.create(**ACCOUNT, name=name).name == name
    assert tags.get(names[0], **ACCOUNT).name == names[0]
    assert tags.update(names[0], **ACCOUNT, name=names[0]).name == names[0]
    assert [tag.name for tag in tags.list(**ACCOUNT)] == names
    applications = strict.zero_trust.access.applications
    body = {**ACCOUNT, "name": "Tagged", "type": "self_hosted", "domain": f"tagged-{HOST}"}
    tagged = applications.create(**body, tags=names[:2])
    assert tagged.tags == names[:2] and tags.get(names[1], **ACCOUNT).to_dict()["app_count"] == 1
    unknown = lambda: applications.update(tagged.id, **body, tags=[names[0], "nowhere"])
    refused(cloudflare.BadRequestError, unknown, "/tags/1")
    refused(cloudflare.ConflictError, lambda: tags.delete(names[0], **ACCOUNT), "Tagged")
    applications.delete(tagged.id, **ACCOUNT)
    refused(cloudflare.ConflictError, lambda: tags.create(**ACCOUNT, name=names[0]), "12132")
    for name in names:
        assert tags.delete(name, **ACCOUNT).name == name


def custom_pages():
    pages = strict.zero_trust.access.custom_pages
    page = {"type": "forbidden", "custom_html": "<h1>No.</h1>"}
    made = [pages.create(**ACCOUNT, name=f"page {n}", **page) for n in range(2)]
    assert pages.get(made[0].uid, **ACCOUNT).custom_html == page["custom_html"]
    put = pages.update(made[0].uid, **ACCOUNT, name="renamed", contract_version=0, **page)
    assert put.name == "renamed" and put.contract_version == 0
    assert [page.uid for page in pages.list(**ACCOUNT, per_page=1)] == [page.uid for page in made]
    for one in made:
        assert pages.delete(one.uid, **ACCOUNT).id == one.uid


def certificates():
    certificates = strict.zero_trust.access.certificates
    made = certificates.create(
        **ACCOUNT, name="devices", certificate=os.environ["AUTHORITY"], associated_hostnames=[HOST]
    )
    assert made.fingerprint and made.expires_on
    read = certificates.get(made.id, **ACCOUNT)
    assert read.associated_hostnames == [HOST]
    assert [one.id for one in certificates.list(**ACCOUNT)] == [made.id]
    off = {"hostname": HOST, "china_network": False, "client_certificate_forwarding": False}
    assert [one.to_dict() for one in certificates.settings.update(**ACCOUNT, settings=[off])] == [off]
    assert [one.to_dict() for one in certificates.settings.get(**ACCOUNT)] == [off]
    assert certificates.update(made.id, **ACCOUNT, associated_hostnames=[], name="devices").associated_hostnames == []
    assert certificates.delete(made.id, **ACCOUNT).id == made.id


def lists():
    lists = strict.zero_trust.gateway.lists
    items = [{"value": "198.51.100.0/24", "description": "office"}, {"value": "203.0.113.7"}]
    made = lists.create(**ACCOUNT, name="nets", type="IP", items=items)
    change = {"append": [{"value": "192.0.2.1"}], "remove": ["203.0.113.7"]}
    lists.edit(made.id, **ACCOUNT, **change)
    held = [item.value for item in lists.items.list(made.id, **ACCOUNT)]
    assert held == ["198.51.100.0/24", "192.0.2.1"], held
    assert lists.update(made.id, **ACCOUNT, name="networks").name == "networks"
    assert lists.get(made.id, **ACCOUNT).count == 2
    assert [one.id for one in lists.list(**ACCOUNT)] == [made.id]
    lists.delete(made.id, **ACCOUNT)
    refused(cloudflare.NotFoundError, lambda: lists.get(made.id, **ACCOUNT), "unknown_list")


live(
    groups, policies, applications, settings_and_reuse, launcher, tags, custom_pages, certificates, lists,
)
