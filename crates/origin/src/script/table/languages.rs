//! Script languages whose options are letters.

use super::super::grammar::Does::{
    AlsoInline, Attached, Colon, Digits, File, Flag, Inline, Level, Module, Moves, NeedsScript,
    Next, Rest, Search, Serves, Stop, Value,
};
use super::super::grammar::{Family, Grammar, Operand, Word};

pub(super) const ROWS: &[Grammar] = &[
    // python(1), pypy's --help
    Grammar {
        names: &["python", "pypy"],
        family: Family::Python,
        letters: &[
            ("bBdEiIOPqRsStuvx", Flag),
            ("WX", Value),
            ("c", Inline),
            ("m", Module),
            ("hV?", Stop),
        ],
        words: &[("--check-hash-based-pycs", Value), ("--jit", Value)],
        ..Grammar::PLAIN
    },
    // perlrun(1). What -C takes goes to the end of the word; -l and -0 take octal digits.
    Grammar {
        names: &["perl"],
        family: Family::Perl,
        letters: &[
            ("acfgnpstTuUwWX", Flag),
            ("0l", Digits),
            ("d", Colon),
            ("CDFix", Rest),
            ("mM", Attached),
            ("I", Value),
            ("S", Search),
            ("eE", Inline),
            ("hvV", Stop),
        ],
        ..Grammar::PLAIN
    },
    // ruby(1)
    Grammar {
        names: &["ruby"],
        family: Family::Ruby,
        letters: &[
            ("acdlnpsUwy", Flag),
            ("v", NeedsScript),
            ("0T", Digits),
            ("W", Level),
            ("Fi", Rest),
            ("EIr", Value),
            ("CX", Moves),
            ("S", Search),
            ("e", Inline),
            ("hKx", Stop),
        ],
        words: &[
            ("--encoding", Value),
            ("--external-encoding", Value),
            ("--internal-encoding", Value),
            ("--enable", Value),
            ("--disable", Value),
            ("--backtrace-limit", Value),
            ("--debug", Flag),
            ("--verbose", Flag),
            ("--jit", Rest),
            ("--yjit", Rest),
            ("--rjit", Rest),
            ("--debug-frozen-string-literal", Flag),
            ("--enable-frozen-string-literal", Flag),
            ("--disable-frozen-string-literal", Flag),
            ("--disable-gems", Flag),
            ("--disable-gem", Flag),
            ("--disable-did_you_mean", Flag),
            ("--disable-rubyopt", Flag),
        ],
        alone: &["--yjit-", "--jit-", "--rjit-", "--mjit", "--parser="],
        ..Grammar::PLAIN
    },
    // php(1), the command line's: behind `--` come the program's arguments.
    Grammar {
        names: &["php"],
        family: Family::Php,
        letters: &[
            ("aCeHlnqsw", Flag),
            ("cdzt", Value),
            ("S", Serves),
            ("fF", File),
            ("rRBE", Inline),
            ("himv", Stop),
        ],
        words: &[
            ("--php-ini", Value),
            ("--define", Value),
            ("--docroot", Value),
            ("--server", Serves),
            ("--zend-extension", Value),
            ("--no-php-ini", Flag),
            ("--no-header", Flag),
            ("--interactive", Flag),
            ("--syntax-check", Flag),
            ("--syntax-highlight", Flag),
            ("--strip", Flag),
            ("--file", File),
            ("--process-file", File),
            ("--run", Inline),
            ("--process-code", Inline),
            ("--process-begin", Inline),
            ("--process-end", Inline),
        ],
        dash: Word::CannotTell,
        dashes: Word::Stdin,
        ..Grammar::PLAIN
    },
    // lua(1): nothing is bundled, a script may follow -e.
    Grammar {
        names: &["lua"],
        family: Family::Lua,
        letters: &[("l", Value), ("e", AlsoInline)],
        words: &[("-i", NeedsScript), ("-E", Flag), ("-W", Flag), ("-v", NeedsScript)],
        ..Grammar::PLAIN
    },
    // luajit(1)
    Grammar {
        names: &["luajit"],
        family: Family::Lua,
        letters: &[("lj", Value), ("e", AlsoInline), ("O", Rest), ("b", Stop)],
        words: &[("-i", NeedsScript), ("-E", Flag), ("-v", NeedsScript)],
        ..Grammar::PLAIN
    },
    // tclsh(1): a first argument with a dash is mostly the program's.
    Grammar {
        names: &["tclsh"],
        family: Family::Tcl,
        dash: Word::CannotTell,
        dashes: Word::CannotTell,
        ..Grammar::PLAIN
    },
    // gawk(1)
    Grammar {
        names: &["gawk"],
        family: Family::Awk,
        letters: &[
            ("bcgkIMnNOPrsSt", Flag),
            ("Fvli", Value),
            ("DdLop", Rest),
            ("fE", File),
            ("e", AlsoInline),
            ("hCVW", Stop),
        ],
        words: &[
            ("--file", File),
            ("--exec", File),
            ("--source", AlsoInline),
            ("--field-separator", Value),
            ("--assign", Value),
            ("--include", Value),
            ("--load", Value),
            ("--characters-as-bytes", Flag),
            ("--traditional", Flag),
            ("--csv", Flag),
            ("--bignum", Flag),
            ("--use-lc-numeric", Flag),
            ("--non-decimal-data", Flag),
            ("--optimize", Flag),
            ("--no-optimize", Flag),
            ("--posix", Flag),
            ("--re-interval", Flag),
            ("--sandbox", Flag),
            ("--lint-old", Flag),
            ("--lint", Rest),
            ("--profile", Rest),
            ("--pretty-print", Rest),
            ("--dump-variables", Rest),
            ("--debug", Rest),
        ],
        operand: Operand::Code,
        dash: Word::Inline,
        nothing: Word::CannotTell,
        ..Grammar::PLAIN
    },
    // awk(1p), which mawk, busybox and the original extend each in its own way.
    Grammar {
        names: &["awk", "mawk", "nawk", "original-awk", "bwk"],
        family: Family::Awk,
        letters: &[("Fv", Value), ("f", File), ("W", Stop)],
        operand: Operand::Code,
        dash: Word::Inline,
        nothing: Word::CannotTell,
        ..Grammar::PLAIN
    },
    // guile(1): nothing is bundled, and -e names a procedure.
    Grammar {
        names: &["guile"],
        family: Family::Guile,
        words: &[
            ("-s", File),
            ("-c", Inline),
            ("-e", Next),
            ("-l", Next),
            ("-L", Next),
            ("-C", Next),
            ("-x", Next),
            ("-q", Flag),
            ("-ds", Stop),
            ("--debug", Flag),
            ("--no-debug", Flag),
            ("--auto-compile", Flag),
            ("--fresh-auto-compile", Flag),
            ("--no-auto-compile", Flag),
            ("--r6rs", Flag),
            ("--r7rs", Flag),
            ("--listen", Rest),
            ("--use-srfi", Attached),
            ("--language", Attached),
        ],
        // `\` has the options read from the script's second line.
        commands: &[("\\", Word::CannotTell)],
        dash: Word::CannotTell,
        dashes: Word::Stdin,
        ..Grammar::PLAIN
    },
    // Rscript(1) goes on as R with --file=.
    Grammar {
        names: &["Rscript"],
        family: Family::R,
        words: &[
            ("-e", Inline),
            ("--verbose", Flag),
            ("--vanilla", Flag),
            ("--no-echo", Flag),
            ("--no-save", Flag),
            ("--no-restore", Flag),
            ("--no-environ", Flag),
            ("--no-init-file", Flag),
            ("--no-site-file", Flag),
            ("--default-packages", Attached),
        ],
        nothing: Word::CannotTell,
        ..Grammar::PLAIN
    },
    // R(1); operands are ignored by it.
    Grammar {
        names: &["R"],
        family: Family::R,
        words: &[
            ("-f", File),
            ("--file", File),
            ("-e", Inline),
            ("-g", Next),
            ("--gui", Value),
            ("-q", Flag),
            ("-s", Flag),
            ("--quiet", Flag),
            ("--silent", Flag),
            ("--slave", Flag),
            ("--no-echo", Flag),
            ("--interactive", Flag),
            ("--vanilla", Flag),
            ("--save", Flag),
            ("--restore", Flag),
            ("--no-save", Flag),
            ("--no-restore", Flag),
            ("--no-restore-data", Flag),
            ("--no-restore-history", Flag),
            ("--no-environ", Flag),
            ("--no-init-file", Flag),
            ("--no-site-file", Flag),
            ("--no-readline", Flag),
            ("--encoding", Attached),
            ("--args", Stop),
        ],
        operand: Operand::Unclear,
        dash: Word::CannotTell,
        dashes: Word::CannotTell,
        ..Grammar::PLAIN
    },
];
