//! Shells. In all but fish and csh a `-` alone ends the options, as `--` does; `-o` takes the
//! next word, and is told only at the end of its own, where all shells agree.

use super::super::grammar::Does::{Ends, Flag, Inline, Next, Stdin, Stop, Value};
use super::super::grammar::{Family, Grammar, Word};

const SHELL: Grammar = Grammar { plus: true, dash: Word::Ends, ..Grammar::PLAIN };

pub(super) const ROWS: &[Grammar] = &[
    // bash(1)
    Grammar {
        names: &["bash", "rbash"],
        letters: &[("abefhiklmnprtuvxBCDEHPT", Flag), ("oO", Next), ("c", Inline), ("s", Stdin)],
        words: &[
            ("--rcfile", Next),
            ("--init-file", Next),
            ("--norc", Flag),
            ("--noprofile", Flag),
            ("--noediting", Flag),
            ("--posix", Flag),
            ("--login", Flag),
            ("--restricted", Flag),
            ("--verbose", Flag),
            ("--debug", Flag),
            ("--debugger", Flag),
            ("--protected", Flag),
            ("--wordexp", Flag),
            ("--dump-strings", Stop),
            ("--dump-po-strings", Stop),
            ("--pretty-print", Stop),
            ("--help", Stop),
            ("--version", Stop),
        ],
        ..SHELL
    },
    // dash(1), busybox; what POSIX has for a shell of which no more is known than that it is one.
    Grammar {
        names: &["sh", "dash", "ash"],
        letters: &[("abCefhiIlmnpuvVxE", Flag), ("o", Next), ("c", Inline), ("s", Stdin)],
        ..SHELL
    },
    // zsh(1): every letter is an option, and every word.
    Grammar {
        names: &["zsh", "rzsh"],
        letters: &[
            ("0123456789adefghijklmnpqrtuvwxyzBCDEFGHIJKLMNOPQRSTUVWXYZ", Flag),
            ("o", Next),
            ("b", Ends),
            ("c", Inline),
            ("s", Stdin),
        ],
        words: &[("--emulate", Next), ("--help", Stop), ("--version", Stop)],
        alone: &["--"],
        ..SHELL
    },
    // ksh(1), mksh(1), without what they disagree on.
    Grammar {
        names: &["ksh", "rksh", "mksh", "lksh", "oksh", "pdksh"],
        letters: &[("abCefhiklmnpruvxX", Flag), ("o", Next), ("c", Inline), ("s", Stdin)],
        ..SHELL
    },
    // csh(1), tcsh(1)
    Grammar {
        names: &["csh", "tcsh", "bsd-csh"],
        family: Family::CShell,
        letters: &[("defFilmnqvVxX", Flag), ("t", Stop), ("b", Ends), ("c", Inline), ("s", Stdin)],
        words: &[("--help", Stop), ("--version", Stop)],
        dash: Word::CannotTell,
        dashes: Word::CannotTell,
        ..Grammar::PLAIN
    },
    // fish(1)
    Grammar {
        names: &["fish"],
        family: Family::Fish,
        letters: &[("ilnNP", Flag), ("CdDfop", Value), ("c", Inline), ("hv", Stop)],
        words: &[
            ("--command", Inline),
            ("--init-command", Value),
            ("--debug", Value),
            ("--debug-output", Value),
            ("--debug-stack-frames", Value),
            ("--features", Value),
            ("--profile", Value),
            ("--profile-startup", Value),
            ("--interactive", Flag),
            ("--login", Flag),
            ("--no-config", Flag),
            ("--no-execute", Flag),
            ("--private", Flag),
            ("--print-rusage-self", Flag),
            ("--print-debug-categories", Stop),
            ("--help", Stop),
            ("--version", Stop),
        ],
        dash: Word::CannotTell,
        ..Grammar::PLAIN
    },
];
