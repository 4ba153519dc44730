//! Good tenants and broken ones: what the checklist says of each.

use jiff::SignedDuration;
use mock_entra::{AppRegistration, Endpoint, Fault, IdTokenFault, User};

use super::{Checklist, lines, link, ready, tested, world};
use crate::support::tenant::{ADAM, ALICE, CLIENT, SECRET, TENANT};
use crate::support::world::World;

const CAROL_OID: &str = "2cc33dd4-4ee5-4ff6-8aa7-7bb88c99d00e";

/// Changes the app registration.
fn register(world: &World, change: impl FnOnce(AppRegistration) -> AppRegistration) {
    world.entra.directory().tenant(TENANT).edit_app(CLIENT, change);
}

#[tokio::test]
async fn a_tenant_in_order_has_nothing_to_mend() {
    let (world, _) = world(|builder| builder).await;
    let end = world.clock.now_seconds() + 90 * 86_400;
    register(&world, |app| {
        app.secret_expires(end).app_permission("Application.Read.All")
    });
    let list = tested(&world, &mut world.person(ADAM)).await;
    let page = list.0.text();
    for line in lines(&list.0.reply) {
        assert!(matches!(line.tone.as_str(), "ok" | "off"), "{line:?}");
    }
    assert!(page.contains("</bdi> works</h1>"), "{page}");
    assert!(!page.contains("class=\"mend\""), "{page}");
    list.says("Directory", "ok", &[TENANT, "mock"]);
    list.says("Clock", "ok", &[]);
    list.says("Redirect address", "ok", &["/cdn-cgi/access/callback"]);
    list.says("Credential of the app", "ok", &["client secret"]);
    list.says("End of the credential", "ok", &["days left: 89", "Graph says so"]);
    list.says("Person", "ok", &["Adam Example", "a member"]);
    list.says("ID token", "ok", &[]);
    list.says("E-mail address", "ok", &[ADAM, "from email", "email: found"]);
    list.says("Groups", "ok", &["nested ones included: 2"]);
    list.says("Authentication contexts", "off", &[]);
    for name in [
        "openid",
        "profile",
        "email",
        "offline_access",
        "User.Read",
        "GroupMember.Read.All",
    ] {
        list.says(&format!("Delegated: {name}"), "ok", &["granted"]);
    }
    list.says("Delegated: Directory.Read.All", "off", &["not needed"]);
    list.says("Application: Policy.Read.ConditionalAccess", "off", &[]);
    list.says("Application: Application.Read.All", "ok", &["granted"]);
    list.says("Application: GroupMember.Read.All", "off", &["SCIM is off"]);
    assert!(!page.contains(SECRET));
}

#[tokio::test]
async fn what_provisioning_needs_is_on_the_list() {
    let scim = "[identity_providers.scim_config]\nenabled = true\n";
    let (world, _) = world(|builder| builder.provider(scim)).await;
    let list = tested(&world, &mut world.person(ADAM)).await;
    let told = ["not granted", "until the next sign-in", "Grant admin consent"];
    list.says("Application: GroupMember.Read.All", "warn", &told);
    register(&world, |app| app.app_permission("GroupMember.Read.All"));
    let list = tested(&world, &mut world.person(ADAM)).await;
    list.says("Application: GroupMember.Read.All", "ok", &["granted"]);
}

/// Whatever is not as it should be says what to do.
fn each_fault_has_a_mend(list: &Checklist) {
    for line in lines(&list.0.reply) {
        let is_fault = matches!(line.tone.as_str(), "warn" | "danger");
        assert!(!is_fault || line.text.contains("To do:"), "{line:?}");
    }
}

