//! The guest's whole file system: busybox, a few real programs with their libraries, the
//! kernel's modules, and the payload, in one archive that the kernel unpacks.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fs::File;
use std::io::BufWriter;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;

use anyhow::Context as _;
use anyhow::Result;
use anyhow::bail;

use crate::cpio;
use crate::modules;
use crate::process;

/// Real programs for the guest: tests want traffic from what people run, not from applets.
const PROGRAMS: [&str; 4] = ["curl", "ip", "nft", "ping"];

/// The same where they are installed: a full shell, a container runtime.
const OPTIONAL: [&str; 2] = ["bash", "crun"];

/// Where the tests' own programs are in the guest.
pub(crate) const GUEST_BIN: &str = "/usr/local/bin";

/// Small files that programs look for.
const SETTINGS: [(&str, &str); 5] = [
    ("/etc/passwd", "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n"),
    ("/etc/group", "root:x:0:\nnogroup:x:65534:\nfemtosnitch:x:990:\n"),
    ("/etc/hosts", "127.0.0.1 localhost\n::1 localhost\n"),
    ("/etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files\n"),
    ("/etc/guest/about", "A machine for tests, gone after them.\n"),
];

/// Directories that the guest mounts on or expects.
const DIRECTORIES: [&str; 9] =
    ["/proc", "/sys", "/dev", "/run", "/tmp", "/var", "/root", "/usr/lib64", "/usr/sbin"];

/// What to run in the guest.
pub(crate) struct Payload<'a> {
    /// Programs of ours, put into [`GUEST_BIN`] with the libraries they need.
    pub(crate) programs: Vec<&'a Path>,
    /// A line for the guest's shell; its exit code is the guest's.
    pub(crate) command: String,
}

/// Something with a place in the archive.
enum Node {
    Directory,
    Link(String),
    Copy(PathBuf),
    Content(u32, Vec<u8>),
    Console,
}

/// Writes the archive for a kernel with `kernel_modules` to `file`.
pub(crate) fn build(file: &Path, kernel_modules: &Path, payload: &Payload<'_>) -> Result<()> {
    let mut tree = Tree::default();
    tree.skeleton();
    tree.busybox(&process::need("busybox")?)?;
    for program in PROGRAMS {
        tree.program(&process::need(program)?, None)?;
    }
    // Busybox's own shell runs its applets whatever the path says.
    tree.copy("/usr/bin/sh", &std::fs::canonicalize("/bin/sh")?);
    tree.libraries(Path::new("/bin/sh"))?;
    // Not needed to pass; tests that care about them look for them.
    for program in OPTIONAL.into_iter().filter_map(process::find) {
        tree.program(&program, None)?;
    }
    for program in &payload.programs {
        tree.program(program, Some(GUEST_BIN))?;
    }
    tree.modules(kernel_modules)?;
    tree.content("/etc/guest/payload", 0o644, payload.command.as_bytes());
    tree.write(file).with_context(|| format!("cannot write {}", file.display()))
}

/// The archive's entries by path: sorted, so parents come before what is in them.
#[derive(Default)]
struct Tree(BTreeMap<String, Node>);

impl Tree {
    /// What every guest has.
    fn skeleton(&mut self) {
        for name in ["bin", "sbin", "lib", "lib64"] {
            self.directory(&format!("/usr/{name}"));
            self.0.insert(format!("/{name}"), Node::Link(format!("usr/{name}")));
        }
        for directory in DIRECTORIES {
            self.directory(directory);
        }
        for (path, text) in SETTINGS {
            self.content(path, 0o644, text.as_bytes());
        }
        self.content("/init", 0o755, include_bytes!("guest/init"));
        // The first process writes here before it has mounted anything.
        self.0.insert("/dev/console".into(), Node::Console);
    }

    fn directory(&mut self, path: &str) {
        for (cut, _) in path.match_indices('/').filter(|(cut, _)| *cut > 0) {
            if let Some(parent) = path.get(..cut) {
                self.0.entry(parent.into()).or_insert(Node::Directory);
            }
        }
        self.0.entry(path.into()).or_insert(Node::Directory);
    }

    fn put(&mut self, path: &str, node: Node) {
        let path = merged(path);
        if let Some((parent, _)) = path.rsplit_once('/').filter(|(parent, _)| !parent.is_empty()) {
            self.directory(parent);
        }
        self.0.insert(path, node);
    }

    fn content(&mut self, path: &str, permissions: u32, content: &[u8]) {
        self.put(path, Node::Content(permissions, content.to_vec()));
    }

    /// Busybox and a link for each of its applets that no real program replaces.
    fn busybox(&mut self, path: &Path) -> Result<()> {
        let applets = process::text(Command::new(path).arg("--list"))?;
        for applet in applets.lines().filter(|applet| !PROGRAMS.contains(applet)) {
            self.put(&format!("/usr/bin/{applet}"), Node::Link("busybox".into()));
        }
        self.copy("/usr/bin/busybox", path);
        self.libraries(path)
    }

    /// A program at its usual place or in `directory`, and what it links to.
    fn program(&mut self, path: &Path, directory: Option<&str>) -> Result<()> {
        let place = match directory {
            None => text(path)?.to_owned(),
            Some(directory) => {
                let name = path.file_name().context("a program needs a name")?;
                format!("{directory}/{}", name.to_string_lossy())
            }
        };
        self.copy(&place, path);
        self.libraries(path)
    }

