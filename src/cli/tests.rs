//! Commands as they are typed.

use std::ffi::OsString;
use std::path::Path;

use super::{Exit, Terminal, run_at};

/// Exit, standard output and standard error of a command.
fn type_in(arguments: &[&str]) -> (Exit, String, String) {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let mut terminal = Terminal {
        out: &mut out,
        err: &mut err,
    };
    let arguments = std::iter::once("vestibule").chain(arguments.iter().copied());
    let exit = run_at(arguments.map(OsString::from), &mut terminal).unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (exit, text(out), text(err))
}

/// A configuration in a directory, with its store beside it.
fn written(directory: &Path, more: &str) -> String {
    let path = directory.join("vestibule.toml");
    std::fs::write(
        directory.join("key"),
        "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\n",
    )
    .unwrap();
    std::fs::write(directory.join("secret"), "client secret\n").unwrap();
    let text = format!(
        r#"
[organization]
name = "Example"
auth_url = "http://login.localhost:8080"
[listen]
http = "127.0.0.1:8080"
[store]
url = "sqlite://{}/vestibule.db"
[secrets]
master_key = {{ file = "key" }}
[[upstreams]]
hostname = "wiki.localhost"
service = "http://127.0.0.1:3000"
[[identity_providers]]
name = "Entra ID"
type = "azureAD"
config = {{ client_id = "3f2b6a90-7c1d-4e58-9a0b-c1d2e3f40516", client_secret = {{ file = "secret" }}, directory_id = "72a1c0de-4b5d-4e6f-8a90-1b2c3d4e5f60" }}
[[applications]]
name = "Wiki"
domain = "wiki.localhost"
policies = [{{ name = "staff", decision = "allow", include = [{{ email_domain = {{ domain = "example.com" }} }}] }}]
{more}
"#,
        directory.display()
    );
    std::fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn check_tells_faults_in_lines_and_exits_64() {
    let directory = tempfile::tempdir().unwrap();
    let file = written(directory.path(), "colour = 1\n");
    let (exit, out, err) = type_in(&["check", &file]);
    assert_eq!((exit, out.as_str()), (Exit::Unusable, ""));
    let line = format!("{file}:22: applications[0].colour: unknown key; known here: ");
    assert!(err.starts_with(&line) && err.lines().count() == 1, "{err}");
}

#[test]
fn check_tells_twelve_faults_in_twelve_lines() {
    let file = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/fixtures/config/twelve_faults.toml"
    );
    let (exit, _, err) = type_in(&["check", file]);
    assert_eq!((exit, err.lines().count()), (Exit::Unusable, 12), "{err}");
}

#[test]
fn check_makes_no_store_and_shows_audiences_once_there_is_one() {
    let directory = tempfile::tempdir().unwrap();
    let file = written(directory.path(), "");
    let (exit, out, err) = type_in(&["check", &file]);
    assert_eq!((exit, err.as_str()), (Exit::Fine, ""));
    assert!(out.starts_with(&format!("{file} is fine\n")), "{out}");
    assert!(
        out.contains("redirect address  http://login.localhost:8080/cdn-cgi/access/callback"),
        "{out}"
    );
    assert!(
        out.contains("  Wiki  wiki.localhost  aud given at first start"),
        "{out}"
    );
    assert!(!directory.path().join("vestibule.db").exists());

    let (exit, out, _) = type_in(&["apply", "--config", &file]);
    assert_eq!(
        (exit, out.as_str()),
        (Exit::Fine, "3 created, 0 updated, 0 deleted\n")
    );
    let (_, out, err) = type_in(&["check", &file]);
    assert_eq!(err, "");
    let aud = out.split("aud ").nth(1).unwrap().lines().next().unwrap();
    assert_eq!(aud.len(), 64, "{out}");
}

