//! Programs that know an address by heart, and tell the server which host they want.

use std::path::Path;

use anyhow::Result;
use anyhow::ensure;

use super::town::HOSTS;
use super::town::Town;
use super::town::watch;
use super::wanted::Name;
use super::wanted::Wanted;
use crate::runner::Outcome;
use crate::world::World;

/// The name in a ClientHello, and where the server is.
const NAME: &str = "secret.town.test";
const WANTED: Name = Name::Is(NAME, &["tls"]);

/// A client of rustls'.
pub(in crate::scenarios) fn tls(world: &World) -> Result<Outcome> {
    watch(world, &[], |town| fetch(town, &[]))
}

/// Whose hello comes by two calls, the name in neither as a whole.
pub(in crate::scenarios) fn tls_in_two(world: &World) -> Result<Outcome> {
    watch(world, &[], |town| {
        let mut all = fetch(town, &["--split-at", "3"])?;
        all.extend(fetch(town, &["--split-at", "120"])?);
        Ok(all)
    })
}

fn fetch(town: &Town<'_>, how: &[&str]) -> Result<Vec<Wanted>> {
    let [host, ..] = HOSTS;
    let mut server = town.server("serve-tls", host)?;
    let to = server.address.to_string();
    let args = [&["tls", "--to", &to, "--name", NAME], how].concat();
    let wanted = town.run(&args, WANTED)?;
    let served = server.served()?;
    ensure!(served.recv > 0, "the server saw nothing");
    Ok(wanted)
}

/// A client of OpenSSL's, or whatever this curl was built with.
pub(in crate::scenarios) fn tls_by_curl(world: &World) -> Result<Outcome> {
    watch(world, &[], |town| {
        let [_, host, ..] = HOSTS;
        let mut server = town.server("serve-tls", host)?;
        let (mark, port) = (town.world.mark("names"), server.address.port());
        let (url, known) =
            (format!("https://{NAME}:{port}/{mark}"), format!("{NAME}:{port}:{host}"));
        let args = ["-sSk", "-o", "/dev/null", "--noproxy", "*", "--resolve", &known, &url];
        town.succeed(town.with_files(Path::new("curl"), &args)?)?;
        Ok(vec![Wanted::served(&mark, &server.served()?, WANTED)?])
    })
}

/// A client of quinn's.
pub(in crate::scenarios) fn quic(world: &World) -> Result<Outcome> {
    watch(world, &[], |town| {
        let [_, _, host, ..] = HOSTS;
        let mut server = town.server("serve-quic", host)?;
        let to = server.address.to_string();
        let name = Name::Is("swift.town.test", &["quic"]);
        let wanted = town.run(&["quic", "--to", &to, "--name", "swift.town.test"], name)?;
        server.served()?;
        Ok(wanted)
    })
}
