//! What is not to be kept: blanked after filters have judged, before anything leaves the engine.

use std::collections::HashMap;
use std::sync::Arc;

use femtosnitch_model::{Executable, FlowKey, Image, ImageId, NameSource, Naming, Row};

use crate::redact::Redactor;

/// Images that take the place of others have numbers from here on.
const STAND_INS: u64 = 1 << 63;
/// Stand-ins remembered; a forgotten one is made again.
const REMEMBERED: usize = 8_192;

/// The configuration's `[privacy]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Privacy {
    /// Addresses of both ends are kept.
    pub addresses: bool,
    /// So are ports.
    pub ports: bool,
    /// So are remote names.
    pub names: bool,
    /// So are command lines.
    pub cmdlines: bool,
    /// What takes secrets out of command lines; `None` keeps them.
    pub redactor: Option<Redactor>,
}

impl Default for Privacy {
    fn default() -> Self {
        let redactor = Some(Redactor::default());
        Self { addresses: true, ports: true, names: true, cmdlines: true, redactor }
    }
}

impl Privacy {
    /// Arguments, separated by NUL, as a person types them, as far as they may be kept.
    #[must_use]
    pub fn command_line(&self, args: &[u8], cut: bool) -> String {
        let args = args.strip_suffix(&[0]).unwrap_or(args);
        if !self.cmdlines || args.is_empty() {
            return String::new();
        }
        let mut line = match &self.redactor {
            Some(redactor) => redactor.arguments(args),
            None => {
                let spaced = args.iter().map(|byte| if *byte == 0 { b' ' } else { *byte });
                femtosnitch_model::escape_bytes(&spaced.collect::<Vec<_>>())
            }
        };
        if cut {
            line.push('…');
        }
        line
    }

    /// The same of a line that was made under other rules.
    fn again(&self, line: &str) -> String {
        match &self.redactor {
            _ if !self.cmdlines => String::new(),
            Some(redactor) => redactor.line(line),
            None => line.to_owned(),
        }
    }

    pub(crate) fn flow(&self, flow: &FlowKey) -> FlowKey {
        let mut flow = *flow;
        for end in [&mut flow.local, &mut flow.remote] {
            end.addr = end.addr.filter(|_| self.addresses);
            end.port = if self.ports { end.port } else { 0 };
        }
        flow
    }

    /// A name, if it may be kept.
    #[must_use]
    pub fn naming(&self, naming: &Naming) -> Naming {
        if self.names { naming.clone() } else { Naming::default() }
    }

    fn row(&self, row: &mut Row) {
        if !self.addresses {
            (row.laddr, row.raddr) = (None, None);
        }
        if !self.ports {
            (row.lport, row.rport) = (0, 0);
        }
        if !self.names && !row.domain.is_empty() {
            (row.domain, row.name_source) = ("".into(), NameSource::NONE);
        }
    }
}

/// What leaves the engine, and in which form.
#[derive(Debug, Default)]
pub(crate) struct Shown {
    pub(crate) privacy: Privacy,
    /// Images from here on were made under the rules that hold now.
    images_from: u64,
    stand_ins_from: u64,
    next: u64,
    stand_ins: HashMap<ImageId, Arc<Image>>,
}

impl Shown {
    pub(crate) fn new(privacy: Privacy) -> Self {
        Self { privacy, ..Self::default() }
    }

    /// Other rules hold from here on. `next_image` is the first image that will be made by them.
    pub(crate) fn change(&mut self, privacy: Privacy, next_image: ImageId) {
        if privacy != self.privacy {
            self.privacy = privacy;
            self.images_from = next_image.0;
            self.stand_ins_from = self.next;
            self.stand_ins.clear();
        }
    }

    /// A number for an image that is no process'.
    pub(crate) fn new_id(&mut self) -> ImageId {
        self.next += 1;
        ImageId(STAND_INS + self.next - 1)
    }

