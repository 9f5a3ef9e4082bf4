//! What can go wrong between asking for capture and having it.

use std::io;

/// Why capture could not be started or read. Messages say what to do next.
#[derive(Debug, thiserror::Error)]
pub enum ProbeError {
    /// The kernel does not describe its own types.
    #[error(
        "this kernel has no type information (/sys/kernel/btf/vmlinux): femtosnitch needs one \
         built with CONFIG_DEBUG_INFO_BTF=y, as the kernels of all large distributions are"
    )]
    NoBtf,
    /// The kernel's description of its types cannot be read.
    #[error("cannot read the kernel's type information (/sys/kernel/btf/vmlinux): {0}")]
    UnreadableBtf(io::Error),
    /// Neither front's hooks exist.
    #[error(
        "this kernel ({release}) has no hook that sees socket calls: {missing} not found; \
         femtosnitch needs Linux 5.17 or later with CONFIG_BPF_EVENTS and, before 6.3, \
         CONFIG_FUNCTION_TRACER"
    )]
    NoFront {
        /// `uname -r`.
        release: String,
        /// What was looked for.
        missing: String,
    },
    /// A hook without which the numbers would be wrong.
    #[error(
        "the kernel refused {program} ({target}), without which traffic would be missed: {source}{}",
        hint(.source)
    )]
    Refused {
        /// Program in the BPF object.
        program: &'static str,
        /// What it hooks.
        target: &'static str,
        /// The kernel's answer.
        source: io::Error,
    },
    /// The object could not be opened, its maps could not be made.
    #[error("cannot set up capture: {what}: {source}{}", hint(.source))]
    Setup {
        /// Which step.
        what: &'static str,
        /// The kernel's answer.
        source: io::Error,
    },
}

impl ProbeError {
    pub(crate) fn setup(what: &'static str) -> impl FnOnce(libbpf_rs::Error) -> Self {
        move |error| Self::Setup { what, source: to_io(&error) }
    }
}

/// libbpf-rs keeps the errno in its chain; nothing else of it is of use to a person.
pub(crate) fn to_io(error: &libbpf_rs::Error) -> io::Error {
    let mut source: Option<&dyn std::error::Error> = Some(error);
    while let Some(cause) = source {
        if let Some(io) = cause.downcast_ref::<io::Error>() {
            return io.raw_os_error().map_or_else(
                || io::Error::new(io.kind(), io.to_string()),
                io::Error::from_raw_os_error,
            );
        }
        source = cause.source();
    }
    let text = error.to_string();
    // What comes from loading a program is not in the chain but in words.
    os_error(&text)
        .map_or_else(|| io::Error::new(error.kind().into_io(), text), io::Error::from_raw_os_error)
}

/// The number in `Operation not permitted (os error 1)`.
fn os_error(text: &str) -> Option<i32> {
    let (_, after) = text.rsplit_once("(os error ")?;
    after.split_once(')')?.0.parse().ok()
}

trait IntoIo {
    fn into_io(self) -> io::ErrorKind;
}

impl IntoIo for libbpf_rs::ErrorKind {
    fn into_io(self) -> io::ErrorKind {
        match self {
            Self::PermissionDenied => io::ErrorKind::PermissionDenied,
            Self::NotFound => io::ErrorKind::NotFound,
            Self::InvalidInput => io::ErrorKind::InvalidInput,
            Self::InvalidData => io::ErrorKind::InvalidData,
            Self::OutOfMemory => io::ErrorKind::OutOfMemory,
            _ => io::ErrorKind::Other,
        }
    }
}

fn hint(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::PermissionDenied => {
            "; run femtosnitch as root (CAP_BPF, CAP_PERFMON and CAP_NET_ADMIN are needed), and \
             outside containers that forbid bpf(2)"
        }
        io::ErrorKind::OutOfMemory => "; lower capture.max_flows in the configuration",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_of_an_error_is_found_in_words() {
        let error = io::Error::from_raw_os_error(libc::EPERM);
        assert_eq!(os_error(&error.to_string()), Some(libc::EPERM));
        assert_eq!(os_error("load: Permission denied (os error 13)"), Some(13));
        assert_eq!(os_error("(os error x)"), None);
        assert_eq!(os_error("nothing"), None);
        let wrapped = libbpf_rs::Error::from(error);
        assert_eq!(to_io(&wrapped).raw_os_error(), Some(libc::EPERM));
    }
}
