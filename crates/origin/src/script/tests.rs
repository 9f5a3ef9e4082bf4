//! Real-life command lines, and anything at all.

use super::*;
use proptest::prelude::*;

/// What a program at `exe` runs, called with these words (a `|` between them), in `/srv`.
fn of(exe: &str, words: &str) -> Running {
    let args = words.split('|').map(str::as_bytes).collect();
    running(exe.as_bytes(), None, &Argv { args, cut: false }, Some(b"/srv"))
}

fn shown(exe: &str, words: &str) -> String {
    of(exe, words).to_string()
}

fn check(cases: &[(&str, &str, &str)]) {
    for (exe, words, want) in cases {
        assert_eq!(shown(exe, words), *want, "{exe}: {words}");
    }
}

#[test]
fn python() {
    let py = "/usr/bin/python3.11";
    check(&[
        (py, "python3|app.py", "/srv/app.py"),
        (py, "python3|/opt/x/main.py|--port|80", "/opt/x/main.py"),
        (py, "/srv/venv/bin/python|-u|worker.py|-c|x", "/srv/worker.py"),
        (py, "python3|-m|http.server|8000", "module http.server"),
        (py, "python3|-mvenv|x", "module venv"),
        (py, "python3|-um|flask|run", "module flask"),
        (py, "python3|-c|import os|x.py", "(inline)"),
        (py, "python3|-Bc|import os", "(inline)"),
        (py, "python3|-W|ignore|-X|dev|x.py", "/srv/x.py"),
        (py, "python3|-Wignore|-Xdev|x.py", "/srv/x.py"),
        (py, "python3|-IW|ignore|x.py", "/srv/x.py"),
        (py, "python3|-i|x.py", "/srv/x.py"),
        (py, "python3|--|-odd.py", "/srv/-odd.py"),
        (py, "python3|--check-hash-based-pycs|always|x.py", "/srv/x.py"),
        (py, "python3|--check-hash-based-pycs=always|x.py", "/srv/x.py"),
        (py, "python3", "(stdin)"),
        (py, "python3|-", "(stdin)"),
        (py, "python3|-|x.py", "(stdin)"),
        (py, "python3|/dev/stdin", "(stdin)"),
        (py, "python3|/dev/fd/63", "(unknown)"),
        (py, "python3|-V", "(unknown)"),
        (py, "python3|-Z|x.py", "(unknown)"),
        (py, "python3|--new-option|x.py", "(unknown)"),
        (py, "python3|-m", "(unknown)"),
        (py, "python3|", "(unknown)"),
        (py, "gunicorn: master [app]", "(unknown)"),
        (py, "/usr/bin/python3 -m spam", "(unknown)"),
        (py, "gunicorn: worker||||", "(unknown)"),
        ("/usr/bin/pypy3", "pypy3|--jit|off|x.py", "/srv/x.py"),
        ("/usr/bin/python3.13t", "python|.", "/srv"),
        ("/usr/bin/python2.7", "python|x.zip", "/srv/x.zip"),
    ]);
}

