//! Pages of Graph's delta queries: each is read whole or not at all, and what is read can be kept.

#![no_main]

use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use vestibule::entra::delta::page::{Entry, LONGEST_LINK, Next, Page};
use vestibule::entra::delta::{GroupTold, PersonTold};

fn read<T: Entry>(data: &[u8]) -> Option<Page<T>> {
    let page = Page::<T>::read(data).ok()?;
    let sent: Value = serde_json::from_slice(data).expect("what was read is JSON");
    let entries = sent.get("value").and_then(Value::as_array).expect("a list");
    assert_eq!(page.entries.len(), entries.len());
    let (Next::Page(link) | Next::Done(link)) = &page.next;
    assert!((1..=LONGEST_LINK).contains(&link.len()));
    Some(page)
}

fuzz_target!(|data: &[u8]| {
    if let Some(page) = read::<PersonTold>(data) {
        for told in &page.entries {
            for text in [&told.principal_name, &told.mail, &told.display_name] {
                assert!(!text.value().is_some_and(|text| text.is_empty() || text.contains('\0')));
            }
        }
    }
    if let Some(page) = read::<GroupTold>(data) {
        for told in &page.entries {
            assert_eq!(told.weight(), told.moves.len() + 1);
        }
    }
});
