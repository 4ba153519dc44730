"""Whole lives of objects through Cloudflare's own Python client, with nothing but its base URL changed.

The client reads CLOUDFLARE_BASE_URL and CLOUDFLARE_API_TOKEN itself; ACCOUNT, WIKI (a host of applications),
TENANT and AUTHORITY (a certificate in PEM) come from the test.
"""

import os

import cloudflare
from cloudflare import Cloudflare
from cloudflare.types.zero_trust import AzureAD
from cloudflare.types.zero_trust.access import application_create_response, application_get_response

ACCOUNT = {"account_id": os.environ["ACCOUNT"]}
HOST = os.environ["WIKI"]
EVERYBODY = [{"everyone": {}}]

# A default client tries again where it is told of a conflict, unless the answer says that this is in vain.
strict = Cloudflare(_strict_response_validation=True, max_retries=0)
# An access group's `is_default` is a boolean in Cloudflare's documentation, and a list of rules in the client's types.
lax = Cloudflare(max_retries=0)


def ids(listed):
    """The ids of an auto-paged list, which asks for pages until one is empty."""
    found = []
    for item in listed:
        found.append(item.id)
        assert len(found) < 1_000, "the list does not end"
    assert len(found) == len(set(found)), "a page came twice"
    return found


def refused(kind, act, word):
    """That a call is refused in this way, with these words."""
    try:
        act()
    except kind as error:
        assert word in str(error.body), error.body
        return
    raise AssertionError(f"{kind.__name__} was due")


def a_token_is_verified():
    assert strict.user.tokens.verify().status == "active"
    stranger = Cloudflare(api_token="x" * 40, max_retries=0)
    refused(cloudflare.PermissionDeniedError, stranger.user.tokens.verify, "9109")


def identity_providers():
    providers = strict.zero_trust.identity_providers
    config = {
        "client_id": "3b5f2c9e-5d0f-4c0e-9c1c-1a2b3c4d5e6f",
        "client_secret": "s3cr3t-value-of-python",
        "directory_id": os.environ["TENANT"],
        "support_groups": True,
    }
    made = providers.create(**ACCOUNT, name="Entra of Python", type="azureAD", config=config)
    assert type(made) is AzureAD, type(made)
    assert made.config.client_secret is None and made.config.redirect_url.endswith("/cdn-cgi/access/callback")
    again = providers.get(made.id, **ACCOUNT)
    assert type(again) is AzureAD and again == made
    # What was answered, read-only keys included, is put back with one key more.
    changed = again.to_dict()
    changed["config"]["prompt"] = "select_account"
    body = {key: changed[key] for key in ("name", "type", "config")}
    rest = {key: value for key, value in changed.items() if key not in body}
    put = providers.update(made.id, **ACCOUNT, **body, extra_body=rest)
    assert type(put) is AzureAD and put.config.prompt == "select_account"
    for number in range(3):
        providers.create(**ACCOUNT, name=f"Another {number}", type="azureAD", config=config)
    every = ids(providers.list(**ACCOUNT))
    assert made.id in every and len(every) == 5, every
    assert ids(providers.list(**ACCOUNT, per_page=2)) == every
    for one in every:
        if not providers.get(one, **ACCOUNT).read_only:
            assert providers.delete(one, **ACCOUNT).id == one
    refused(cloudflare.NotFoundError, lambda: providers.get(made.id, **ACCOUNT), "unknown_identity_provider")
    wrong = dict(config, prompt="always")
    act = lambda: providers.create(**ACCOUNT, name="x", type="azureAD", config=wrong)
    refused(cloudflare.BadRequestError, act, "/config/prompt")


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


def tags():
    tags = strict.zero_trust.access.tags
    names = ["on call", "infra/net", "Größe"]
    for name in names:
        assert tags.create(**ACCOUNT, name=name).name == name
    assert tags.get(names[0], **ACCOUNT).name == names[0]
    assert tags.update(names[0], **ACCOUNT, name=names[0]).name == names[0]
    assert [tag.name for tag in tags.list(**ACCOUNT)] == names
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


if __name__ == "__main__":
    assert cloudflare.__version__ == "5.9.0", cloudflare.__version__
    for life in (
        a_token_is_verified, identity_providers, groups, policies, applications, launcher, organization, service_tokens,
        tags, custom_pages, certificates, lists,
    ):
        life()
        print("lived:", life.__name__)
