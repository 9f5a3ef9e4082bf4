//! Reads arguments by a row of the table, until it is decided what the interpreter runs.

use super::grammar::{Does, Family, Grammar, Operand, Word};
use super::{Running, Source, path};
use crate::text::clean;

impl Grammar {
    /// Reads the arguments behind the program's name. `open` says that there may be more, or
    /// that they may be no arguments at all: then the absence of one says nothing.
    pub(super) fn read<'a>(
        &self,
        words: impl Iterator<Item = &'a [u8]>,
        open: bool,
        cwd: Option<&[u8]>,
    ) -> Running {
        let mut reader = Reader {
            grammar: self,
            words,
            cwd,
            options: true,
            inline: false,
            stdin: false,
            search: false,
            moved: false,
            archive: false,
            needs_script: false,
            commands: true,
        };
        match reader.all() {
            Err(decided) => decided.0,
            Ok(()) if open => Running::CannotTell,
            Ok(()) if reader.needs_script => Running::CannotTell,
            Ok(()) if reader.inline => Running::Inline,
            Ok(()) if reader.stdin => Running::Stdin,
            Ok(()) => special(self.nothing).unwrap_or(Running::CannotTell),
        }
    }
}

/// The answer, boxed in a type so that `?` ends the reading with it.
struct Decided(Running);

const CANNOT_TELL: Decided = Decided(Running::CannotTell);

struct Reader<'g, 'c, W> {
    grammar: &'g Grammar,
    words: W,
    cwd: Option<&'c [u8]>,
    options: bool,
    inline: bool,
    stdin: bool,
    search: bool,
    moved: bool,
    archive: bool,
    needs_script: bool,
    commands: bool,
}

impl<'a, W: Iterator<Item = &'a [u8]>> Reader<'_, '_, W> {
    /// Until it is decided, or nothing is left.
    fn all(&mut self) -> Result<(), Decided> {
        while let Some(word) = self.words.next() {
            let plus = self.grammar.plus && word.starts_with(b"+") && word.len() > 1;
            if !self.options || !(word.starts_with(b"-") || plus) {
                self.operand(word)?;
            } else if word == b"-" {
                self.special(self.grammar.dash)?;
            } else if word == b"--" {
                self.special(self.grammar.dashes)?;
            } else {
                self.option(word)?;
            }
        }
        Ok(())
    }

    fn special(&mut self, word: Word) -> Result<(), Decided> {
        match word {
            Word::Ends => self.options = false,
            Word::Skip => {}
            Word::Stdin | Word::Inline | Word::CannotTell => {
                return Err(special(word).map_or(CANNOT_TELL, Decided));
            }
        }
        Ok(())
    }

    fn option(&mut self, word: &[u8]) -> Result<(), Decided> {
        let (name, value) = match word.iter().position(|byte| *byte == b'=') {
            Some(at) if word.starts_with(b"--") => word.split_at_checked(at).unwrap_or((word, b"")),
            _ => (word, b"".as_slice()),
        };
        let name = std::str::from_utf8(name).map_err(|_| CANNOT_TELL)?;
        if let Some(does) = self.grammar.word(name) {
            return self.does(does, value.strip_prefix(b"="));
        }
        if self.grammar.alone.iter().any(|prefix| word.starts_with(prefix.as_bytes())) {
            return Ok(());
        }
        if word.starts_with(b"--") {
            return if self.grammar.equals && !value.is_empty() {
                Ok(())
            } else {
                Err(CANNOT_TELL)
            };
        }
        self.bundle(word.split_at_checked(1).unwrap_or_default().1)
    }

    fn bundle(&mut self, mut letters: &[u8]) -> Result<(), Decided> {
        while let Some((letter, rest)) = letters.split_first() {
            letters = rest;
            let does = self.grammar.letter(char::from(*letter)).ok_or(CANNOT_TELL)?;
            match does {
                Does::Digits => letters = behind_digits(rest),
                Does::Colon => letters = behind_colon(rest),
                Does::Level => letters = behind_colon(behind_digits(rest)),
                Does::Value
                | Does::Serves
                | Does::AlsoInline
                | Does::Module
                | Does::File
                | Does::Moves
                | Does::Rest
                | Does::Attached
                | Does::Next => {
                    letters = &[];
                    self.does(does, (!rest.is_empty()).then_some(rest))?;
                }
                _ => self.does(does, None)?,
            }
        }
        Ok(())
    }

