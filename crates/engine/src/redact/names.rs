//! Names that say that something is secret.

/// Programs with short flags of their own for passwords.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Program {
    /// Flags with the secret attached (`-pSECRET`).
    attached: &'static str,
    /// Flags that the secret follows.
    followed: &'static str,
    /// Flags that `user:password` follows or is attached to.
    login: &'static str,
}

const NONE: Program = Program { attached: "", followed: "", login: "" };

/// By the beginning of the program's name.
const PROGRAMS: [(&str, Program); 13] = [
    ("mysql", Program { attached: "p", ..NONE }),
    ("mariadb", Program { attached: "p", ..NONE }),
    ("mycli", Program { attached: "p", ..NONE }),
    ("sshpass", Program { attached: "p", followed: "p", ..NONE }),
    ("mongo", Program { attached: "p", followed: "p", ..NONE }),
    ("redis-cli", Program { followed: "a", ..NONE }),
    ("ldap", Program { attached: "w", followed: "w", ..NONE }),
    ("mosquitto_", Program { followed: "P", ..NONE }),
    ("7z", Program { attached: "p", ..NONE }),
    ("curl", Program { login: "uU", ..NONE }),
    ("wget", Program { login: "u", ..NONE }),
    ("http", Program { login: "a", ..NONE }),
    ("zip", Program { followed: "P", ..NONE }),
];

/// Programs that look like one of those.
const OTHERS: [&str; 3] = ["mysqld", "mysqld_safe", "mariadbd"];

/// Programs that run another one.
const WRAPPERS: [&str; 24] = [
    "sudo",
    "doas",
    "env",
    "nohup",
    "nice",
    "ionice",
    "timeout",
    "time",
    "setsid",
    "stdbuf",
    "strace",
    "ltrace",
    "exec",
    "watch",
    "xargs",
    "docker",
    "podman",
    "kubectl",
    "nsenter",
    "chroot",
    "unshare",
    "systemd-run",
    "tini",
    "dumb-init",
];

/// Whole names after two dashes. After one they are something else: `ffmpeg -pass 1`.
const WORDS: [&str; 4] = ["auth", "pass", "pw", "bearer"];
/// Ends of names, without what separates their words.
const ENDS: [&str; 11] = [
    "password",
    "passwd",
    "passphrase",
    "secret",
    "token",
    "apikey",
    "accesskey",
    "secretkey",
    "privatekey",
    "authkey",
    "credential",
];
/// Ends that only a variable's name has.
const VARIABLE_ENDS: [&str; 4] = ["_pwd", "_pass", "_auth", "secret_key_base"];
/// Parameters of addresses that give access by themselves.
const PARAMETERS: [&str; 7] = ["sig", "signature", "auth", "pwd", "pass", "pw", "password"];

fn base_name(word: &str) -> &str {
    word.rsplit('/').next().unwrap_or(word)
}

pub(super) fn is_wrapper(word: &str) -> bool {
    WRAPPERS.contains(&base_name(word))
}

/// A flag's name alone: `--API_key` is `api-key`.
pub(super) fn normalized(flag: &str) -> String {
    flag.trim_start_matches('-').to_ascii_lowercase().replace('_', "-")
}

/// Whether a name ends in one of those, whatever separates its words. Asked for every argument of
/// every program, so nothing is copied for it.
fn has_secret_end(name: &str) -> bool {
    let letters = || {
        let bytes = name.bytes().rev().filter(|byte| !b"-_.".contains(byte));
        bytes.map(|byte| byte.to_ascii_lowercase())
    };
    ENDS.iter().any(|end| {
        let mut letters = letters();
        end.bytes().rev().all(|wanted| letters.next() == Some(wanted))
    })
}

fn is_one_of(name: &str, words: &[&str]) -> bool {
    words.iter().any(|word| name.eq_ignore_ascii_case(word))
}

