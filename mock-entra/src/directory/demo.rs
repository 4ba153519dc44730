//! The people of the demo: one tenant in which every kind of person occurs.

use super::{AppRegistration, Directory, Group, GroupClaim, MemberRef, Tenant, User};

/// The tenant *Contoso*.
pub const TENANT: &str = "72a1c0de-4b5d-4e6f-8a90-1b2c3d4e5f60";
/// Its verified domain.
pub const DOMAIN: &str = "contoso.example";
/// The app registration *Vestibule*.
pub const CLIENT_ID: &str = "3f2b6a90-7c1d-4e58-9a0b-c1d2e3f40516";
/// Its client secret.
pub const CLIENT_SECRET: &str = "demo-secret";

/// The user principal name of Alice, who is in Engineering.
pub const ALICE: &str = "alice@contoso.example";
/// Alice's object id.
pub const ALICE_OID: &str = "0aa11bb2-2cc3-4dd4-8ee5-5ff66a77b88c";
/// The user principal name of Bob, who is in Sales.
pub const BOB: &str = "bob@contoso.example";
/// Bob's object id.
pub const BOB_OID: &str = "1bb22cc3-3dd4-4ee5-9ff6-6aa77b88c99d";
/// The address of Carol, a guest of another organisation, in no group.
pub const CAROL: &str = "carol@partner.example";
/// Carol's object id.
pub const CAROL_OID: &str = "2cc33dd4-4ee5-4ff6-8aa7-7bb88c99d00e";
/// The user principal name of Dan, whose account is disabled.
pub const DAN: &str = "dan@contoso.example";
/// Dan's object id.
pub const DAN_OID: &str = "3dd44ee5-5ff6-4aa7-9bb8-8cc99d00e11f";
/// The user principal name of Eve, who is in 250 groups: too many for a token.
pub const EVE: &str = "eve@contoso.example";
/// Eve's object id.
pub const EVE_OID: &str = "4ee55ff6-6aa7-4bb8-8cc9-9dd00e11f220";

/// The group *Engineering*, itself a member of [`ALL_STAFF`].
pub const ENGINEERING: &str = "a1000001-1111-4a11-8a11-000000000001";
/// The group *Sales*, itself a member of [`ALL_STAFF`].
pub const SALES: &str = "a1000002-1111-4a11-8a11-000000000002";
/// The group *All Staff*, whose members are groups.
pub const ALL_STAFF: &str = "a1000003-1111-4a11-8a11-000000000003";

/// How many groups Eve is in: more than the 200 a token may list.
const EVES_GROUPS: u32 = 250;

impl Directory {
    /// The demo's directory. The app *Vestibule* has no redirect address yet: add it with
    /// `directory.tenant(demo::TENANT).edit_app(demo::CLIENT_ID, |app| app.redirect_uri("…"))`.
    pub fn demo() -> Self {
        let engineering = Group::new(ENGINEERING, "Engineering").member(MemberRef::user(ALICE_OID));
        let sales = Group::new(SALES, "Sales").member(MemberRef::user(BOB_OID));
        let all_staff = Group::new(ALL_STAFF, "All Staff")
            .member(MemberRef::group(ENGINEERING))
            .member(MemberRef::group(SALES));
        let contoso = Tenant::new(TENANT, "Contoso")
            .domain(DOMAIN)
            .user(
                User::member(ALICE)
                    .oid(ALICE_OID)
                    .name("Alice Example")
                    .names("Alice", "Example"),
            )
            .user(
                User::member(BOB)
                    .oid(BOB_OID)
                    .name("Bob Sample")
                    .names("Bob", "Sample"),
            )
            .user(
                User::guest(CAROL)
                    .oid(CAROL_OID)
                    .name("Carol Partner")
                    .names("Carol", "Partner"),
            )
            .user(
                User::member(DAN)
                    .oid(DAN_OID)
                    .name("Dan Disabled")
                    .names("Dan", "Disabled")
                    .disabled(),
            )
            .user(
                User::member(EVE)
                    .oid(EVE_OID)
                    .name("Eve Everywhere")
                    .names("Eve", "Everywhere"),
            )
            .group(engineering)
            .group(sales)
            .group(all_staff)
            .app(app())
            .auth_context("c1", "Require strong MFA", "Phishing-resistant MFA", true)
            .auth_context("c2", "Managed device", "Compliant device needed", true)
            .auth_context("c3", "Draft", "not published", false);
        let directory = Self::new();
        directory.add_tenant((1..=EVES_GROUPS).map(eves_group).fold(contoso, Tenant::group));
        directory
    }
}

fn app() -> AppRegistration {
    AppRegistration::new(CLIENT_ID, "Vestibule")
        .secret(CLIENT_SECRET)
        .optional_claims([
            "email",
            "upn",
            "acct",
            "auth_time",
            "sid",
            "login_hint",
            "xms_edov",
        ])
        .optional_claims(["verified_primary_email", "acrs", "given_name", "family_name"])
        .group_claim(GroupClaim::SecurityGroup)
        .permission("User.Read")
        .permission("GroupMember.Read.All")
        .app_permission("GroupMember.Read.All")
        .app_permission("User.Read.All")
        .app_permission("User.RevokeSessions.All")
        .app_permission("Policy.Read.ConditionalAccess")
        .app_permission("Application.Read.All")
}

fn eves_group(number: u32) -> Group {
    Group::new(
        format!("e{number:07}-2222-4a22-8a22-000000000000"),
        format!("Project {number:03}"),
    )
    .member(MemberRef::user(EVE_OID))
}
