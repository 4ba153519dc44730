//! What policies decide, through real requests, and what policies are taken.

mod door;
mod live;
mod selectors;
