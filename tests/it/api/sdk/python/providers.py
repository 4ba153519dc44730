"""Identity providers; the last one stays for the test to sign people in with, at THIRD.

TENANT, CLIENT and CLIENT_SECRET are those of the directory that ALICE signs in at.
"""

import os

import cloudflare
from cloudflare.types.zero_trust import AzureAD

from common import ACCOUNT, ids, leave, live, raw, refused, strict


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


def the_page_on_entra_id():
    """The requests of Cloudflare's page on Entra ID in the order of its sections, SCIM and the last one included."""
    providers = strict.zero_trust.identity_providers
    config = {
        "client_id": os.environ["CLIENT"], "client_secret": os.environ["CLIENT_SECRET"],
        "directory_id": os.environ["TENANT"], "support_groups": True, "azure_cloud": "mock",
    }
    made = providers.create(**ACCOUNT, name="Entra ID example", type="azureAD", config=config)
    path = f"/access/identity_providers/{made.id}"
    # "Enable SCIM", as an edit of what is shown does, and "Regenerate Secret".
    shown = {key: value for key, value in made.to_dict()["config"].items() if key != "client_secret"}
    scim = {"enabled": True, "user_deprovision": True, "identity_update_behavior": "automatic"}
    enabled = providers.update(made.id, **ACCOUNT, name=made.name, type="azureAD", config=shown, scim_config=scim)
    first = enabled.scim_config.secret
    assert first and enabled.scim_config.scim_base_url.endswith(f"/populations/{made.id}/scim/v2")
    second = raw("post", f"{path}/refresh_scim_secret")["scim_config"]["secret"]
    assert second not in (None, first)

    # The last section: what is shown is put back key by key, with `prompt` besides.
    read = raw("get", path)
    shown = read["config"]
    body = {
        "id": read["id"], "type": "azureAD", "uid": read["uid"], "name": "Entra ID", "version": read["version"],
        "config": {
            "azure_cloud": shown["azure_cloud"], "client_id": shown["client_id"],
            "conditional_access_enabled": shown["conditional_access_enabled"],
            "directory_id": shown["directory_id"], "redirect_url": shown["redirect_url"],
            "prompt": "login", "support_groups": shown["support_groups"],
        },
        "scim_config": {
            "enabled": True, "user_deprovision": True, "seat_deprovision": False, "group_member_deprovision": False,
            "identity_update_behavior": "automatic",
        },
        "scim_base_url": read["scim_base_url"],
    }
    assert (shown["azure_cloud"], shown["conditional_access_enabled"]) == ("mock", False)
    sent = {key: body[key] for key in ("name", "type", "config", "scim_config")}
    rest = {key: value for key, value in body.items() if key not in sent}
    put = providers.update(made.id, **ACCOUNT, **sent, extra_body=rest)
    assert type(put) is AzureAD and put.name == "Entra ID" and put.config.prompt == "login"
    assert put.to_dict()["version"] != body["version"]
    for answer in (put.to_dict(), raw("get", path), providers.get(made.id, **ACCOUNT).to_dict()):
        assert answer["scim_config"].get("secret") is None and "client_secret" not in answer["config"], "told once"
        assert {key: answer["scim_config"][key] for key in body["scim_config"]} == body["scim_config"], answer
        assert {key: answer["config"][key] for key in body["config"]} == body["config"], answer
        assert answer["scim_base_url"] == body["scim_base_url"]
    alice = {"name": "alice", "decision": "allow", "include": [{"email": {"email": os.environ["ALICE"]}}]}
    strict.zero_trust.access.applications.create(
        **ACCOUNT, name="Third", type="self_hosted", domain=os.environ["THIRD"], allowed_idps=[made.id],
        policies=[alice],
    )
    leave(provider=made.id, first=first, second=second)


live(identity_providers, the_page_on_entra_id)