    fn does(&mut self, does: Does, attached: Option<&[u8]>) -> Result<(), Decided> {
        match does {
            Does::Flag if attached.is_none() => {}
            Does::Rest => {}
            Does::Attached if attached.is_some_and(|text| !text.is_empty()) => {}
            Does::Next if attached.is_none() => {
                // ksh93's -o goes without an argument where the next word is an option.
                let next = self.value(None)?;
                if self.grammar.plus && matches!(next.first(), None | Some(b'-' | b'+')) {
                    return Err(CANNOT_TELL);
                }
            }
            Does::Value => self.value(attached).map(drop)?,
            Does::AlsoInline => {
                self.inline = true;
                self.value(attached).map(drop)?;
            }
            Does::Serves => {
                self.needs_script = true;
                self.value(attached).map(drop)?;
            }
            Does::NeedsScript => self.needs_script = true,
            Does::Moves => {
                self.moved = true;
                self.value(attached).map(drop)?;
            }
            Does::Inline if self.grammar.family == Family::PowerShell => {
                let stdin = self.words.next() == Some(b"-");
                return Err(Decided(if stdin { Running::Stdin } else { Running::Inline }));
            }
            Does::Inline => return Err(Decided(Running::Inline)),
            Does::InlineWord => {
                let option = self.value(attached)?.starts_with(b"-");
                return Err(if option { CANNOT_TELL } else { Decided(Running::Inline) });
            }
            Does::Module => {
                let name = clean(&self.value(attached)?);
                return Err(Decided(Running::Module(name)));
            }
            Does::File => {
                let path = self.value(attached)?;
                return Err(self.file(&path));
            }
            Does::Stdin => self.stdin = true,
            Does::Search => self.search = true,
            Does::Archive => self.archive = true,
            Does::Ends => self.options = false,
            Does::Flag
            | Does::Digits
            | Does::Colon
            | Does::Level
            | Does::Attached
            | Does::Next
            | Does::Stop => return Err(CANNOT_TELL),
        }
        Ok(())
    }

    /// The argument of an option.
    fn value(&mut self, attached: Option<&[u8]>) -> Result<Vec<u8>, Decided> {
        let value = match attached {
            Some(value) => value,
            None => self.words.next().ok_or(CANNOT_TELL)?,
        };
        // PHP takes it as the argument, and as the end of the options, too.
        if value == b"--" {
            return Err(CANNOT_TELL);
        }
        Ok(value.to_vec())
    }

    fn operand(&mut self, word: &[u8]) -> Result<(), Decided> {
        if self.stdin {
            return Err(Decided(Running::Stdin));
        }
        if std::mem::take(&mut self.commands) && self.options {
            let command = self.grammar.commands.iter().find(|(name, _)| name.as_bytes() == word);
            if let Some((_, word)) = command {
                return self.special(*word);
            }
        }
        Err(match self.grammar.operand {
            _ if word.is_empty() => CANNOT_TELL,
            Operand::File if word == b"-" && self.grammar.dash != Word::Stdin => CANNOT_TELL,
            Operand::Code => Decided(Running::Inline),
            Operand::File => self.file(word),
            Operand::Unclear => CANNOT_TELL,
            Operand::Class if word.starts_with(b"@") => CANNOT_TELL,
            Operand::Class if self.archive || word.ends_with(b".java") => self.file(word),
            Operand::Class => Decided(Running::MainClass(clean(word))),
            Operand::PathOrName => self.path_or_name(word),
        })
    }

    fn file(&self, word: &[u8]) -> Decided {
        if word == b"-" {
            return Decided(Running::Stdin);
        }
        let searched = self.search && !word.contains(&b'/');
        let astray = self.moved && !word.starts_with(b"/");
        if searched || astray {
            return CANNOT_TELL;
        }
        Decided(path::file(word, self.cwd, Source::Argv))
    }

    fn path_or_name(&self, word: &[u8]) -> Decided {
        const ADDRESSES: [&[u8]; 6] =
            [b"https://", b"http://", b"npm:", b"jsr:", b"data:", b"blob:"];
        const ENDINGS: [&[u8]; 8] =
            [b".js", b".mjs", b".cjs", b".jsx", b".ts", b".mts", b".cts", b".tsx"];
        if ADDRESSES.iter().any(|prefix| word.starts_with(prefix)) {
            return Decided(Running::Module(clean(word)));
        }
        let path = word.contains(&b'/') || ENDINGS.iter().any(|ending| word.ends_with(ending));
        if path && !word.starts_with(b"file:") { self.file(word) } else { CANNOT_TELL }
    }
}

fn behind_digits(letters: &[u8]) -> &[u8] {
    let digits = letters.iter().take_while(|byte| byte.is_ascii_digit()).count();
    letters.split_at_checked(digits).unwrap_or_default().1
}

fn behind_colon(letters: &[u8]) -> &[u8] {
    if letters.starts_with(b":") || letters.starts_with(b"=") { &[] } else { letters }
}

fn special(word: Word) -> Option<Running> {
    match word {
        Word::Stdin => Some(Running::Stdin),
        Word::Inline => Some(Running::Inline),
        Word::CannotTell => Some(Running::CannotTell),
        Word::Ends | Word::Skip => None,
    }
}
