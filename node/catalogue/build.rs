//! Rebuilds the crate when an indicator changes, since the indicators are embedded.
fn main() {
    println!("cargo:rerun-if-changed=../../schemas/indicators");
}
