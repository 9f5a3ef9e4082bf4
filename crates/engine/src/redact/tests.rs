//! Secrets are hidden, and nothing else is.

use super::*;
use proptest::prelude::*;

fn hidden(args: &[&str]) -> String {
    Redactor::default().arguments(args.join("\0").as_bytes())
}

#[test]
fn secrets_are_hidden() {
    for (args, shown) in [
        (&["x", "--password", "s3cret"][..], "x --password ***"),
        (&["x", "--password", "two words", "-v"], "x --password *** -v"),
        (&["x", "--password=s3cret"], "x --password=***"),
        (&["x", "--db-password", "-s3cret"], "x --db-password ***"),
        (
            &["x", "--token", "t", "--api-key", "k", "--secret=s"],
            "x --token *** --api-key *** --secret=***",
        ),
        (
            &["x", "--api_key=k", "--auth", "a", "--apiKey", "b"],
            "x --api_key=*** --auth *** --apiKey ***",
        ),
        (&["java", "-Dspring.datasource.password=x"], "java -Dspring.datasource.password=***"),
        (&["openssl", "rsa", "-passin", "pass:x"], "openssl rsa -passin pass:***"),
        (&["curl", "-H", "Cookie: a=b; c=d", "u"], "curl -H Cookie: *** u"),
        (&["mysql", "-uroot", "-ps3cret", "shop"], "mysql -uroot -p*** shop"),
        (&["/usr/bin/mysqldump", "-ps3cret"], "/usr/bin/mysqldump -p***"),
        (&["sudo", "mysql", "-ps3cret"], "sudo mysql -p***"),
        (&["sh", "-c", "mysql -ps3cret shop"], "sh -c mysql -p*** shop"),
        (&["sshpass", "-p", "s3cret", "ssh", "h"], "sshpass -p *** ssh h"),
        (&["env", "PGPASSWORD=s3cret", "psql"], "env PGPASSWORD=*** psql"),
        (&["env", "GITHUB_TOKEN=x", "MYSQL_PWD=y z"], "env GITHUB_TOKEN=*** MYSQL_PWD=***"),
        (&["sh", "-c", "DB_PASSWORD='x' run"], "sh -c DB_PASSWORD=***' run"),
        (
            &["curl", "-H", "Authorization: Bearer abc.def", "u"],
            "curl -H Authorization: Bearer *** u",
        ),
        (&["curl", "-HAUTHORIZATION:basic YTpi"], "curl -HAUTHORIZATION:basic ***"),
        (&["curl", "-H", "X-Api-Key: abc"], "curl -H X-Api-Key: ***"),
        (
            &["sh", "-c", "curl -H 'Authorization: Digest a=1, b=2' http://x"],
            "sh -c curl -H 'Authorization: Digest ***' http://x",
        ),
        (&["curl", "-u", "me:s3cret", "x"], "curl -u me:*** x"),
        (&["curl", "-sSu", "me:s3cret", "x"], "curl -sSu me:*** x"),
        (&["curl", "-ume:s3cret", "x"], "curl -ume:*** x"),
        (&["curl", "--user=me:s3cret"], "curl --user=me:***"),
        (&["curl", "--proxy-user", "me:s3cret"], "curl --proxy-user me:***"),
        (
            &["git", "clone", "https://me:s3cret@example.org/x"],
            "git clone https://me:***@example.org/x",
        ),
        (&["psql", "postgres://u:p@ss@h/db?x=1"], "psql postgres://u:***@h/db?x=1"),
        (
            &["curl", "http://h/?a=1&token=t&api_key=k#f"],
            "curl http://h/?a=1&token=***&api_key=***#f",
        ),
        (&["curl", "-d", "user=me&password=s3cret"], "curl -d user=me&password=***"),
        (
            &["curl", "-d", r#"{"user":"me","password": "s3"}"#],
            r#"curl -d {"user":"me","password": "***"}"#,
        ),
    ] {
        assert_eq!(hidden(args), shown);
    }
}

#[test]
fn tokens_are_known_by_their_shape() {
    let long = "aB3".repeat(12);
    for token in [
        format!("ghp_{long}"),
        format!("github_pat_{long}"),
        format!("glpat-{long}"),
        format!("xoxb-{long}"),
        format!("sk_live_{long}"),
        format!("AIza{long}"),
        "AKIAIOSFODNN7EXAMPLE".to_owned(),
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln-_".to_owned(),
    ] {
        assert_eq!(hidden(&["x", &token, "y"]), "x *** y");
        assert_eq!(hidden(&["x", &format!("key:{token},")]), "x key:***,");
    }
}

#[test]
fn ordinary_command_lines_stay() {
    for line in [
        "",
        "curl -sSfL --proto =https --tlsv1.2 https://sh.rustup.rs -o /tmp/x",
        "git clone ssh://git@example.org:22/x.git",
        "ssh -p 2222 user@host",
        "mysql -u root -p shop",
        "mysqld --port=3306 -p3306",
        "psql --no-password -h db -U me",
        "env PWD=/home/me TOKENIZERS_PARALLELISM=false python3 train.py --max-tokens 512",
        "python3 -m http.server 8000 --bind 127.0.0.1",
        "grep -rn password /etc",
        "passwd root",
        "gpg --passphrase-file /run/secrets/x --password-stdin",
        "find / -name *.key -print0",
        "docker run -p 80:80 -e A=b nginx",
        "rsync -avz --delete a/ b/",
        "curl http://h/?q=token&page=2",
        "curl -u me http://h/",
        "nginx: worker process",
        "/usr/lib/x --type=renderer --lang=de --token-count=5",
        "firefox -contentproc {8a1b2c3d-0000-4000-8000-000000000000} 42 tab",
        "Xorg :0 -auth /run/xauth",
        "ffmpeg -i in.mp4 -pass 1 out.mp4",
    ] {
        assert_eq!(Redactor::default().line(line), line);
    }
}

#[test]
fn flags_of_the_users_own_are_known() {
    let own = Redactor::new(&["--pin".to_owned(), "my_key".to_owned()]);
    assert_eq!(own.line("x --pin 1234 --my-key=k -pin 5"), "x --pin *** --my-key=*** -pin ***");
    assert_eq!(hidden(&["x", "--pin", "1234"]), "x --pin 1234");
}

/// Were any of these more work than its length, this would not end.
#[test]
fn long_lines_cost_no_more_than_their_length() {
    for part in [
        "cookie:",
        "token=",
        "a=",
        "?token=",
        "eyJ.",
        "eyJaaaa.",
        "\"a\":",
        "://",
        "a:b@",
        "ghp_",
        "--token ",
        "PRIVATE KEY-----",
        "Authorization: Bearer ",
        "' ",
    ] {
        let line = part.repeat(400_000 / part.len());
        assert!(!Redactor::default().arguments(line.as_bytes()).is_empty());
    }
}

#[test]
fn bytes_that_are_no_text_are_escaped_as_ever() {
    assert_eq!(Redactor::default().arguments(b"a\0\xff\\"), "a \\xff\\\\");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn nothing_is_too_strange_and_twice_is_once(
        words in prop::collection::vec(
            prop_oneof![
                "[ -~é\\t]{0,12}",
                prop::sample::select(vec![
                    "--password", "-p", "mysql", "curl", "-u", "a:b", "Authorization:", "Bearer",
                    "x=", "token=", "?token=a&", "http://a:b@c", "\"password\":\"", "'", "\"",
                    "eyJhbGci.eyJh.x", "ghp_aaaaaaaaaaaaaaaaaaaa", "PRIVATE KEY-----", "cookie:",
                    "sudo", "PGPASSWORD=x", "***", "=", ":", "@", "://", "-u***:",
                ]).prop_map(str::to_owned),
            ],
            0..8,
        ),
        glue in prop::sample::select(vec!["", " ", "\0"]),
    ) {
        let text = words.join(glue);
        let redactor = Redactor::default();
        let once = redactor.arguments(text.as_bytes());
        let line = redactor.line(&once);
        prop_assert_eq!(redactor.line(&line), line);
    }

    #[test]
    fn a_password_never_shows(secret in "[a-zA-Z0-9!%]{8,20}") {
        for args in [
            vec!["x".to_owned(), "--password".to_owned(), secret.clone()],
            vec!["x".to_owned(), format!("--password={secret}")],
            vec!["mysql".to_owned(), format!("-p{secret}")],
            vec!["curl".to_owned(), "-u".to_owned(), format!("me:{secret}")],
            vec!["curl".to_owned(), "-H".to_owned(), format!("Authorization: Bearer {secret}")],
            vec!["x".to_owned(), format!("ftp://me:{secret}@h/")],
            vec!["x".to_owned(), format!("PGPASSWORD={secret}")],
        ] {
            let shown = Redactor::default().arguments(args.join("\0").as_bytes());
            prop_assert!(!shown.contains(&secret), "{}", shown);
            prop_assert!(shown.contains(HIDDEN), "{}", shown);
        }
    }
}
