//! People who signed in
//! (<https://developers.cloudflare.com/api/resources/zero_trust/subresources/access/subresources/users/>).

use std::future::ready;

use http::{Method, StatusCode};
use serde_json::{Value, json};

use super::call::{Answer, Call};
use super::error::{ApiError, Unknown};
use super::operation::{Gives, Operation};
use super::page::{Page, Sizes};
use super::resource::{take, time};
use super::shape::{Shape, UnknownKeys, What, needed, optional, read_only};
use crate::model::ids::UserId;
use crate::model::permission::{Area, Permission};
use crate::model::plain;
use crate::session::table::Cause;
use crate::store::{Marks, User, UserFilter, UserOrder};

pub(super) const SHAPE: Shape = Shape {
    name: "User",
    keys: &[
        read_only("id", What::Id),
        read_only("uid", What::Id),
        optional("name", What::Text),
        needed("email", What::Text),
        read_only("access_seat", What::Flag),
        read_only("gateway_seat", What::Flag),
        read_only("seat_uid", What::Id),
        read_only("active_device_count", What::Number),
        read_only("last_successful_login", What::Time),
        read_only("created_at", What::Time),
        read_only("updated_at", What::Time),
        read_only("identity_provider_id", What::Id),
        read_only("deprovisioned", What::Flag),
    ],
    unknown: UnknownKeys::Refused,
};
/// In bytes.
const LONGEST_NAME: usize = 1024;
const SIZES: Sizes = Sizes {
    usual: 1000,
    most: 1000,
};

async fn list(call: &Call<'_>) -> Result<Answer, ApiError> {
    let page = Page::of(&call.query, SIZES)?;
    let filter = UserFilter {
        name: call.query.value("name").map(str::to_owned),
        // As addresses are kept.
        email: call.query.value("email").map(str::to_ascii_lowercase),
        search: call.query.value("search").map(str::to_owned),
    };
    let (users, total) = match &filter {
        UserFilter {
            search: Some(part),
            name: None,
            email: None,
        } => searched(call, page, part).await?,
        _ => found(call, page, &filter).await?,
    };
    let shown: Vec<Value> = users.iter().map(show).collect();
    let info = page.info(shown.len(), total);
    Ok(Answer::page(shown, info))
}

/// A page of the users that a filter keeps, and how many they are.
async fn found(call: &Call<'_>, page: Page, filter: &UserFilter) -> Result<(Vec<User>, u64), ApiError> {
    let (store, place) = (&call.api.store, (page.size, page.offset()));
    if *filter == UserFilter::default() {
        let known = call.api.register.known(store, call.api.clock.now_ms()).await?;
        let users = store.users_page(filter, place, &known.marks).await?;
        return Ok((users, known.people));
    }
    let users = store.users_page(filter, place, &Marks::default()).await?;
    let total = match last(page, users.len()) {
        Some(total) => total,
        None => store.users_count(filter).await?,
    };
    Ok((users, total))
}

/// A page of the users who have some text in the name or the address, and how many they are.
async fn searched(call: &Call<'_>, page: Page, part: &str) -> Result<(Vec<User>, u64), ApiError> {
    let store = &call.api.store;
    let called = call.api.register.called(store, call.api.clock.now_ms()).await?;
    let Some(called) = called else {
        let filter = UserFilter {
            search: Some(part.to_owned()),
            ..UserFilter::default()
        };
        return found(call, page, &filter).await;
    };
    let (ids, total) = called.with(part, (page.size, page.offset()));
    let mut users = store.registered_of(&ids).await?;
    users.sort_by_key(|user| (user.created_ms, user.id));
    Ok((users, total))
}

/// How many there are in all, where a page shows it: it is not full, and not behind the end.
fn last(page: Page, shown: usize) -> Option<u64> {
    let shown = u64::try_from(shown).unwrap_or(u64::MAX);
    let ends_here = shown < u64::from(page.size) && (shown > 0 || page.offset() == 0);
    ends_here.then(|| page.offset().saturating_add(shown))
}

async fn get(call: &Call<'_>) -> Result<Answer, ApiError> {
    Ok(Answer::of(show(&named(call).await?)))
}

/// Nobody can be made up: a user is an account of a directory, and only a sign-in or the directory's provisioning tells
/// which. Two people may come to have one address, and one person several.
fn create(call: &Call<'_>) -> Result<Answer, ApiError> {
    take(call, &SHAPE, call.object()?)?;
    Err(ApiError::invalid(
        "a user is an account of a directory, known by tenant and object id and not by an address: users come to be by \
         their first login; to let somebody in before it, name the address in a policy or provision the account by SCIM",
    ))
}

