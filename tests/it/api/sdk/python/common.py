"""What the lives of objects have in common: Cloudflare's own Python client, with nothing but its base URL changed.

The client reads CLOUDFLARE_BASE_URL and CLOUDFLARE_API_TOKEN itself; the rest of the environment comes from the test.
"""

import json
import os

import cloudflare
from cloudflare import Cloudflare

assert cloudflare.__version__ == "5.9.0", cloudflare.__version__

ACCOUNT = {"account_id": os.environ["ACCOUNT"]}
# A host of applications.
HOST = os.environ["WIKI"]
EVERYBODY = [{"everyone": {}}]

# A default client tries again where it is told of a conflict, unless the answer says that this is in vain.
strict = Cloudflare(_strict_response_validation=True, max_retries=0)
# An access group's `is_default` is a boolean in Cloudflare's documentation, and a list of rules in the client's types.
lax = Cloudflare(max_retries=0)


def ids(listed):
    """The ids of an auto-paged list."""
    found = [item.id for item in every(listed)]
    assert len(found) == len(set(found)), "a page came twice"
    return found


def every(listed):
    """The items of an auto-paged list, which asks for pages until one is empty."""
    found = []
    for item in listed:
        found.append(item)
        assert len(found) < 1_000, "the list does not end"
    return found


def refused(kind, act, word):
    """That a call is refused in this way, with these words."""
    try:
        act()
    except kind as error:
        assert word in str(error.body), error.body
        return
    raise AssertionError(f"{kind.__name__} was due")


def raw(method, path, **query):
    """What is behind an address of the account that the client has no method for."""
    ask = getattr(strict, method)
    answer = ask(f"/accounts/{ACCOUNT['account_id']}{path}", cast_to=object, options={"params": query})
    assert answer["success"] is True and answer["errors"] == [], answer
    return answer["result"]


def leave(**known):
    """Hands the test what it goes on with."""
    print("left:", json.dumps(known))


def live(*lives):
    """Lives one after the other."""
    for life in lives:
        life()
        print("lived:", life.__name__)
