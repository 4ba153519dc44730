use proptest::prelude::*;
use serde_json::json;

use super::*;

const LINK: &str = "https://graph.microsoft.com/v1.0/users/delta?$deltatoken=x";
const ALICE: &str = "0aa11bb2-2cc3-4dd4-8ee5-5ff66a77b88c";
const STAFF: &str = "a1000001-1111-4a11-8a11-000000000001";

fn page<T: Entry>(entries: &Value) -> Result<Vec<T>, Unreadable> {
    let page = json!({ "value": entries, "@odata.deltaLink": LINK });
    Page::read(page.to_string().as_bytes()).map(|page: Page<T>| page.entries)
}

#[test]
fn a_person_is_read_and_what_is_not_said_is_told_from_what_is_empty() {
    let told: Vec<PersonTold> = page(&json!([
        { "id": ALICE, "accountEnabled": false, "userPrincipalName": "alice@contoso.example", "mail": null,
          "displayName": "Ali\u{0}ce\n" },
        { "id": ALICE.to_uppercase(), "@removed": { "reason": "changed" } },
        { "id": ALICE, "@removed": { "reason": "deleted" } },
    ]))
    .unwrap();
    let [alice, deleted, purged] = told.as_slice() else {
        panic!("{told:?}")
    };
    assert_eq!(alice.enabled, Some(false));
    assert_eq!(alice.principal_name.value(), Some("alice@contoso.example"));
    assert_eq!((&alice.mail, &alice.surname), (&Said::Empty, &Said::Nothing));
    assert_eq!(alice.display_name.value(), Some("Alice"));
    assert_eq!((alice.gone, deleted.gone), (None, Some(Gone::Softly)));
    assert_eq!(purged.gone, Some(Gone::ForGood));
    assert_eq!(deleted.object, alice.object, "however it is written");
}

#[test]
fn members_come_and_go_and_things_are_none() {
    let told: Vec<GroupTold> = page(&json!([
        { "id": STAFF, "displayName": "Staff", "members@delta": [
            { "@odata.type": "#microsoft.graph.user", "id": ALICE },
            { "@odata.type": "#microsoft.graph.device", "id": "no object id" },
            { "@odata.type": "#microsoft.graph.group", "id": STAFF, "@removed": { "reason": "deleted" } },
        ] },
        { "id": STAFF },
    ]))
    .unwrap();
    let moves: Vec<(String, bool)> = told[0]
        .moves
        .iter()
        .map(|step| (step.member.to_string(), step.left))
        .collect();
    assert_eq!(moves, [(ALICE.to_owned(), false), (STAFF.to_owned(), true)]);
    assert_eq!((told[0].weight(), told[1].weight()), (3, 1));
    assert_eq!(told[1].name, Said::Nothing);
}

#[test]
fn a_page_with_anything_wrong_in_it_is_none() {
    let id = json!({ "id": ALICE });
    for (entries, why) in [
        (json!({}), Unreadable::NoPage),
        (json!(["x"]), Unreadable::NoPage),
        (json!([id, {}]), Unreadable::NoId),
        (json!([{ "id": "x" }]), Unreadable::NoId),
        (
            json!([{ "id": ALICE, "accountEnabled": "true" }]),
            Unreadable::Property("accountEnabled"),
        ),
        (
            json!([{ "id": ALICE, "mail": "x".repeat(LONGEST_TEXT + 1) }]),
            Unreadable::Property("mail"),
        ),
        (
            json!([{ "id": ALICE, "@removed": true }]),
            Unreadable::Property("@removed"),
        ),
    ] {
        assert_eq!(page::<PersonTold>(&entries), Err(why), "{entries}");
    }
    for members in [json!("x"), json!(["x"])] {
        let wrong = page::<GroupTold>(&json!([{ "id": STAFF, "members@delta": members }]));
        assert_eq!(wrong, Err(Unreadable::Property("members@delta")));
    }
    assert_eq!(Page::<PersonTold>::read(b"<html>"), Err(Unreadable::NoPage));
}

#[test]
fn a_page_leads_to_one_place() {
    let read = |links: Value| {
        let mut page = links;
        page["value"] = json!([]);
        Page::<PersonTold>::read(page.to_string().as_bytes()).map(|page| page.next)
    };
    assert_eq!(
        read(json!({ "@odata.nextLink": "n" })),
        Ok(Next::Page("n".to_owned()))
    );
    for wrong in [
        json!({}),
        json!({ "@odata.nextLink": "n", "@odata.deltaLink": "d" }),
        json!({ "@odata.deltaLink": null }),
        json!({ "@odata.deltaLink": "" }),
    ] {
        assert_eq!(read(wrong.clone()), Err(Unreadable::NoLink), "{wrong}");
    }
    let long = "l".repeat(LONGEST_LINK + 1);
    assert_eq!(
        read(json!({ "@odata.deltaLink": long })),
        Err(Unreadable::LongLink)
    );
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        ".{0,20}".prop_map(Value::from),
        Just(json!(ALICE)),
    ];
    let name = prop_oneof![
        Just("id".to_owned()),
        Just("value".to_owned()),
        Just("@removed".to_owned()),
        Just("reason".to_owned()),
        Just("members@delta".to_owned()),
        Just("accountEnabled".to_owned()),
        Just("displayName".to_owned()),
        Just("@odata.nextLink".to_owned()),
        Just("@odata.deltaLink".to_owned()),
        ".{0,8}",
    ];
    leaf.prop_recursive(5, 64, 6, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..5).prop_map(Value::Array),
            proptest::collection::vec((name.clone(), inner), 0..6)
                .prop_map(|pairs| Value::Object(pairs.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn whatever_comes_is_read_whole_or_refused(body in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = Page::<PersonTold>::read(&body);
        let _ = Page::<GroupTold>::read(&body);
    }

    #[test]
    fn what_is_read_has_as_many_entries_as_were_sent_and_nothing_unbounded(page in any_json()) {
        let body = page.to_string();
        if let Ok(read) = Page::<PersonTold>::read(body.as_bytes()) {
            prop_assert_eq!(read.entries.len(), page["value"].as_array().unwrap().len());
            for told in &read.entries {
                for text in [&told.principal_name, &told.mail, &told.display_name] {
                    let text = text.value().unwrap_or("x");
                    prop_assert!(!text.is_empty() && text.chars().count() <= LONGEST_TEXT);
                    prop_assert!(!text.chars().any(char::is_control));
                }
            }
        }
        if let Ok(read) = Page::<GroupTold>::read(body.as_bytes()) {
            prop_assert_eq!(read.entries.len(), page["value"].as_array().unwrap().len());
        }
    }
}