#[test]
fn shells() {
    let (bash, dash, zsh) = ("/usr/bin/bash", "/usr/bin/dash", "/bin/zsh-5.9");
    check(&[
        (bash, "bash|deploy.sh|now", "/srv/deploy.sh"),
        (bash, "bash|-e|./deploy.sh", "/srv/deploy.sh"),
        (bash, "bash|-euo|pipefail|x.sh", "/srv/x.sh"),
        (bash, "bash|-o|errexit|+o|posix|x.sh", "/srv/x.sh"),
        (bash, "bash|+e|x.sh", "/srv/x.sh"),
        (bash, "bash|-O|extglob|x.sh", "/srv/x.sh"),
        (bash, "bash|--norc|--noprofile|x.sh", "/srv/x.sh"),
        (bash, "bash|--rcfile|/etc/x|y.sh", "/srv/y.sh"),
        (bash, "bash|-c|echo $1|x|y.sh", "(inline)"),
        (bash, "bash|-lc|curl example.org", "(inline)"),
        (bash, "bash|-xec|set", "(inline)"),
        (bash, "bash|-s|x.sh", "(stdin)"),
        (bash, "bash|-sx|--|x.sh", "(stdin)"),
        (bash, "bash|-s|-c|true", "(inline)"),
        (bash, "-bash", "(stdin)"),
        (bash, "bash|-i", "(stdin)"),
        (bash, "sh|-l", "(stdin)"),
        (bash, "bash|--|x.sh", "/srv/x.sh"),
        (bash, "bash|-|x.sh", "/srv/x.sh"),
        (bash, "bash|--|-", "(unknown)"),
        (bash, "bash|--|-x.sh", "/srv/-x.sh"),
        (bash, "bash|-oe|pipefail|x.sh", "(unknown)"),
        (bash, "bash|--unheard|x.sh", "(unknown)"),
        (bash, "bash|--version", "(unknown)"),
        (bash, "bash|/dev/fd/63", "(unknown)"),
        (bash, "bash|/proc/self/fd/0", "(stdin)"),
        (dash, "sh|-c|exec curl", "(inline)"),
        (dash, "/bin/sh|/etc/cron.daily/apt", "/etc/cron.daily/apt"),
        (dash, "sh|-e|x.sh", "/srv/x.sh"),
        (dash, "sh", "(stdin)"),
        (dash, "sh|--posix|x.sh", "(unknown)"),
        (zsh, "zsh|-f|x.zsh", "/srv/x.zsh"),
        (zsh, "zsh|--emulate|sh|x.sh", "/srv/x.sh"),
        (zsh, "zsh|--no-rcs|x.sh", "/srv/x.sh"),
        (zsh, "zsh|-b|-x.sh", "/srv/-x.sh"),
        (zsh, "-zsh", "(stdin)"),
        ("/bin/ksh93", "ksh|x", "/srv/x"),
        ("/bin/mksh", "mksh|-T|/dev/tty1|x", "(unknown)"),
        ("/bin/ksh93", "ksh|-eo|-c|true", "(unknown)"),
        ("/bin/tcsh", "tcsh|-f|x.csh", "/srv/x.csh"),
        ("/bin/tcsh", "tcsh|-t|x.csh", "(unknown)"),
        ("/usr/bin/fish", "fish|-C|set x|y.fish", "/srv/y.fish"),
        ("/usr/bin/fish", "fish|--command=x|y.fish", "(inline)"),
        ("/usr/bin/fish", "-fish", "(stdin)"),
        ("/bin/busybox", "sh|-e|x.sh", "/srv/x.sh"),
        ("/bin/busybox", "-ash", "(stdin)"),
        ("/bin/busybox", "busybox|sh|x.sh", "/srv/x.sh"),
        ("/bin/busybox", "busybox|sh", "(stdin)"),
        ("/bin/busybox", "/bin/busybox|awk|-f|x.awk", "/srv/x.awk"),
        ("/bin/busybox", "wget|x", ""),
        ("/bin/busybox", "busybox", ""),
    ]);
}

