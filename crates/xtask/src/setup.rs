//! Installs what a fresh machine lacks. Must not touch anything that is there.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::{root, run_command};

const TARGET: &str = "wasm32-unknown-unknown";

/// The wasm target, a C toolchain for SQLite and the allocator, and the make that builds the allocator.
pub(crate) fn set_up() -> Result<()> {
    wasm_target()?;
    for (program, packages, wanted) in [("cc", "gcc libc6-dev", "a C toolchain"), ("make", "make", "GNU make")] {
        if !runs(program) {
            install(packages, &format!("no `{program}` was found"), wanted)?;
        }
    }
    Ok(())
}

fn wasm_target() -> Result<()> {
    let sysroot =
        Command::new("rustc").args(["--print", "sysroot"]).output().context("`rustc` could not be started")?;
    let sysroot = String::from_utf8(sysroot.stdout).context("`rustc --print sysroot` is no text")?;
    if Path::new(sysroot.trim()).join("lib/rustlib").join(TARGET).join("lib").is_dir() {
        return Ok(());
    }
    println!("setup: adding the {TARGET} target");
    run_command(Command::new("rustup").args(["target", "add", TARGET])).context(
        "components are compiled for wasm32-unknown-unknown: install rustup, or your distribution's package for that \
         target, then run this again",
    )
}

/// The programs of a PostgreSQL server, for the tests of that store: they start servers of their own.
pub(crate) fn postgres() -> Result<()> {
    if runs("initdb") && runs("postgres") || installed_by_debian() {
        return Ok(());
    }
    if is_root()? {
        no_cluster_of_the_package()?;
    }
    install("postgresql", "no PostgreSQL server (`initdb`, `postgres`) was found", "PostgreSQL 14 or newer")
}

/// What plugins in other languages than Rust are built with, downloaded into `target/authoring` for the tests: an npm cache
/// and Python wheels, of the versions that new projects pin. The tests themselves then need no network.
pub(crate) fn authoring() -> Result<()> {
    let (templates, folder) = (root().join("crates/giftcard/templates"), root().join("target/authoring"));
    for language in ["javascript", "typescript"] {
        let project = folder.join(language);
        download(&templates.join(language), "package-lock.json", &project, || {
            if !runs("npm") {
                install("nodejs npm", "no Node.js (`node`, `npm`) was found", "Node.js 20 or newer")?;
            }
            // A template's name is no name yet.
            let manifest = fs::read_to_string(templates.join(language).join("package.json"))?;
            fs::write(project.join("package.json"), manifest.replace("{{name}}", "tools"))?;
            let mut npm = Command::new("npm");
            npm.args(["install", "--ignore-scripts", "--no-audit", "--no-fund", "--prefix"]).arg(&project);
            run_command(npm.arg("--cache").arg(folder.join("npm")))
        })?;
    }
    let project = folder.join("python");
    download(&templates.join("python"), "requirements.txt", &project, || {
        let venv = || run_command(Command::new("python3").args(["-m", "venv"]).arg(project.join(".venv")));
        if venv().is_err() {
            install("python3 python3-venv", "no Python with `venv` was found", "Python 3.10 or newer")?;
            venv()?;
        }
        let mut pip = Command::new(project.join(".venv/bin/pip"));
        pip.args(["download", "--quiet", "--disable-pip-version-check", "--requirement"])
            .arg(project.join("requirements.txt"));
        run_command(pip.arg("--dest").arg(folder.join("wheels")))
    })
}

/// Runs `fetch` unless it has run before for the same pins. `pins` is a file of the template.
fn download(template: &Path, pins: &str, project: &Path, fetch: impl FnOnce() -> Result<()>) -> Result<()> {
    let (wanted, done) = (fs::read_to_string(template.join(pins))?, project.join("downloaded"));
    if fs::read_to_string(&done).is_ok_and(|pins| pins == wanted) {
        return Ok(());
    }
    println!("setup: downloading what plugins in other languages are built with: {}", project.display());
    fs::create_dir_all(project)?;
    fs::write(project.join(pins), wanted.replace("{{name}}", "tools"))?;
    fetch().with_context(|| {
        format!("what `{pins}` names could not be downloaded; are npm's and Python's registries in reach?")
    })?;
    Ok(fs::write(done, wanted)?)
}

fn installed_by_debian() -> bool {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    versions.map(|version| version.path().join("bin")).any(|bin| bin.join("initdb").is_file())
}

/// Keeps the package from making and starting a server that nobody asked for.
fn no_cluster_of_the_package() -> Result<()> {
    let folder = Path::new("/etc/postgresql-common");
    let file = folder.join("createcluster.conf");
    if file.exists() || !Path::new("/etc/debian_version").exists() {
        return Ok(());
    }
    fs::create_dir_all(folder)
        .and_then(|()| fs::write(&file, "create_main_cluster = false\n"))
        .with_context(|| format!("`{}` cannot be written", file.display()))
}

/// Installs packages where that can be done without asking: as root, with apt-get.
fn install(packages: &str, missing: &str, wanted: &str) -> Result<()> {
    if !runs("apt-get") {
        bail!("{missing}; install {wanted} (Debian: {packages}), then run this again");
    }
    if !is_root()? {
        bail!("{missing}; run `sudo apt-get install {packages}`, then run this again");
    }
    println!("setup: installing {packages}");
    run_command(Command::new("apt-get").args(["update", "-q"]))?;
    run_command(
        Command::new("apt-get")
            .args(["install", "-qy"])
            .args(packages.split(' '))
            // The package would ask before it replaces a file of ours.
            .args(["-o", "Dpkg::Options::=--force-confold"])
            .env("DEBIAN_FRONTEND", "noninteractive"),
    )
}

fn runs(program: &str) -> bool {
    Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok()
}

fn is_root() -> Result<bool> {
    let id = Command::new("id").arg("-u").output().context("`id` could not be started")?;
    Ok(id.stdout.trim_ascii() == b"0")
}
