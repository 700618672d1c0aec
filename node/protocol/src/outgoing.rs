//! The mark of a value that may leave the node.

use serde::Serialize;

/// A value that may be signed and sent. Only two kinds of value carry it: an answer that disclosure control has released, and
/// statements about the node itself that hold no patient data.
pub trait Outgoing: Serialize {}
