//! Secrets in command lines, replaced by `***`: passwords and tokens given as arguments, in
//! addresses, headers and assignments, and what is a token by its shape.
//!
//! It cannot know every program; what it does know is better not stored. Arguments are read one by
//! one; one that holds white space (`sh -c '…'`) is read as words as well.

mod names;
mod scan;
mod shapes;
#[cfg(test)]
mod tests;

use femtosnitch_model::escape_bytes;

use names::{Program, is_secret_flag, is_secret_variable};

/// What stands in place of a secret.
pub(crate) const HIDDEN: &str = "***";

/// Finds secrets.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Redactor {
    flags: Vec<String>,
}

/// What the next argument is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    Plain,
    Secret,
    /// `user:password`
    Login,
}

/// What is known when an argument is read.
struct Context {
    program: Option<Program>,
    /// The first word runs the program that a later one names (`sudo`).
    wraps: bool,
    first: bool,
    next: Next,
}

impl Context {
    fn new() -> Self {
        Self { program: None, wraps: false, first: true, next: Next::Plain }
    }

    fn meet(&mut self, word: &str) {
        if std::mem::take(&mut self.first) {
            self.program = Program::named(word);
            self.wraps = names::is_wrapper(word);
        } else if self.program.is_none() && self.wraps {
            self.program = Program::named(word);
        }
    }
}

impl Redactor {
    /// One that also takes what follows these flags for secrets (`--pin` or `pin`).
    #[must_use]
    pub fn new(flags: &[String]) -> Self {
        Self { flags: flags.iter().map(|flag| names::normalized(flag)).collect() }
    }

    /// Arguments, separated by NUL, as one line without secrets.
    pub(crate) fn arguments(&self, args: &[u8]) -> String {
        self.all(args.split(|byte| *byte == 0).map(escape_bytes))
    }

    /// The same of a line in which arguments are separated by spaces: where one ends is a guess.
    pub(crate) fn line(&self, line: &str) -> String {
        self.all(line.split(' ').map(str::to_owned))
    }

    fn all(&self, args: impl Iterator<Item = String>) -> String {
        let mut context = Context::new();
        let args: Vec<String> = args.map(|arg| self.argument(&arg, &mut context)).collect();
        // Headers and the like may reach over several arguments where spaces separate them.
        scan::everything(args.join(" "))
    }

    fn argument(&self, arg: &str, context: &mut Context) -> String {
        if !arg.contains(char::is_whitespace) {
            return self.word(arg, context);
        }
        match std::mem::replace(&mut context.next, Next::Plain) {
            Next::Secret => return HIDDEN.to_owned(),
            Next::Login => return hide_password(arg),
            Next::Plain => {}
        }
        context.meet("");
        if let Some(hidden) = scan::header(arg) {
            return hidden;
        }
        // What is quoted is quoted for a shell.
        let quoted = |(_, value): (&str, &str)| value.starts_with(['"', '\'', '$']);
        if !arg.split_once('=').is_some_and(quoted)
            && let Some(hidden) = self.assignment(arg)
        {
            return hidden;
        }
        // A command in a command, or a text.
        let mut inner = Context { first: false, wraps: true, ..Context::new() };
        let words = arg.split_inclusive(char::is_whitespace).map(|piece| {
            let word = piece.trim_end_matches(char::is_whitespace);
            let bare = word.trim_start_matches(['"', '\'', '(', '`']);
            let (before, space) = (word.len() - bare.len(), piece.get(word.len()..));
            let before = word.get(..before).unwrap_or_default();
            format!("{before}{}{}", self.word(bare, &mut inner), space.unwrap_or_default())
        });
        words.collect()
    }

    /// An argument without white space.
    fn word(&self, word: &str, context: &mut Context) -> String {
        let expected = std::mem::replace(&mut context.next, Next::Plain);
        match expected {
            Next::Secret if !names::looks_like_flag(word) => return hide(word),
            Next::Login => return hide_password(word),
            Next::Secret | Next::Plain => {}
        }
        context.meet(word);
        if let Some(program) = context.program {
            if let Some((flag, _)) = program.attached(word) {
                return format!("{flag}{HIDDEN}");
            }
            if let Some((flag, login)) = program.attached_login(word) {
                return format!("{flag}{}", hide_password(login));
            }
            context.next = if program.takes_secret(word) {
                Next::Secret
            } else if program.takes_login(word) {
                Next::Login
            } else {
                Next::Plain
            };
        }
        if let Some(hidden) = self.assignment(word) {
            return hidden;
        }
        if self.is_flag(word) {
            context.next = Next::Secret;
        }
        word.to_owned()
    }

    fn is_flag(&self, word: &str) -> bool {
        word.starts_with('-')
            && (is_secret_flag(word)
                || (!self.flags.is_empty() && self.flags.contains(&names::normalized(word))))
    }

    /// `--flag=secret`, `NAME=secret`
    fn assignment(&self, word: &str) -> Option<String> {
        if let Some(value) = word.strip_prefix("pass:").filter(|value| !value.is_empty()) {
            // As OpenSSL wants it.
            return Some(format!("pass:{}", hide(value)));
        }
        let (name, value) = word.split_once('=')?;
        if value.is_empty() {
            return None;
        }
        if self.is_flag(name) || is_secret_variable(name) {
            return Some(format!("{name}={}", hide(value)));
        }
        // Fields of a form go on behind the next `&`, which is for the scan of the whole line.
        None
    }
}

/// `***`, with the quote that ended what it stands for.
fn hide(value: &str) -> String {
    let end = value.strip_suffix(['"', '\'', ')', '`', ';']).map(|rest| rest.len());
    let end = end.filter(|at| *at > 0).and_then(|at| value.get(at..));
    format!("{HIDDEN}{}", end.unwrap_or_default())
}

/// `user:***`; without a colon there is no password.
fn hide_password(login: &str) -> String {
    match login.split_once(':') {
        Some((user, password)) if !password.is_empty() => format!("{user}:{}", hide(password)),
        _ => login.to_owned(),
    }
}
