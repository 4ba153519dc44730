//! Filters of RFC 7644 and of Entra, and what is none.

use proptest::prelude::*;
use serde_json::json;

use super::*;

fn person() -> Map<String, Value> {
    let person = json!({
        "id": "2819c223",
        "userName": "Bjensen@Example.com",
        "externalId": "Abc",
        "active": true,
        "name": { "familyName": "O'Malley" },
        "title": "Tour guide",
        "userType": "Employee",
        "emails": [
            { "type": "work", "value": "bjensen@example.com", "primary": true },
            { "type": "home", "value": "babs@jensen.org" }
        ],
        "roles": [{ "primary": true, "value": "Admin" }],
        "meta": { "lastModified": "2011-05-13T04:42:34Z" },
        "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": {
            "department": "Sales", "manager": { "value": "boss" }
        }
    });
    person.as_object().unwrap().clone()
}

fn work() -> Work {
    Work::of(1024 * 1024)
}

#[test]
fn filters_of_the_standard_and_of_entra_hold_or_not() {
    let hold = [
        r#"userName eq "bjensen@example.com""#,
        r#"USERNAME Eq "BJENSEN@EXAMPLE.COM""#,
        r#"name.familyName co "O'Malley""#,
        r#"userName sw "B""#,
        r#"urn:ietf:params:scim:schemas:core:2.0:User:userName sw "b""#,
        "title pr",
        r#"meta.lastModified gt "2011-05-13T04:42:33Z""#,
        r#"meta.lastModified ge "2011-05-13T06:42:34+02:00""#,
        r#"meta.lastModified lt "2011-05-13T04:42:35Z""#,
        r#"meta.lastModified le "2011-05-13T04:42:34Z""#,
        r#"title pr and userType eq "Employee""#,
        r#"title pr or userType eq "Intern""#,
        r#"userType eq "Employee" and (emails co "example.com" or emails.value co "example.org")"#,
        r#"userType ne "Intern" and not (emails co "nowhere" or emails.value co "else")"#,
        r#"emails[type eq "work" and value co "@example.com"]"#,
        r#"emails[type eq "work"].value eq "bjensen@example.com""#,
        r#"emails[type eq "work" and value co "@example.com"] or ims[type eq "xmpp" and value co "@foo.com"]"#,
        r#"externalId eq "Abc""#,
        "active eq true",
        r#"active eq "True""#,
        r#"roles[primary eq "True"]"#,
        r#"id eq "2819c223" and manager eq "boss""#,
        r#"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department eq "sales""#,
        "nickName eq null",
        r#"nickName ne "x""#,
        "not (nickName pr)",
    ];
    for text in hold {
        let filter = Filter::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert!(filter.matches(&person(), &mut work()), "{text}");
    }
    let do_not = [
        r#"externalId eq "abc""#,
        r#"emails[type eq "home" and value co "@example.com"]"#,
        r#"emails[type eq "work"].value eq "babs@jensen.org""#,
        "active eq false",
        "nickName pr",
        r#"title pr and userType eq "Intern""#,
        r#"userType ne "employee""#,
        "title eq null",
        r#"userName eq "x" or userName eq "y" and title pr"#,
    ];
    for text in do_not {
        let filter = Filter::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert!(!filter.matches(&person(), &mut work()), "{text}");
    }
}

#[test]
fn what_is_no_filter_is_refused() {
    let deep = "(".repeat(DEEPEST + 1) + "a pr" + &")".repeat(DEEPEST + 1);
    let long = format!("a eq \"{}\"", "x".repeat(LONGEST));
    for text in [
        "",
        "userName",
        "userName eqq",
        "userName eq",
        "userName eq x",
        r#"userName eq "x"#,
        r#"userName eq "x" and"#,
        r#"userName eq "x" userName eq "y""#,
        "(a pr",
        "a pr)",
        "a[b pr",
        "a[b pr]]",
        "a[]",
        "not a pr",
        "active gt true",
        "a co 1",
        "a sw null",
        r#"a eq "\x""#,
        &deep,
        &long,
    ] {
        assert!(Filter::parse(text).is_err(), "{text:.60}");
    }
    let at_the_limit = "(".repeat(DEEPEST) + "a pr" + &")".repeat(DEEPEST);
    assert!(Filter::parse(&at_the_limit).is_ok());
}

#[test]
fn what_a_filter_demands_is_found_for_the_index() {
    let filter = Filter::parse(r#"externalId eq "x" and emails[type eq "work"].value eq "a@b""#).unwrap();
    let [external, email] = filter.conjuncts() else {
        panic!("{filter}")
    };
    assert_eq!(external.demands("externalid"), Some("x"));
    assert_eq!(email.demands("emails"), Some("a@b"));
    assert_eq!(email.demands("phoneNumbers"), None);
    let either = Filter::parse(r#"userName eq "x" or userName eq "y""#).unwrap();
    assert_eq!(either.demands("userName"), None);
}

fn path() -> impl Strategy<Value = AttrPath> {
    prop_oneof![
        Just(AttrPath::plain("userName")),
        Just("name.givenName".parse().unwrap()),
        Just(
            "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager.value"
                .parse()
                .unwrap()
        ),
        Just(AttrPath::plain("not")),
        Just(AttrPath::plain("and")),
    ]
}

fn literal() -> impl Strategy<Value = Literal> {
    prop_oneof![
        any::<bool>().prop_map(Literal::Bool),
        Just(Literal::Null),
        any::<i32>().prop_map(|number| Literal::Number(number.into())),
        any::<String>().prop_map(Literal::Text),
    ]
}

fn filter() -> impl Strategy<Value = Filter> {
    let leaf = prop_oneof![
        path().prop_map(Filter::Present),
        (path(), literal()).prop_map(|(path, literal)| Filter::Compare(path, Comparison::Equal, literal)),
        (path(), any::<String>()).prop_map(|(path, text)| Filter::Compare(
            path,
            Comparison::Contains,
            Literal::Text(text)
        )),
    ];
    leaf.prop_recursive(4, 24, 3, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 2..4).prop_map(Filter::And),
            proptest::collection::vec(inner.clone(), 2..4).prop_map(Filter::Or),
            inner.clone().prop_map(|filter| Filter::Not(Box::new(filter))),
            inner.prop_map(|filter| Filter::Element(AttrPath::plain("emails"), Box::new(filter))),
        ]
    })
}

proptest! {
    #[test]
    fn a_filter_that_is_written_is_read_again_the_same(filter in filter()) {
        let text = filter.to_string();
        if text.len() <= LONGEST {
            prop_assert_eq!(Filter::parse(&text).unwrap(), filter);
        }
    }

    #[test]
    fn no_text_makes_it_panic(text in ".{0,200}") {
        if let Ok(filter) = Filter::parse(&text) {
            filter.matches(&person(), &mut work());
        }
    }

    #[test]
    fn no_text_of_its_own_letters_makes_it_panic(text in r#"[a-c ()\[\]".eqnotpr\\1]{0,60}"#) {
        if let Ok(filter) = Filter::parse(&text) {
            filter.matches(&person(), &mut work());
            prop_assert!(Filter::parse(&filter.to_string()).is_ok());
        }
    }
}
