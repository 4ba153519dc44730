//! The five operations that most kinds of objects have: listed, made, read, replaced, deleted.

use http::{Method, StatusCode};

use super::operation::{Gives, Handler, Operation};
use super::page;
use super::resource::{self, Resource};
use crate::model::permission::{Area, Permission};

/// An operation's id in the OpenAPI document, and what it does.
pub(super) type Said = (&'static str, &'static str);

/// How the operations of a kind of objects are called, and what a token must allow for them.
pub(super) struct Five {
    /// The path of all of them, and that of one.
    pub(super) paths: (&'static str, &'static str),
    pub(super) area: Area,
    pub(super) list: Said,
    pub(super) create: Said,
    pub(super) get: Said,
    pub(super) update: Said,
    pub(super) delete: Said,
}

impl Five {
    /// The operations, in this order: list, create, get, update, delete. As at Access, what is made is answered by 201
    /// and what is deleted by 202.
    pub(super) const fn of<R: Resource>(self) -> [Operation; 5] {
        let (all, one) = self.paths;
        let (read, write) = (Permission::read(self.area), Permission::write(self.area));
        let object = Gives::Object(R::SHAPE);
        let list: Handler = |call| Box::pin(resource::list::<R>(call));
        let create: Handler = |call| Box::pin(resource::create::<R>(call));
        let get: Handler = |call| Box::pin(resource::get::<R>(call));
        let update: Handler = |call| Box::pin(resource::update::<R>(call));
        let delete: Handler = |call| Box::pin(resource::delete::<R>(call));
        [
            Operation::new((&Method::GET, all), read, self.list, Gives::Page(R::SHAPE), list)
                .asked(page::NAMED),
            Operation::new((&Method::POST, all), write, self.create, object, create)
                .taking(R::SHAPE)
                .status(StatusCode::CREATED),
            Operation::new((&Method::GET, one), read, self.get, object, get),
            Operation::new((&Method::PUT, one), write, self.update, object, update)
                .changing(R::SHAPE, R::STAY),
            Operation::new((&Method::DELETE, one), write, self.delete, Gives::Id, delete)
                .status(StatusCode::ACCEPTED),
        ]
    }
}
