//! The terminal is given back: in a real one (tmux), after an end and after a panic.
#![expect(clippy::unwrap_used, reason = "a failed assumption ends a test")]

use std::path::PathBuf;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

/// A terminal of its own, gone when dropped.
struct Terminal {
    name: String,
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.tmux(&["kill-server"]);
    }
}

impl Terminal {
    /// `None` where there is no tmux.
    fn start(what: &str) -> Option<Self> {
        Command::new("tmux").arg("-V").output().ok()?;
        let it = Self { name: format!("femtosnitch-tui-{}-{what}", std::process::id()) };
        let size = ["-x", "80", "-y", "24"];
        let shell = ["env", "PS1=$ ", "sh"];
        let args = [&["-f", "/dev/null", "new-session", "-d"][..], &size, &shell].concat();
        assert!(it.tmux(&args).status.success());
        // What is typed before that stands where it does not belong.
        it.until("$");
        Some(it)
    }

    fn tmux(&self, args: &[&str]) -> Output {
        Command::new("tmux").arg("-L").arg(&self.name).args(args).output().unwrap()
    }

    fn type_in(&self, line: &str) {
        self.tmux(&["send-keys", "-l", line]);
        self.tmux(&["send-keys", "Enter"]);
    }

    fn picture(&self) -> String {
        String::from_utf8_lossy(&self.tmux(&["capture-pane", "-p"]).stdout).into_owned()
    }

    fn until(&self, text: &str) -> String {
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            let picture = self.picture();
            if picture.contains(text) {
                return picture;
            }
            assert!(Instant::now() < deadline, "{text} was never shown:\n{picture}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn flag(&self, name: &str) -> String {
        let format = format!("#{{{name}}}");
        let shown = self.tmux(&["display-message", "-p", &format]);
        String::from_utf8_lossy(&shown.stdout).trim().to_owned()
    }
}

/// Beside this test, where cargo builds examples.
fn example(name: &str) -> PathBuf {
    let me = std::env::current_exe().unwrap();
    me.parent().unwrap().parent().unwrap().join("examples").join(name)
}

#[test]
fn whatever_happens_the_terminal_is_given_back() {
    let cases = [
        ("x", [""; 2]),
        ("p", ["as it was asked to"; 2]),
        ("t", ["as another thread was asked to", "a part of the program failed"]),
    ];
    for (key, said) in cases {
        let Some(terminal) = Terminal::start(key) else {
            println!("skipped: there is no tmux here");
            return;
        };
        terminal.type_in("stty -a > /dev/null; stty -g; echo before");
        terminal.until("\nbefore");
        let program = example("panics");
        terminal.type_in(&format!("RUST_BACKTRACE=0 {}; echo ended", program.display()));
        terminal.until("on the screen");
        assert_eq!(terminal.flag("alternate_on"), "1");
        assert_eq!(terminal.flag("mouse_any_flag"), "1");
        terminal.tmux(&["send-keys", key]);
        let picture = terminal.until("\nended");
        for text in said.into_iter().chain(["before"]) {
            assert!(picture.contains(text), "{text}: {picture}");
        }
        assert!(!picture.contains("on the screen"), "{picture}");
        let flags = ["alternate_on", "mouse_any_flag", "cursor_flag"].map(|it| terminal.flag(it));
        assert_eq!(flags, ["0", "0", "1"]);
        terminal.type_in("stty -g; echo after");
        let picture = terminal.until("\nafter");
        // What stty -g printed before and after.
        let settings: Vec<&str> =
            picture.lines().filter(|it| it.matches(':').count() > 20).collect();
        assert!(settings.len() == 2 && settings[0] == settings[1], "{picture}");
    }
}