    fn libraries(&mut self, program: &Path) -> Result<()> {
        for library in linked(program)? {
            self.copy(text(&library)?, &library);
        }
        Ok(())
    }

    fn copy(&mut self, place: &str, source: &Path) {
        self.put(place, Node::Copy(source.to_path_buf()));
    }

    /// The modules and, for the guest, their names in loading order.
    fn modules(&mut self, directory: &Path) -> Result<()> {
        let mut order = String::new();
        for path in modules::load_order(directory)? {
            let place = format!("/usr/lib/modules/{}.ko", modules::name(&path));
            self.content(&place, 0o644, &modules::read(&directory.join(&path))?);
            order += &place;
            order.push('\n');
        }
        self.content("/etc/guest/modules", 0o644, order.as_bytes());
        Ok(())
    }

    fn write(&self, file: &Path) -> Result<()> {
        let mut archive = cpio::Writer::new(BufWriter::new(File::create(file)?));
        for (path, node) in &self.0 {
            let name = path.trim_start_matches('/');
            match node {
                Node::Directory => archive.directory(name)?,
                Node::Link(target) => archive.symlink(name, target)?,
                Node::Content(permissions, content) => archive.file(name, *permissions, content)?,
                Node::Console => archive.character_device(name, (5, 1))?,
                Node::Copy(source) => {
                    let content = std::fs::read(source)
                        .with_context(|| format!("cannot read {}", source.display()))?;
                    archive.file(name, 0o755, &content)?;
                }
            }
        }
        archive.finish()?;
        Ok(())
    }
}

/// The guest keeps everything below /usr, whether the host does or not.
fn merged(path: &str) -> String {
    let split = ["/bin/", "/sbin/", "/lib/", "/lib64/"];
    if split.iter().any(|place| path.starts_with(place)) {
        format!("/usr{path}")
    } else {
        path.into()
    }
}

/// The libraries that a program loads, its loader included; none for a static one.
fn linked(program: &Path) -> Result<BTreeSet<PathBuf>> {
    let output = Command::new(process::need("ldd")?)
        .arg(program)
        .env("LC_ALL", "C")
        .output()
        .context("cannot start ldd")?;
    // Exit code 1 is how it says "static"; a file that is no program fails when it is run.
    let said = String::from_utf8_lossy(&output.stdout);
    let mut found = BTreeSet::new();
    for line in said.lines() {
        match library(line) {
            Library::At(path) => {
                found.insert(PathBuf::from(path));
            }
            Library::Missing => {
                bail!("{} cannot run even here: {}", program.display(), line.trim());
            }
            Library::None => {}
        }
    }
    Ok(found)
}

#[derive(Debug, PartialEq, Eq)]
enum Library<'a> {
    At(&'a str),
    Missing,
    None,
}

/// One line of ldd: `name => /path (0x…)`, `/path (0x…)`, `name => not found`, or a remark.
fn library(line: &str) -> Library<'_> {
    let line = line.trim();
    if line.ends_with("not found") {
        return Library::Missing;
    }
    let place = line.split_once("=> ").map_or(line, |(_, place)| place);
    match place.split_once(" (0x") {
        Some((path, _)) if path.starts_with('/') => Library::At(path),
        _ => Library::None,
    }
}

fn text(path: &Path) -> Result<&str> {
    path.to_str().with_context(|| format!("{} is not UTF-8", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_ldd_line_is_understood() {
        let at = library("\tlibc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x00007f)");
        assert_eq!(at, Library::At("/lib/x86_64-linux-gnu/libc.so.6"));
        let loader = library("\t/lib64/ld-linux-x86-64.so.2 (0x00007f)");
        assert_eq!(loader, Library::At("/lib64/ld-linux-x86-64.so.2"));
        assert_eq!(library("\tlinux-vdso.so.1 (0x00007ffc)"), Library::None);
        assert_eq!(library("\tstatically linked"), Library::None);
        assert_eq!(library("\tlibx.so.1 => not found"), Library::Missing);
    }

    #[test]
    fn a_shell_has_libraries_or_is_static() {
        let sh = std::fs::canonicalize("/bin/sh").unwrap();
        for library in linked(&sh).unwrap() {
            assert!(library.exists(), "{}", library.display());
        }
    }

    #[test]
    fn parents_come_before_children_and_everything_lies_below_usr() {
        let mut tree = Tree::default();
        tree.skeleton();
        tree.content("/lib/deep/er/file", 0o644, b"x");
        let paths: Vec<&String> = tree.0.keys().collect();
        let place = |path: &str| paths.iter().position(|known| *known == path).expect(path);
        assert!(place("/usr") < place("/usr/lib"));
        assert!(place("/usr/lib/deep/er") < place("/usr/lib/deep/er/file"));
        assert!(matches!(tree.0.get("/lib"), Some(Node::Link(target)) if target == "usr/lib"));
        assert!(!tree.0.contains_key("/lib/deep"));
    }

    #[test]
    fn a_file_takes_the_place_of_a_link() {
        let mut tree = Tree::default();
        tree.put("/usr/bin/sh", Node::Link("busybox".into()));
        tree.copy("/bin/sh", Path::new("/bin/sh"));
        assert!(matches!(tree.0.get("/usr/bin/sh"), Some(Node::Copy(_))));
    }
}
