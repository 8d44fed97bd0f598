//! Wire types of an inference canister: loads, calls, prices, receipts, money, cycles.

mod call;
mod cycles;
mod http;
mod load;
mod money;
mod policy;
mod receipt;

pub use call::*;
pub use cycles::*;
pub use http::*;
pub use load::*;
pub use money::*;
pub use policy::*;
pub use receipt::*;
