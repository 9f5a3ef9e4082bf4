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
    io::Error::new(error.kind().into_io(), error.to_string())
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