#[test]
fn perl_and_ruby() {
    let (perl, ruby) = ("/usr/bin/perl", "/usr/bin/ruby3.1");
    check(&[
        (perl, "perl|x.pl", "/srv/x.pl"),
        (perl, "/usr/bin/perl|-wT|/usr/sbin/x", "/usr/sbin/x"),
        (perl, "perl|-I|lib|-Mstrict|x.pl", "/srv/x.pl"),
        (perl, "perl|-Ilib|-mPOSIX=floor|x.pl", "/srv/x.pl"),
        (perl, "perl|-lane|print", "(inline)"),
        (perl, "perl|-0777ne|print", "(inline)"),
        (perl, "perl|-l012|-0xFF|x.pl", "/srv/x.pl"),
        (perl, "perl|-pi|-e|s/a/b/|x", "(inline)"),
        (perl, "perl|-i.bak|-pe|s/a/b/", "(inline)"),
        (perl, "perl|-pie|s/a/b/", "/srv/s/a/b"),
        (perl, "perl|-F,|-CSD|x.pl", "/srv/x.pl"),
        (perl, "perl|-d:NYTProf|x.pl", "/srv/x.pl"),
        (perl, "perl|-de0", "(inline)"),
        (perl, "perl|-E|say 1", "(inline)"),
        (perl, "perl|-S|tool", "(unknown)"),
        (perl, "perl|-S|./tool", "/srv/tool"),
        (perl, "perl|-M|Foo|x.pl", "(unknown)"),
        (perl, "perl|-v", "(unknown)"),
        (perl, "perl|--help", "(unknown)"),
        (perl, "perl|-", "(stdin)"),
        (perl, "perl", "(stdin)"),
        (perl, "spamd child", "(unknown)"),
        ("/usr/bin/perl5.36-x86_64-linux-gnu", "perl|x.pl", "/srv/x.pl"),
        (ruby, "ruby|x.rb", "/srv/x.rb"),
        (ruby, "ruby|-I|lib|-rbundler/setup|x.rb", "/srv/x.rb"),
        (ruby, "ruby|-W0|-W:no-deprecated|x.rb", "/srv/x.rb"),
        (ruby, "ruby|-We|puts 1", "(inline)"),
        (ruby, "ruby|-W2e|puts 1", "(inline)"),
        (ruby, "ruby|-ne|puts 1|x.rb", "(inline)"),
        (ruby, "ruby|-C|/tmp|x.rb", "(unknown)"),
        (ruby, "ruby|-C/tmp|/x.rb", "/x.rb"),
        (ruby, "ruby|--disable=gems|--yjit|x.rb", "/srv/x.rb"),
        (ruby, "ruby|--encoding|utf-8|x.rb", "/srv/x.rb"),
        (ruby, "ruby|-S|rails|server", "(unknown)"),
        (ruby, "puma 6.0 (tcp://0.0.0.0:3000) [app]", "(unknown)"),
    ]);
}

