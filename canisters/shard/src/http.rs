//! What the shard serves to browsers and IPFS clients. `replies` lists every response that a path can give, which is what gets
//! certified; `route` finds the path and the response that a request asks for; `car` lays out CAR files. Nothing is answered that is not in the
//! list, but for odd byte ranges, which go through consensus (`exact_range`) within an allowance.

pub mod allowance;
pub mod car;
pub mod elsewhere;
pub mod entity;
pub mod exact_range;
pub mod replies;
pub mod request;
pub mod respond;

#[cfg(test)]
mod tests;
