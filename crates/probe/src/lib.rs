//! Asking a service how it is. A probe says what the answer was; what it means is decided elsewhere.

mod exec;
mod http;
mod no;
mod tcp;

pub use exec::exec;
pub use http::http;
pub use no::No;
pub use tcp::tcp;