#[test]
fn other_languages() {
    check(&[
        ("/usr/bin/php8.2", "php|artisan|serve", "/srv/artisan"),
        ("/usr/bin/php", "php|-d|memory_limit=-1|-f|x.php|--|-y", "/srv/x.php"),
        ("/usr/bin/php", "php|-n|-dfoo=1|x.php", "/srv/x.php"),
        ("/usr/bin/php", "php|-r|echo 1;", "(inline)"),
        ("/usr/bin/php", "php|--|x.php", "(stdin)"),
        ("/usr/bin/php", "php|-c|--|x.php", "(unknown)"),
        ("/usr/bin/php", "php|-S|localhost:80|-t|web", "(unknown)"),
        ("/usr/bin/php", "php|-S|localhost:80|router.php", "/srv/router.php"),
        ("/usr/sbin/php-fpm8.2", "php-fpm: pool www", ""),
        ("/usr/bin/lua5.4", "lua|-l|socket|x.lua|a", "/srv/x.lua"),
        ("/usr/bin/lua5.4", "lua|-e|x=1|x.lua", "/srv/x.lua"),
        ("/usr/bin/lua5.4", "lua|-e|print(1)", "(inline)"),
        ("/usr/bin/lua5.4", "lua|-ix|x.lua", "(unknown)"),
        ("/usr/bin/lua5.4", "lua|-v", "(unknown)"),
        ("/usr/bin/lua5.4", "lua|-i|-e|x=1", "(unknown)"),
        ("/usr/bin/lua5.4", "lua|-i|x.lua", "/srv/x.lua"),
        ("/usr/bin/luajit-2.1.0-beta3", "luajit|-joff|-O3|x.lua", "/srv/x.lua"),
        ("/usr/bin/luajit", "luajit|-b|x.lua|x.out", "(unknown)"),
        ("/usr/bin/tclsh8.6", "tclsh|-encoding|utf-8|x.tcl", "(unknown)"),
        ("/usr/bin/tclsh8.6", "tclsh|x.tcl|-y", "/srv/x.tcl"),
        ("/usr/bin/tclsh8.6", "tclsh|-x|y", "(unknown)"),
        ("/usr/bin/gawk", "awk|-F:|-v|a=1|-f|x.awk|y", "/srv/x.awk"),
        ("/usr/bin/gawk", "gawk|--file=x.awk", "/srv/x.awk"),
        ("/usr/bin/gawk", "gawk|--csv|{print}|x", "(inline)"),
        ("/usr/bin/gawk", "gawk|-f|-|x", "(stdin)"),
        ("/usr/bin/gawk", "gawk|-e|BEGIN{}|-f|x.awk", "/srv/x.awk"),
        ("/usr/bin/gawk", "gawk|-e|{print}|x", "(inline)"),
        ("/usr/bin/gawk", "gawk|-e|BEGIN{}", "(inline)"),
        ("/usr/bin/mawk", "awk|{print}|x", "(inline)"),
        ("/usr/bin/mawk", "awk|-W|exec|x", "(unknown)"),
        ("/usr/bin/mawk", "mawk", "(unknown)"),
        ("/usr/bin/guile", "guile|-L|lib|-e|main|-s|x.scm", "/srv/x.scm"),
        ("/usr/bin/guile-3.0", "guile|x.scm|a", "/srv/x.scm"),
        ("/usr/bin/guile-3.0", "guile|-c|(display 1)", "(inline)"),
        ("/usr/bin/guile-3.0", "guile|\\|x.scm", "(unknown)"),
        ("/usr/bin/Rscript", "Rscript|--vanilla|x.R|y", "/srv/x.R"),
        ("/usr/bin/Rscript", "Rscript|-e|1+1", "(inline)"),
        (
            "/usr/lib/R/bin/exec/R",
            "/usr/lib/R/bin/exec/R|--no-echo|--no-restore|--file=x.R|--args|y",
            "/srv/x.R",
        ),
        ("/usr/lib/R/bin/exec/R", "R|/x/y", "(unknown)"),
        ("/usr/lib/R/bin/exec/R", "R|--file=-", "(stdin)"),
        ("/usr/bin/pwsh", "pwsh|-NoProfile|-ExecutionPolicy|Bypass|-File|x.ps1|-a", "/srv/x.ps1"),
        ("/usr/bin/pwsh", "pwsh|-nop|-c|Get-Item", "(inline)"),
        ("/usr/bin/pwsh", "pwsh|-Command|-", "(stdin)"),
        ("/usr/bin/pwsh", "pwsh|x.ps1", "/srv/x.ps1"),
        ("/usr/bin/pwsh", "pwsh|-wd|/x|y.ps1", "(unknown)"),
        ("/usr/bin/pwsh", "pwsh|-FILE|x.ps1", "/srv/x.ps1"),
    ]);
}

#[test]
fn java() {
    let java = "/usr/lib/jvm/java-17-openjdk-amd64/bin/java";
    check(&[
        (java, "java|-Xmx2g|-jar|/opt/x.jar|-y", "/opt/x.jar"),
        (java, "java|-jar|-Xmx2g|-Da=b|x.jar", "/srv/x.jar"),
        (java, "java|-cp|a.jar:b.jar|org.example.Main|x", "class org.example.Main"),
        (java, "java|--class-path=a.jar|org.example.Main", "class org.example.Main"),
        (java, "java|-p|mods|-m|app/org.example.Main", "module app/org.example.Main"),
        (java, "java|--module=app", "module app"),
        (java, "java|--add-opens|java.base/java.lang=ALL-UNNAMED|-ea|Main", "class Main"),
        (java, "java|--add-opens=java.base/java.lang=ALL-UNNAMED|-XX:+UseZGC|Main", "class Main"),
        (java, "java|-javaagent:/opt/agent.jar=x|-verbose:gc|Main", "class Main"),
        (java, "java|Hello.java", "/srv/Hello.java"),
        (java, "java|@args|Main", "(unknown)"),
        (java, "java|-jar|@args", "(unknown)"),
        (java, "java|--source|11|Hello", "(unknown)"),
        (java, "java|--unheard|Main", "(unknown)"),
        (java, "java|-version", "(unknown)"),
        (java, "java", "(unknown)"),
    ]);
}