#[test]
fn a_plan_says_what_would_change_and_changes_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let plan = |file: &str| {
        let (exit, out, err) = type_in(&["apply", "--plan", "--config", file]);
        assert_eq!(err, "");
        (exit, out)
    };
    let token = "[[api_tokens]]\nname = \"terraform\"\ntoken = { file = \"token\" }\npermissions = [\"*\"]\n";
    std::fs::write(directory.path().join("token"), "x".repeat(48)).unwrap();
    let file = written(directory.path(), token);
    let (exit, out) = plan(&file);
    let all = "+ identity_provider \"Entra ID\"\n+ application \"Wiki\"\n+ policy \"staff\"\n\
               + api_token \"terraform\"\n4 to create, 0 to update, 0 to delete\n";
    assert_eq!((exit, out.as_str()), (Exit::Differs, all));
    assert!(
        !directory.path().join("vestibule.db").exists(),
        "no store is made"
    );

    assert_eq!(type_in(&["apply", "--config", &file]).0, Exit::Fine);
    let nothing = "0 to create, 0 to update, 0 to delete\n";
    assert_eq!(plan(&file), (Exit::Fine, nothing.to_owned()));

    // Other secrets, another domain, and no token any longer.
    let file = written(directory.path(), "");
    std::fs::write(directory.path().join("secret"), "another secret\n").unwrap();
    let text = std::fs::read_to_string(&file).unwrap();
    let text = text.replace("domain = \"wiki.localhost\"", "domain = \"wiki.localhost/new\"");
    std::fs::write(
        &file,
        text.replace(
            "staff\", decision",
            "staff\", session_duration = \"1h\", decision",
        ),
    )
    .unwrap();
    let (exit, out) = plan(&file);
    let some = "~ identity_provider \"Entra ID\": client_secret (secret)\n~ application \"Wiki\": /destinations, /domain, /self_hosted_domains\n\
                ~ policy \"staff\": /session_duration\n- api_token \"terraform\"\n\
                0 to create, 3 to update, 1 to delete\n";
    assert_eq!((exit, out.as_str()), (Exit::Differs, some));
    // Nothing was done by looking: the same is still to be done.
    assert_eq!(plan(&file).1, some);
    let (_, out, _) = type_in(&["apply", "--config", &file]);
    assert_eq!(out, "0 created, 3 updated, 1 deleted\n");
    assert_eq!(plan(&file).0, Exit::Fine);

    let file = written(directory.path(), "colour = 1\n");
    assert_eq!(type_in(&["apply", "--plan", "--config", &file]).0, Exit::Unusable);
}

#[test]
fn a_token_of_the_api_is_made_shown_and_deleted() {
    let directory = tempfile::tempdir().unwrap();
    let file = written(directory.path(), "");
    let command = |act: &[&str]| {
        let mut arguments = vec!["token"];
        arguments.extend_from_slice(act);
        arguments.extend_from_slice(&["--config", &file]);
        type_in(&arguments)
    };
    let write = "Access: Apps and Policies Write";
    let (exit, permissions, _) = type_in(&["token", "permissions"]);
    assert_eq!(exit, Exit::Fine);
    assert!(
        permissions.starts_with("*\n") && permissions.contains(write),
        "{permissions}"
    );

    assert!(command(&["list"]).1.starts_with("no tokens yet"));
    let past = [
        "create",
        "dead",
        "--permission",
        write,
        "--expires-at",
        "2020-01-01T00:00:00Z",
    ];
    let (exit, _, err) = command(&past);
    assert!(exit == Exit::Unusable && err.contains("over already"), "{err}");
    let (exit, told, err) = command(&[
        "create",
        "terraform",
        "--permission",
        write,
        "--address",
        "198.51.100.0/24",
        "--expires-at",
        "2099-03-31T00:00:00Z",
    ]);
    assert_eq!((exit, err.as_str()), (Exit::Fine, ""));
    let token = told.trim_end();
    assert!(
        crate::model::api_token::is_token(token) && told.lines().count() == 1,
        "{told}"
    );
    let (_, listed, _) = command(&["list"]);
    assert_eq!(
        listed,
        format!("terraform: {write}, until 2099-03-31T00:00:00Z, never used\n")
    );
    // It was told once: nothing on the disk holds it.
    for entry in std::fs::read_dir(directory.path()).unwrap() {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap();
        assert!(
            !bytes
                .windows(token.len())
                .any(|window| window == token.as_bytes())
        );
    }

    // Each name once, known permissions, real addresses.
    let (exit, _, err) = command(&["create", "terraform", "--permission", "*"]);
    assert_eq!(exit, Exit::Unusable);
    assert!(err.contains("like \"terraform\" already"), "{err}");
    let (exit, _, err) = command(&["create", "other", "--permission", "Access: Everything"]);
    assert_eq!(exit, Exit::Unusable);
    assert!(
        err.contains("no permission is called \"Access: Everything\""),
        "{err}"
    );
    for wrong in [
        &["create", "other"][..],
        &["create", "other", "--permission", "*", "--address", "anywhere"],
        &["create", "other", "--permission", "*", "--expires-at", "soon"],
        &["create", "", "--permission", "*"],
        &["delete", "other"],
    ] {
        assert_eq!(command(wrong).0, Exit::Unusable, "{wrong:?}");
    }
    assert_eq!(command(&["delete", "terraform"]).0, Exit::Fine);
    assert!(command(&["list"]).1.starts_with("no tokens yet"));
}