#[tokio::test]
async fn claims_and_contexts_are_told_one_by_one() {
    let (world, _) = world(|builder| {
        builder.provider(
            "conditional_access_enabled = true\nclaims = [\"sid\", \"department\"]\nemail_claim_name = \"mail\"",
        )
    })
    .await;
    let list = tested(&world, &mut world.person(ALICE)).await;
    list.says("Claim sid", "ok", &[]);
    list.says("Claim department", "danger", &["optional claim department"]);
    list.says(
        "E-mail address",
        "warn",
        &["mail: absent", "email: found", "leave email_claim_name out"],
    );
    list.says(
        "Authentication contexts",
        "danger",
        &["Policy.Read.ConditionalAccess"],
    );
    list.says(
        "Application: Policy.Read.ConditionalAccess",
        "danger",
        &["not granted"],
    );

    register(&world, |app| app.app_permission("Policy.Read.ConditionalAccess"));
    let tenant = mock_entra::Tenant::new("00000000-1111-4222-8333-444444444444", "Elsewhere");
    world.entra.directory().add_tenant(tenant);
    let list = tested(&world, &mut world.person(ALICE)).await;
    list.says("Application: Policy.Read.ConditionalAccess", "ok", &["granted"]);
    // The tenant has none: nothing to ask for.
    list.says("Authentication contexts", "warn", &["0 listed"]);
}

#[tokio::test]
async fn a_wrong_secret_is_told_with_its_mend() {
    let (world, _) = world(|builder| builder).await;
    let callback = world
        .person(ADAM)
        .address(&world.host("login"), "/cdn-cgi/access/callback");
    let app = AppRegistration::new(CLIENT, "Vestibule")
        .redirect_uri(callback.as_str())
        .secret("another-one")
        .permission("User.Read")
        .permission("GroupMember.Read.All");
    register(&world, |_| app);
    let list = tested(&world, &mut world.person(ADAM)).await;
    list.says("Redirect address", "ok", &[]);
    list.says(
        "Credential of the app",
        "danger",
        &["AADSTS7000215", "secret VALUE, not the secret ID"],
    );
    list.says("Person", "danger", &["AADSTS7000215"]);
    each_fault_has_a_mend(&list);
    let page = list.0.text();
    assert!(
        page.contains("Needs attention") && !page.contains("To mend"),
        "{page}"
    );
    // Who reads this has made the settings.
    assert!(
        !page.contains("nothing you did") && !page.contains("Something went wrong"),
        "{page}"
    );
    assert!(!list.0.text().contains(SECRET));
}

#[tokio::test]
async fn a_secret_that_ended_and_one_that_will_are_told() {
    let (world, _) = world(|builder| builder).await;
    let soon = world.clock.now_seconds() + 5 * 86_400;
    register(&world, |app| {
        app.secret_expires(soon).app_permission("Application.Read.All")
    });
    let list = tested(&world, &mut world.person(ADAM)).await;
    list.says(
        "End of the credential",
        "warn",
        &["days left: 4", "make another client secret", "next_client_secret"],
    );
    world.pass(SignedDuration::from_hours(24 * 6));
    let list = tested(&world, &mut world.person(ADAM)).await;
    list.says("Credential of the app", "danger", &["AADSTS7000222"]);
    list.says("Person", "danger", &["AADSTS7000222"]);
}

#[tokio::test]
async fn what_graph_was_asked_for_already_takes_no_permission() {
    let (world, _) = world(|builder| builder).await;
    let without = tested(&world, &mut world.person(ADAM)).await;
    without.says(
        "End of the credential",
        "warn",
        &["client_secret_expires_at", "Application.Read.All"],
    );
    // Graph tells of a secret that never ends.
    register(&world, |app| app.app_permission("Application.Read.All"));
    let list = tested(&world, &mut world.person(ADAM)).await;
    let line = list.line("End of the credential");
    assert!(line.text.contains("client_secret_expires_at"), "{line:?}");
    assert!(!line.text.contains("Application.Read.All"), "{line:?}");
}

#[tokio::test]
async fn the_end_that_the_operator_wrote_down_is_used_where_graph_does_not_tell() {
    let (world, _) =
        world(|builder| builder.provider("client_secret_expires_at = \"2099-12-31T00:00:00Z\"")).await;
    let list = tested(&world, &mut world.person(ADAM)).await;
    list.says(
        "End of the credential",
        "ok",
        &["2099-12-31", "client_secret_expires_at says so"],
    );
}