/// Changes the name by which somebody stands in lists. An address stays: it is the directory's.
async fn update(call: &Call<'_>) -> Result<Answer, ApiError> {
    let mut user = named(call).await?;
    let (taken, _) = take(call, &SHAPE, call.object()?)?;
    let written = |key: &str| taken.body.get(key).and_then(Value::as_str);
    let email = written("email").ok_or_else(|| ApiError::invalid_at("/email", "it is missing"))?;
    let own = user.email.as_deref().unwrap_or_default();
    if !own.eq_ignore_ascii_case(email) {
        return Err(ApiError::invalid_at(
            "/email",
            "the address of a user cannot be changed",
        ));
    }
    let name = written("name").ok_or_else(|| ApiError::invalid_at("/name", "it is missing"))?;
    if name.len() > LONGEST_NAME {
        return Err(ApiError::invalid_at("/name", "it is too long"));
    }
    if plain::unseen(name).is_some() {
        return Err(ApiError::invalid_at(
            "/name",
            "there is a character in it that is not seen",
        ));
    }
    let mut messages = Vec::new();
    if user.name.as_deref().unwrap_or_default() != name {
        let order = UserOrder::Rename(name.to_owned());
        // The cause is one of endings, and nothing ends.
        let renamed = call.api.store.order(user.id, &order, "", &call.actor()).await?;
        renamed.ok_or_else(|| ApiError::unknown(Unknown::User))?;
        call.api.register.forget();
        messages.push("the next login sets the name to what the directory says".to_owned());
        user.name = Some(name.to_owned());
    }
    Ok(Answer::of(show(&user)).saying(messages))
}

/// Ends what the person has open, logins under way included, and takes the person out of the register. Whoever may
/// still sign in comes back by the next login.
async fn delete(call: &Call<'_>) -> Result<Answer, ApiError> {
    let user = named(call).await?;
    let ended = call
        .api
        .revoker
        .order(user.id, UserOrder::TakeOut, Cause::Administrator, call.actor())
        .await?;
    call.api.register.forget();
    tracing::info!(
        request.id = call.request_id, token = call.token.name, user.id = %user.id, sessions = ended.unwrap_or(0),
        "A user was deleted through the API"
    );
    Ok(Answer::of(Value::Null))
}

/// The user that the path names.
pub(super) async fn named(call: &Call<'_>) -> Result<User, ApiError> {
    let id = UserId(call.id("user_id", Unknown::User)?);
    let user = call.api.store.registered(id).await?;
    user.ok_or_else(|| ApiError::unknown(Unknown::User))
}

fn show(user: &User) -> Value {
    json!({
        "id": user.id,
        "uid": user.id,
        "name": user.name.as_deref().unwrap_or_default(),
        "email": user.email.as_deref().unwrap_or_default(),
        "access_seat": user.seat,
        "gateway_seat": false,
        "seat_uid": user.id,
        "active_device_count": 0,
        "last_successful_login": time(user.last_login_ms),
        "created_at": time(user.created_ms),
        // Name and address change with a login.
        "updated_at": time(user.last_login_ms),
        "identity_provider_id": user.provider,
        "deprovisioned": user.deprovisioned,
    })
}

const READ: Permission = Permission::read(Area::AuditLogs);
const WRITE: Permission = Permission::write(Area::Seats);
const ALL: &str = "/accounts/{account_id}/access/users";
const ONE: &str = "/accounts/{account_id}/access/users/{user_id}";
const ASKED: &[(&str, &str)] = &[
    ("page", "the page, from 1"),
    ("per_page", "items a page"),
    ("name", "the exact name"),
    ("email", "the exact address"),
    ("search", "a part of the name or the address"),
];

pub(super) const OPERATIONS: &[Operation] = &[
    Operation::new(
        (&Method::GET, ALL),
        READ,
        ("list_users", "List users"),
        Gives::Page(&SHAPE),
        |call| Box::pin(list(call)),
    )
    .asked(ASKED),
    Operation::new(
        (&Method::POST, ALL),
        WRITE,
        ("create_user", "Refused: users come to be by their first login"),
        Gives::Object(&SHAPE),
        |call| Box::pin(ready(create(call))),
    )
    .taking(&SHAPE)
    .status(StatusCode::CREATED),
    Operation::new(
        (&Method::GET, ONE),
        READ,
        ("get_user", "Read a user"),
        Gives::Object(&SHAPE),
        |call| Box::pin(get(call)),
    ),
    Operation::new(
        (&Method::PUT, ONE),
        WRITE,
        ("update_user", "Change the name of a user, until the next login"),
        Gives::Object(&SHAPE),
        |call| Box::pin(update(call)),
    )
    .taking(&SHAPE),
    Operation::new(
        (&Method::DELETE, ONE),
        WRITE,
        (
            "delete_user",
            "End a user's sessions and take the user out of the register",
        ),
        Gives::Nothing,
        |call| Box::pin(delete(call)),
    )
    .status(StatusCode::ACCEPTED),
];