    /// An image as it may be shown: itself, unless it was made under other rules.
    pub(crate) fn image(&mut self, image: &Arc<Image>) -> Arc<Image> {
        let id = image.id.0;
        let is_right = match id.checked_sub(STAND_INS) {
            Some(number) => number >= self.stand_ins_from,
            None => id >= self.images_from,
        };
        if is_right || image.cmdline.is_empty() {
            return Arc::clone(image);
        }
        if let Some(known) = self.stand_ins.get(&image.id) {
            return Arc::clone(known);
        }
        let cmdline = self.privacy.again(&image.cmdline);
        let shown = if cmdline == image.cmdline {
            Arc::clone(image)
        } else {
            let id = self.new_id();
            Arc::new(Image { id, cmdline, ..Image::clone(image) })
        };
        if self.stand_ins.len() >= REMEMBERED {
            self.stand_ins.clear();
        }
        self.stand_ins.insert(image.id, Arc::clone(&shown));
        shown
    }

    /// Takes out of a row what is not to be kept.
    pub(crate) fn row(&mut self, row: &mut Row) {
        self.privacy.row(row);
        let own: [Option<&mut Executable>; 3] =
            [Some(&mut row.exe), row.parent.as_mut(), row.grandparent.as_mut()];
        for executable in own.into_iter().flatten() {
            executable.image = self.image(&executable.image);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(id: u64, cmdline: &str) -> Arc<Image> {
        let (path, name) = ("/bin/x".to_owned(), "x".to_owned());
        Arc::new(Image { id: ImageId(id), path, name, cmdline: cmdline.to_owned(), file: None })
    }

    #[test]
    fn arguments_read_like_a_command() {
        let open = Privacy { redactor: None, ..Privacy::default() };
        for privacy in [Privacy::default(), open] {
            assert_eq!(privacy.command_line(b"curl\0-s\0http://x\0", false), "curl -s http://x");
            assert_eq!(privacy.command_line(b"a\0\xff\0", true), "a \\xff…");
            assert_eq!(privacy.command_line(b"", false), "");
        }
        let closed = Privacy { cmdlines: false, ..Privacy::default() };
        assert_eq!(closed.command_line(b"curl\0x\0", true), "");
    }

    #[test]
    fn what_was_made_under_other_rules_is_made_again() {
        let open = Privacy { redactor: None, ..Privacy::default() };
        let mut shown = Shown::new(open.clone());
        let (secret, plain) = (image(1, "x --token t"), image(2, "x"));
        assert!(Arc::ptr_eq(&shown.image(&secret), &secret));
        shown.change(Privacy::default(), ImageId(3));
        let told = shown.image(&secret);
        assert_eq!(told.cmdline, "x --token ***");
        assert!(told.id != secret.id && Arc::ptr_eq(&told, &shown.image(&secret)));
        assert!(Arc::ptr_eq(&shown.image(&plain), &plain));
        assert!(Arc::ptr_eq(&shown.image(&told), &told));
        let later = image(3, "x --token kept by hand");
        assert!(Arc::ptr_eq(&shown.image(&later), &later), "it was made by these rules");
        shown.change(Privacy { cmdlines: false, ..open }, ImageId(4));
        assert_eq!(shown.image(&secret).cmdline, "");
        assert_eq!(shown.image(&told).cmdline, "", "a row that waited meanwhile");
        assert_eq!(shown.image(&later).cmdline, "");
    }

    #[test]
    fn a_flow_loses_what_is_not_kept() {
        let end = |port| femtosnitch_model::Endpoint { addr: "192.0.2.1".parse().ok(), port };
        let (local, remote) = (end(1), end(2));
        let flow = FlowKey { cookie: 1, family: 2, protocol: 6, local, remote, netns: 1 };
        assert_eq!(Privacy::default().flow(&flow), flow);
        let without = Privacy { addresses: false, ..Privacy::default() }.flow(&flow);
        assert_eq!((without.remote.addr, without.local.addr, without.remote.port), (None, None, 2));
        let without = Privacy { ports: false, ..Privacy::default() }.flow(&flow);
        assert_eq!((without.local.port, without.remote.port), (0, 0));
        assert_eq!(without.remote.addr, flow.remote.addr);
    }
}
