//! A process whose launcher's child is gone before it becomes another program.

use std::net::SocketAddr;
use std::os::unix::process::CommandExt;
use std::process::Command;

use crate::Doing;
use crate::Error;
use crate::Result;
use crate::sys::process;

/// `launch`: forks a child that forks a grandchild and exits; the grandchild waits until it
/// has been handed to another parent, then executes `shortlived`. Ends after the grandchild.
///
/// # Errors
/// If a process cannot be made.
pub fn launch(tag: &str, to: SocketAddr, bytes: u64) -> Result<()> {
    let own = std::env::current_exe().doing("finding the own program")?;
    let (mut done, held) = process::pipe()?;
    // Open in the grandchild until it ends, over the exec as well.
    process::keep_over_exec(&held).doing("keeping a pipe")?;
    let middle = process::fork(|| {
        let middle = std::process::id();
        let forked = process::fork(|| {
            while std::os::unix::process::parent_id() == middle {
                std::thread::sleep(std::time::Duration::from_millis(1));
            }
            let (to, bytes) = (to.to_string(), bytes.to_string());
            let args = ["shortlived", "--to", &to, "--bytes", &bytes, "--tag", tag];
            drop(Command::new(&own).args(args).exec());
            1
        });
        i32::from(forked.is_err())
    })
    .doing("forking")?;
    drop(held);
    if process::wait(middle).doing("waiting for the child")? != 0 {
        return Err(Error::Unexpected("the child could not fork".to_owned()));
    }
    std::io::Read::read_to_end(&mut done, &mut Vec::new()).doing("waiting for the grandchild")?;
    Ok(())
}
