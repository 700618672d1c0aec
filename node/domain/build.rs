//! Rebuilds the crate when a file of the dictionary changes, since it is embedded.
fn main() {
    println!("cargo:rerun-if-changed=../../schemas/dictionary");
    println!("cargo:rerun-if-changed=../../schemas/codes");
}
