//! An expression is run by recursion, so this component has more stack than others, and from the start the memory for it.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    if std::env::var("CARGO_CFG_TARGET_ARCH").as_deref() == Ok("wasm32") {
        println!("cargo::rustc-link-arg-cdylib=-zstack-size=393216");
        println!("cargo::rustc-link-arg-cdylib=--initial-memory=1048576");
    }
}