#[test]
fn a_declared_token_is_deleted_in_its_file_alone() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("token"), "x".repeat(48)).unwrap();
    let token = "[[api_tokens]]\nname = \"ci\"\ntoken = { file = \"token\" }\npermissions = [\"*\"]\n";
    let file = written(directory.path(), token);
    assert_eq!(type_in(&["apply", "--config", &file]).0, Exit::Fine);
    assert_eq!(
        type_in(&["token", "list", "--config", &file]).1,
        "ci: *, never used\n"
    );
    let (exit, _, err) = type_in(&["token", "delete", "ci", "--config", &file]);
    assert_eq!(exit, Exit::Unusable);
    assert!(err.contains("declared in the configuration file"), "{err}");
}

#[test]
fn keys_are_listed_rotated_and_revoked() {
    let directory = tempfile::tempdir().unwrap();
    let file = written(directory.path(), "");
    let list = || type_in(&["keys", "list", "--config", &file]).1;
    assert_eq!(list(), "no keys yet: they are made at the first start\n");

    let (exit, _, err) = type_in(&["keys", "rotate", "--config", &file]);
    assert_eq!((exit, err.as_str()), (Exit::Fine, ""));
    let states = |listed: &str| {
        let words = listed
            .lines()
            .map(|line| line.split_whitespace().nth(1).unwrap_or_default().to_owned());
        words.collect::<Vec<_>>()
    };
    let listed = list();
    assert_eq!(states(&listed), ["previous,", "current,", "next,"], "{listed}");

    let current = listed.lines().nth(1).unwrap().split_whitespace().next().unwrap();
    let (exit, out, _) = type_in(&["keys", "revoke", current, "--config", &file]);
    assert_eq!(exit, Exit::Fine, "{out}");
    assert!(states(&list()).contains(&"revoked".to_owned()), "{}", list());
    let (exit, _, err) = type_in(&["keys", "revoke", current, "--config", &file]);
    assert_eq!(exit, Exit::Unusable, "{err}");
}

#[test]
fn a_service_token_is_made_shown_rotated_and_ended() {
    let directory = tempfile::tempdir().unwrap();
    let file = written(directory.path(), "");
    let command = |act: &[&str]| {
        let mut arguments = vec!["service-token"];
        arguments.extend_from_slice(act);
        arguments.extend_from_slice(&["--config", &file]);
        type_in(&arguments)
    };
    assert!(command(&["list"]).1.starts_with("no service tokens yet"));
    let (exit, told, err) = command(&["create", "CI"]);
    assert_eq!((exit, err.as_str()), (Exit::Fine, ""));
    let line = |told: &str, name: &str| {
        let found = told.lines().find_map(|line| line.strip_prefix(name));
        found
            .unwrap_or_else(|| panic!("{told}"))
            .trim_start_matches(": ")
            .to_owned()
    };
    let client_id = line(&told, "CF-Access-Client-Id");
    let secret = line(&told, "CF-Access-Client-Secret");
    let listed = command(&["list"]).1;
    assert!(
        listed.contains(&client_id) && listed.contains("never let in"),
        "{listed}"
    );
    assert!(!listed.contains(&secret));

    let (exit, told, _) = command(&["rotate", "CI", "--grace", "24h"]);
    assert_eq!(exit, Exit::Fine);
    assert_ne!(line(&told, "CF-Access-Client-Secret"), secret);
    assert!(command(&["refresh", &client_id]).1.starts_with("good until "));
    command(&["disable", &client_id]);
    assert!(command(&["list"]).1.contains("disabled"));
    command(&["enable", &client_id]);
    assert!(!command(&["list"]).1.contains("disabled"));
    // Two of one name: the name means none of them.
    command(&["create", "CI"]);
    assert_eq!(command(&["delete", "CI"]).0, Exit::Unusable);
    assert_eq!(command(&["delete", &client_id]).1, "deleted\n");
    let listed = command(&["list"]).1;
    assert!(
        listed.lines().count() == 1 && !listed.contains(&client_id),
        "{listed}"
    );
    assert_eq!(command(&["create", "x", "--duration", "1s"]).0, Exit::Unusable);
}

#[test]
fn wrong_arguments_exit_64_and_help_does_not() {
    assert_eq!(type_in(&["chek"]).0, Exit::Unusable);
    assert_eq!(type_in(&["keys", "revoke", "short"]).0, Exit::Unusable);
    let (exit, out, _) = type_in(&["--help"]);
    assert!(exit == Exit::Fine && out.contains("check"), "{out}");
    assert_eq!(type_in(&["check", "/nonexistent.toml"]).0, Exit::Unusable);
}
