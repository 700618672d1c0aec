//! Who is speaking: keys, the membership file, pinned TLS, request tokens, signed answers.
//!
//! Never decides what may be asked or released, and keeps nothing: replayed tokens are remembered by `store`.

pub mod identity;
pub mod keys;
pub mod membership;
pub mod roster;
pub mod signed;
pub mod tls;
pub mod token;
