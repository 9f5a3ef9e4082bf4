//! How an interpreter reads its arguments, as a row of a table.

/// Interpreters that stand for one another in `argv[0]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Family {
    Shell,
    CShell,
    Fish,
    Python,
    Perl,
    Ruby,
    Php,
    Lua,
    Tcl,
    Awk,
    Guile,
    R,
    Java,
    Node,
    Deno,
    Bun,
    PowerShell,
}

/// What an option does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Does {
    /// Nothing that concerns us, alone.
    Flag,
    /// Takes an argument: of a letter the rest of the word or else the next word, of a word what
    /// is behind `=` or else the next word.
    Value,
    /// Takes the next word, and nothing may follow in its own.
    Next,
    /// Takes what else is in its word (of a word: behind `=`), if anything.
    Rest,
    /// Takes what else is in its word, which must be something.
    Attached,
    /// Takes the digits that follow; more letters may come after them.
    Digits,
    /// Takes the rest of the word if that begins with `:` or `=`.
    Colon,
    /// [`Self::Digits`], then [`Self::Colon`].
    Level,
    /// What follows is the program: decides.
    Inline,
    /// The next word is the program, unless it is an option: decides.
    InlineWord,
    /// Takes an argument that is program text, yet a script may follow.
    AlsoInline,
    /// Takes an address to serve at; without a script nothing is run.
    Serves,
    /// Alone; without a script it cannot be told what is run (`-v` ends, `-i` asks a person).
    NeedsScript,
    /// Takes the name of a module, which decides.
    Module,
    /// Takes the script, which decides.
    File,
    /// The program comes from standard input, whatever operands follow.
    Stdin,
    /// The operand is looked for in `PATH` unless it has a slash.
    Search,
    /// Takes a directory that it moves to before it opens the script.
    Moves,
    /// The operand is a file of its own kind (`java -jar`).
    Archive,
    /// Options end here.
    Ends,
    /// No program is run, or it cannot be told which.
    Stop,
}

/// What the first operand is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operand {
    /// The script.
    File,
    /// The program itself (awk).
    Code,
    /// A class, or a source file that ends in `.java`.
    Class,
    /// A script if it looks like a path, a module if like an address, else something that only
    /// the interpreter knows.
    PathOrName,
    /// Not the script.
    Unclear,
}

/// What a word means that the interpreter treats apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Word {
    Stdin,
    Inline,
    /// Options end here; the script follows.
    Ends,
    /// Nothing: the options go on.
    Skip,
    CannotTell,
}

/// How an interpreter reads its arguments.
#[derive(Debug)]
pub(super) struct Grammar {
    /// Base names of its executable; version numbers may follow.
    pub(super) names: &'static [&'static str],
    pub(super) family: Family,
    /// Options of one letter, which can be bundled: `-xeu`.
    pub(super) letters: &'static [(&'static str, Does)],
    /// Options of one word, dashes included.
    pub(super) words: &'static [(&'static str, Does)],
    /// Words that begin so take no argument beyond themselves.
    pub(super) alone: &'static [&'static str],
    /// Nor do unknown ones of the form `--name=value`.
    pub(super) equals: bool,
    /// Letters behind `+` are options, too.
    pub(super) plus: bool,
    /// Words are compared without regard to case.
    pub(super) any_case: bool,
    /// What `-` means.
    pub(super) dash: Word,
    /// What `--` means.
    pub(super) dashes: Word,
    /// First operands that are commands of the interpreter.
    pub(super) commands: &'static [(&'static str, Word)],
    pub(super) operand: Operand,
    /// What it means if there is no operand.
    pub(super) nothing: Word,
}

impl Grammar {
    /// A shell's or script language's, to start a row from.
    pub(super) const PLAIN: Self = Self {
        names: &[],
        family: Family::Shell,
        letters: &[],
        words: &[],
        alone: &[],
        equals: false,
        plus: false,
        any_case: false,
        dash: Word::Stdin,
        dashes: Word::Ends,
        commands: &[],
        operand: Operand::File,
        nothing: Word::Stdin,
    };

    /// What an option of one word does.
    pub(super) fn word(&self, word: &str) -> Option<Does> {
        let same = |known: &str| {
            if self.any_case { known.eq_ignore_ascii_case(word) } else { known == word }
        };
        self.words.iter().find(|(known, _)| same(known)).map(|(_, does)| *does)
    }

    /// What an option of one letter does.
    pub(super) fn letter(&self, letter: char) -> Option<Does> {
        self.letters.iter().find(|(known, _)| known.contains(letter)).map(|(_, does)| *does)
    }
}