fn ends_in(name: &str, end: &str) -> bool {
    let at = name.len().checked_sub(end.len());
    at.and_then(|at| name.get(at..)).is_some_and(|tail| tail.eq_ignore_ascii_case(end))
}

/// True for `--password`, `--db-password`, `-token`; not for `--no-password`, which takes nothing.
pub(super) fn is_secret_flag(flag: &str) -> bool {
    let name = flag.trim_start_matches('-');
    let word = flag.starts_with("--") && is_one_of(name, &WORDS);
    let negated = name.get(..3).is_some_and(|start| start.eq_ignore_ascii_case("no-"));
    !negated && (word || has_secret_end(name))
}

/// True for `PGPASSWORD`, `GITHUB_TOKEN`, `password`; not for `TOKENIZERS_PARALLELISM` or `PWD`.
pub(super) fn is_secret_variable(name: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
    !name.is_empty()
        && !name.starts_with('-')
        && (has_secret_end(name) || VARIABLE_ENDS.iter().any(|end| ends_in(name, end)))
        && name.bytes().all(fits)
}

/// True for `access_token`, `sig`.
pub(super) fn is_secret_parameter(name: &str) -> bool {
    is_secret_variable(name) || is_one_of(name, &PARAMETERS)
}

/// True for what is rather the next flag than a secret: `--verbose`, `-u`.
pub(super) fn looks_like_flag(word: &str) -> bool {
    let mut chars = word.chars();
    match (chars.next(), chars.next(), chars.next()) {
        (Some('-'), Some('-'), Some(ch)) | (Some('-'), Some(ch), None) => ch.is_ascii_alphabetic(),
        _ => false,
    }
}

impl Program {
    /// The one that a command's first word names.
    pub(super) fn named(word: &str) -> Option<Self> {
        let name = base_name(word);
        let named = PROGRAMS.iter().find(|(start, _)| name.starts_with(start));
        named.filter(|_| !OTHERS.contains(&name)).map(|(_, program)| *program)
    }

    /// Flag and secret of `-pSECRET`.
    pub(super) fn attached(self, word: &str) -> Option<(&str, &str)> {
        split(word, self.attached)
    }

    /// Flag and login of `-uuser:password`.
    pub(super) fn attached_login(self, word: &str) -> Option<(&str, &str)> {
        split(word, self.login).or_else(|| {
            let rest = word.strip_prefix("--")?;
            let (name, _) = rest.split_once('=')?;
            let at = name.len() + 3;
            self.is_login(name).then(|| word.split_at_checked(at)).flatten()
        })
    }

    pub(super) fn takes_secret(self, word: &str) -> bool {
        letter(word).is_some_and(|flag| self.followed.contains(flag))
    }

    /// Also at the end of several flags in one (`-sSu`).
    pub(super) fn takes_login(self, word: &str) -> bool {
        let Some(flags) = word.strip_prefix('-') else { return false };
        match flags.strip_prefix('-') {
            Some(name) => self.is_login(name),
            None => {
                flags.bytes().all(|byte| byte.is_ascii_alphabetic())
                    && flags.chars().next_back().is_some_and(|flag| self.login.contains(flag))
            }
        }
    }

    fn is_login(self, name: &str) -> bool {
        !self.login.is_empty() && matches!(name, "user" | "proxy-user" | "auth")
    }
}

/// The letter of a flag that is nothing but one.
fn letter(word: &str) -> Option<char> {
    let mut chars = word.strip_prefix('-')?.chars();
    let flag = chars.next()?;
    chars.next().is_none().then_some(flag)
}

fn split<'w>(word: &'w str, flags: &str) -> Option<(&'w str, &'w str)> {
    let flag = word.strip_prefix('-')?.chars().next()?;
    let (flag, rest) =
        word.split_at_checked(1 + flag.len_utf8()).filter(|_| flags.contains(flag))?;
    (!rest.is_empty()).then_some((flag, rest))
}