#[tokio::test]
async fn a_missing_permission_is_told_with_its_mend() {
    let (world, _) = world(|builder| builder.provider("scopes = [\"Directory.Read.All\"]")).await;
    let mut adam = world.person(ADAM);
    let list = tested(&world, &mut adam).await;
    list.says("Person", "danger", &["AADSTS65001", "Grant admin consent"]);
    list.says("Delegated: Directory.Read.All", "warn", &["Grant admin consent"]);
    list.says("Credential of the app", "ok", &[]);
    register(&world, |app| app.permission("Directory.Read.All"));
    let list = tested(&world, &mut adam).await;
    list.says("Delegated: Directory.Read.All", "ok", &["granted"]);
}

#[tokio::test]
async fn groups_that_cannot_be_read_are_no_absence_of_groups() {
    let (world, _) = world(|builder| builder).await;
    let fault = |status, code: &str, from_page| Fault::Graph {
        status,
        code: code.to_owned(),
        retry_after: None,
        from_page,
    };
    world
        .entra
        .fail_always(fault(403, "Authorization_RequestDenied", 0));
    let list = tested(&world, &mut world.person(ADAM)).await;
    list.says("Person", "ok", &[]);
    list.says(
        "Groups",
        "danger",
        &[
            "not read to the end",
            "GroupMember.Read.All",
            "Read before that: 0",
        ],
    );
    world.entra.clear_faults();
    world.entra.graph_page_size(1);
    world
        .entra
        .fail_always(fault(403, "Authorization_RequestDenied", 2));
    let list = tested(&world, &mut world.person(ADAM)).await;
    list.says("Groups", "danger", &["Read before that: 1"]);
}

#[tokio::test]
async fn groups_that_are_not_asked_for_are_no_fault() {
    let (world, _) = world(|builder| builder.provider("support_groups = false")).await;
    let list = tested(&world, &mut world.person(ADAM)).await;
    list.says("Groups", "off", &["support_groups is off"]);
    list.says("Delegated: GroupMember.Read.All", "off", &[]);
    list.says("Delegated: profile", "ok", &[]);
}

#[tokio::test]
async fn an_account_without_an_address_is_told_step_by_step() {
    let (world, _) = world(|builder| builder).await;
    let guest = User::guest("carol@partner.example")
        .oid(CAROL_OID)
        .name("Carol Partner");
    world
        .entra
        .directory()
        .tenant(TENANT)
        .add_user(guest.without_mail());
    let list = tested(&world, &mut world.person(CAROL_OID)).await;
    list.says("Person", "ok", &["Carol Partner", "a guest"]);
    let steps = [
        "email: absent",
        "upn: absent",
        "preferred_username: not used for guests",
        "Graph userPrincipalName: no e-mail address",
        "optional claims email and upn",
    ];
    list.says("E-mail address", "danger", &steps);
}

#[tokio::test]
async fn a_guest_whose_address_nobody_vouches_for_is_told_apart() {
    let (world, _) = world(|builder| builder).await;
    let guest = User::guest("carol@partner.example").domain_owner_verified(false);
    world.entra.directory().tenant(TENANT).add_user(guest);
    let mut carol = world.person("carol@partner.example");
    let list = tested(&world, &mut carol).await;
    list.says(
        "E-mail address",
        "danger",
        &["email: passed over", "xms_edov is false"],
    );
    // Without the claim nobody says so, and nobody says the opposite.
    let callback = carol.address(&world.host("login"), "/cdn-cgi/access/callback");
    let app = AppRegistration::new(CLIENT, "Vestibule")
        .redirect_uri(callback.as_str())
        .secret(SECRET)
        .permission("User.Read")
        .permission("GroupMember.Read.All");
    register(&world, |_| app);
    let list = tested(&world, &mut carol).await;
    let told = ["carol@partner.example, from email", "trust_guest_email = true"];
    list.says("E-mail address", "warn", &told);
}