#[test]
fn javascript() {
    let (node, deno, bun) = ("/usr/bin/node", "/usr/bin/deno", "/root/.bun/bin/bun");
    check(&[
        (node, "node|server.js|--port|80", "/srv/server.js"),
        (node, "node|--max-old-space-size=4096|--enable-source-maps|x.mjs", "/srv/x.mjs"),
        (node, "node|-r|dotenv/config|--import|tsx|x.ts", "/srv/x.ts"),
        (node, "node|--require=./a.js|--inspect|x.js", "/srv/x.js"),
        (node, "node|--inspect=0.0.0.0:9229|--no-warnings|x.js", "/srv/x.js"),
        (node, "node|--expose_gc|x.js", "/srv/x.js"),
        (node, "node|-e|1", "(inline)"),
        (node, "node|-pe|1", "(inline)"),
        (node, "node|-p|1", "(inline)"),
        (node, "node|-p|--|x.js", "(unknown)"),
        (node, "node|-|x", "(stdin)"),
        (node, "node", "(stdin)"),
        (node, "node|inspect|x.js", "(unknown)"),
        (node, "node|--test|x.js", "(unknown)"),
        (node, "node|--new-thing|x.js", "(unknown)"),
        (node, "npm install", "(unknown)"),
        ("/usr/bin/nodejs", "node|.", "/srv"),
        (deno, "deno|run|-A|main.ts", "/srv/main.ts"),
        (deno, "deno|run|--allow-net=example.org|--config|x.json|./main.ts", "/srv/main.ts"),
        (deno, "deno|run|-A|https://deno.land/x/a.ts", "module https://deno.land/x/a.ts"),
        (deno, "deno|run|npm:cowsay", "module npm:cowsay"),
        (deno, "deno|main.ts", "/srv/main.ts"),
        (deno, "deno|eval|1", "(inline)"),
        (deno, "deno|run|-", "(stdin)"),
        (deno, "deno|task|dev", "(unknown)"),
        (deno, "deno|run|file:///x.ts", "(unknown)"),
        (bun, "bun|run|x.ts", "/srv/x.ts"),
        (bun, "bun|--watch|src/x", "/srv/src/x"),
        (bun, "bun|run|dev", "(unknown)"),
        (bun, "bun|install", "(unknown)"),
        (bun, "bun|--cwd|/x|y.ts", "(unknown)"),
        (bun, "bun|-e|1", "(inline)"),
    ]);
}

#[test]
fn others_are_no_interpreters() {
    check(&[
        ("/usr/bin/curl", "python3|x.py", ""),
        ("/usr/bin/node_exporter", "node_exporter", ""),
        ("/usr/bin/pythonic", "python3|x.py", ""),
        ("/usr/bin/make", "make|-f|x.mk", ""),
        ("", "python3|x.py", ""),
        ("/", "python3|x.py", ""),
    ]);
    let bytes = running(b"/usr/bin/pyth\xffn", None, &Argv::default(), None);
    assert_eq!(bytes, Running::NotInterpreter);
}

#[test]
fn the_kernel_is_believed_first() {
    let argv = split(b"python3\0-u\0other.py\0", false);
    let file = |path: &[u8], absolute| {
        let script = Script { path: path.to_vec(), absolute, source: Source::Kernel };
        Running::File(script)
    };
    let py = b"/usr/bin/python3".as_slice();
    assert_eq!(running(py, Some(b"./x.py"), &argv, Some(b"/srv")), file(b"/srv/x.py", true));
    assert_eq!(running(py, Some(b"./x.py"), &argv, None), file(b"x.py", false));
    assert_eq!(running(b"/opt/odd", Some(b"/x"), &Argv::default(), None), file(b"/x", true));
    // execveat(2) of a descriptor: another process' /dev/fd is another file.
    assert_eq!(running(py, Some(b"/dev/fd/5"), &argv, None), Running::CannotTell);
    assert_eq!(running(py, Some(b""), &argv, None), Running::CannotTell);
}

