//! The seal: a value that cannot be printed, logged, serialised or signed.

use node_protocol::release::Conditions;

/// An exact value that has not passed disclosure control, with the conditions of the permit it was made under.
///
/// It implements neither `Serialize` nor `Debug` nor `Display`, its fields are private, and only this crate opens it:
///
/// ```compile_fail,E0277
/// fn debug<T: std::fmt::Debug>() {}
/// debug::<node_disclosure::confidential::Confidential<u64>>();
/// ```
/// ```compile_fail,E0277
/// fn display<T: std::fmt::Display>() {}
/// display::<node_disclosure::confidential::Confidential<u64>>();
/// ```
/// ```compile_fail,E0277
/// fn serialize<T: node_protocol::outgoing::Outgoing>() {}
/// serialize::<node_disclosure::confidential::Confidential<u64>>();
/// ```
/// ```compile_fail,E0616
/// fn open(sealed: node_disclosure::confidential::Confidential<u64>) -> u64 {
///     sealed.value
/// }
/// ```
pub struct Confidential<T> {
    value: T,
    conditions: Conditions,
}

impl<T> Confidential<T> {
    /// Seals `value`, which may leave only under `conditions`.
    #[must_use]
    pub fn seal(value: T, conditions: Conditions) -> Self {
        Self { value, conditions }
    }

    pub(crate) fn open(self) -> (T, Conditions) {
        (self.value, self.conditions)
    }
}
