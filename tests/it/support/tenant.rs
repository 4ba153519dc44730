//! The people of the tests.

use mock_entra::{AppRegistration, Directory, Group, GroupClaim, MemberRef, Tenant, User};

/// The tenant that the gateway trusts.
pub(crate) const TENANT: &str = "72a1c0de-4b5d-4e6f-8a90-1b2c3d4e5f60";
/// The app registration of the gateway, and its secret.
pub(crate) const CLIENT: &str = "3f2b6a90-7c1d-4e58-9a0b-c1d2e3f40516";
pub(crate) const SECRET: &str = "the-secret-of-the-app-registration";

/// Alice is staff. Adam is staff and an administrator. Mallory is neither.
pub(crate) const ALICE: &str = "alice@contoso.example";
pub(crate) const ADAM: &str = "adam@contoso.example";
pub(crate) const MALLORY: &str = "mallory@contoso.example";

pub(crate) const STAFF: &str = "a1000001-1111-4a11-8a11-000000000001";
pub(crate) const ADMINS: &str = "a1000002-1111-4a11-8a11-000000000002";

const ALICE_OID: &str = "0aa11bb2-2cc3-4dd4-8ee5-5ff66a77b88c";
pub(crate) const ADAM_OID: &str = "1bb22cc3-3dd4-4ee5-9ff6-6aa77b88c99d";

/// The tenant, with this redirect address and front-channel address registered.
pub(crate) fn directory(callback: &str, front_channel: &str) -> Directory {
    let person = |upn: &str, oid: &str, name: &str| User::member(upn).oid(oid).name(name);
    let tenant = Tenant::new(TENANT, "Contoso")
        .domain("contoso.example")
        .user(person(ALICE, ALICE_OID, "Alice Example"))
        .user(person(ADAM, ADAM_OID, "Adam Example"))
        .user(User::member(MALLORY).name("Mallory Example"))
        .group(
            Group::new(STAFF, "Staff")
                .member(MemberRef::user(ALICE_OID))
                .member(MemberRef::user(ADAM_OID)),
        )
        .group(Group::new(ADMINS, "Administrators").member(MemberRef::user(ADAM_OID)))
        .app(
            AppRegistration::new(CLIENT, "Vestibule")
                .redirect_uri(callback)
                .front_channel_logout(front_channel)
                .secret(SECRET)
                .optional_claims(["email", "upn", "acct", "sid", "login_hint", "xms_edov"])
                .group_claim(GroupClaim::None)
                .permission("User.Read")
                .permission("GroupMember.Read.All"),
        );
    Directory::from(&tenant)
}