#[test]
fn cut_arguments_tell_no_more_than_they_hold() {
    let of = |bytes: &[u8]| {
        running(b"/usr/bin/python3", None, &split(bytes, true), Some(b"/srv")).to_string()
    };
    assert_eq!(of(b"python3\0/srv/app/ma"), "(unknown)");
    assert_eq!(of(b"python3\0/srv/app/main.py\0"), "/srv/app/main.py");
    assert_eq!(of(b"python3\0-W\0igno"), "(unknown)");
    assert_eq!(of(b"python3\0-c\0import os, sy"), "(inline)");
    assert_eq!(of(b"python3\0"), "(unknown)");
    assert_eq!(of(b""), "(unknown)");
}

#[test]
fn without_a_working_directory_a_path_stays_relative() {
    let argv = split(b"perl\0../x.pl\0", false);
    let found = running(b"/usr/bin/perl", None, &argv, None);
    let script = found.file().unwrap();
    assert_eq!((script.path.as_slice(), script.absolute), (b"../x.pl".as_slice(), false));
    assert_eq!(script.source, Source::Argv);
    assert_eq!(found.to_string(), "./../x.pl");
    // So that no file's name reads like another answer.
    let argv = split(b"perl\0(inline)\0", false);
    assert_eq!(running(b"/usr/bin/perl", None, &argv, None).to_string(), "./(inline)");
}

fn exe() -> impl Strategy<Value = String> {
    let names: Vec<String> = table::all()
        .flat_map(|row| row.names)
        .map(|name| format!("/usr/bin/{name}"))
        .chain(["/bin/busybox".to_owned()])
        .collect();
    prop::sample::select(names)
}

fn word() -> impl Strategy<Value = Vec<u8>> {
    let words: Vec<&str> = table::all().flat_map(|row| row.words).map(|(word, _)| *word).collect();
    prop_oneof![
        prop::collection::vec(any::<u8>(), 0..12),
        "-[a-zA-Z0-9?:=]{0,5}".prop_map(String::into_bytes),
        "(-|--|\\+|x\\.py|sh|/dev/fd/9)".prop_map(String::into_bytes),
        prop::sample::select(words).prop_map(|word| word.as_bytes().to_vec()),
    ]
}

proptest! {
    #[test]
    fn anything_goes_and_comes_out_harmless(
        exe in exe(), words in prop::collection::vec(word(), 0..9), cut: bool,
        cwd in prop::option::of(prop::collection::vec(any::<u8>(), 0..9)),
    ) {
        let args = words.iter().map(Vec::as_slice).collect();
        let found = running(exe.as_bytes(), None, &Argv { args, cut }, cwd.as_deref());
        let line = found.to_string();
        prop_assert!(line.len() <= 300 && !line.chars().any(char::is_control), "{line:?}");
        if let Some(script) = found.file() {
            prop_assert_eq!(script.absolute, script.path.starts_with(b"/"));
            prop_assert!(!script.path.is_empty() && !script.path.contains(&0));
            prop_assert!(!script.path.starts_with(b"/dev/fd/"));
        }
    }

    #[test]
    fn raw_bytes_do_no_harm(exe: Vec<u8>, script: Option<Vec<u8>>, line: Vec<u8>, cut: bool) {
        let argv = split(&line, cut);
        prop_assert!(argv.args.iter().all(|word| !word.contains(&0)));
        let line = running(&exe, script.as_deref(), &argv, None).to_string();
        prop_assert!(!line.chars().any(char::is_control));
    }

    /// The more is cut off, the less is told; but nothing else is.
    #[test]
    fn what_is_cut_never_misleads(
        exe in exe(), words in prop::collection::vec(word(), 0..6), at in 0_usize..80,
    ) {
        let mut line = exe.rsplit('/').next().unwrap().as_bytes().to_vec();
        for word in words {
            line.push(0);
            line.extend(word.iter().filter(|byte| **byte != 0));
        }
        line.push(0);
        let whole = running(exe.as_bytes(), None, &split(&line, false), None);
        line.truncate(at);
        let part = running(exe.as_bytes(), None, &split(&line, true), None);
        prop_assert!(part == whole || part == Running::CannotTell, "{part:?} is not {whole:?}");
    }
}