#[tokio::test]
async fn a_redirect_address_that_is_not_registered_is_told_before_anybody_is_stuck() {
    let (world, _) = world(|builder| builder).await;
    let app = AppRegistration::new(CLIENT, "Vestibule")
        .redirect_uri("https://login.example.com/cdn-cgi/access/callback")
        .secret(SECRET);
    register(&world, |_| app);
    let link = link(&world).await;
    let mut adam = world.person(ADAM);
    let go = ready(&mut adam, &link).await;
    let arrival = adam.follow(go).await;
    assert!(!arrival.asked_entra(), "{:?}", arrival.way);
    let list = Checklist(arrival);
    let address = format!(
        "add the redirect URI {}://{}/cdn-cgi/access/callback",
        world.scheme(),
        world.authority("login")
    );
    list.says("Redirect address", "danger", &["AADSTS50011", &address]);
    list.says("Credential of the app", "ok", &[]);
    assert_eq!(list.0.reply.all("set-cookie").count(), 0);
}

#[tokio::test]
async fn a_refused_person_ends_on_the_checklist_with_the_code_in_words() {
    let (world, database) = world(|builder| builder).await;
    register(&world, AppRegistration::assignment_required);
    let list = tested(&world, &mut world.person(ADAM)).await;
    list.says(
        "Person",
        "danger",
        &["AADSTS50105", "You are not assigned", "Users and groups"],
    );
    list.says("Redirect address", "ok", &[]);
    assert_eq!(super::rows(&database, "users").await, 0);
    assert_eq!(super::rows(&database, "access_requests").await, 0);
}

#[tokio::test]
async fn a_directory_that_does_not_answer_is_told_without_a_sign_in() {
    let (world, _) = world(|builder| builder).await;
    world.entra.fail_always(Fault::Discovery { status: 503 });
    let list = tested(&world, &mut world.person(ADAM)).await;
    assert!(!list.0.asked_entra());
    list.says("Directory", "warn", &["status 503", "over https"]);
    list.says("Redirect address", "warn", &[]);
    each_fault_has_a_mend(&list);
    assert_eq!(world.entra.count(Endpoint::Token), 0);
}

#[tokio::test]
async fn clocks_that_differ_are_told_with_how_far() {
    let (world, _) = world(|builder| builder).await;
    world.entra.set_clock_offset(-120);
    let list = tested(&world, &mut world.person(ADAM)).await;
    list.says("Clock", "warn", &["seconds ahead of", "NTP"]);
    list.says("Person", "ok", &[]);
    world.entra.set_clock_offset(2 * 60 * 60);
    let list = tested(&world, &mut world.person(ADAM)).await;
    list.says("Clock", "danger", &["seconds behind"]);
    list.says("ID token", "danger", &["nbf", "NTP"]);
}

#[tokio::test]
async fn an_id_token_that_fails_a_check_is_told_by_the_check() {
    let (world, _) = world(|builder| builder).await;
    world
        .entra
        .fail_always(Fault::IdToken(IdTokenFault::WrongAudience));
    let list = tested(&world, &mut world.person(ADAM)).await;
    list.says("ID token", "danger", &["aud", "client_id must be"]);
    let page = list.0.text();
    assert!(page.contains("does not work yet"), "{page}");
}

#[tokio::test]
async fn a_silent_provider_is_tested_with_the_one_interactive_login_that_follows() {
    let (world, _) = world(|builder| builder.provider("prompt = \"none\"")).await;
    world.entra.fail_next(Fault::Graph {
        status: 401,
        code: "InvalidAuthenticationToken".to_owned(),
        retry_after: None,
        from_page: 0,
    });
    let mut adam = world.person(ADAM);
    let list = tested(&world, &mut adam).await;
    list.says("Person", "ok", &[]);
    world.entra.clear_faults().fail_next(Fault::GraphClaimsChallenge);
    let list = tested(&world, &mut adam).await;
    let asked = list.0.way.iter().filter(|url| url.path().ends_with("/authorize"));
    assert_eq!(asked.count(), 2, "{:?}", list.0.way);
    list.says("Person", "ok", &[]);
    list.says("Groups", "ok", &[]);
}
