//! What is found in whole files.

use std::fmt::Write as _;

use super::super::{Alone, Found, read as read_manifest};
use super::*;
use crate::yaml::Tree;

const HEX: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

fn read_as(name: &str, text: &str) -> Found {
    read_manifest(&Source::new(name, text), &Alone, &mut Tree::default())
}

/// The digest is written `@D` in the tables.
fn full(text: &str) -> String {
    text.replace("@D", &format!("@sha256:{HEX}"))
}

/// `line:column field written status effective`, a line each.
fn outline(text: &str) -> Vec<String> {
    let found = read_as("Dockerfile", &full(text));
    let mut lines: Vec<_> = found.images.iter().map(describe).collect();
    lines.extend(found.unreadable.iter().map(|one| {
        let at = one.place.start();
        format!("{}:{} unreadable", at.line, at.column)
    }));
    lines.iter().map(|line| line.replace(&format!("@sha256:{HEX}"), "@D")).collect()
}

fn describe(image: &LocatedImage) -> String {
    let at = image.place.start();
    let mut line = format!("{}:{} {} {} {}", at.line, at.column, image.field, image.written, image.status());
    if let Some(effective) = image.effective().filter(|&text| text != image.written) {
        let _ = write!(line, " {effective}");
    }
    line
}

#[track_caller]
fn check(table: &[(&str, &[&str])]) {
    for (text, expected) in table {
        assert_eq!(outline(text), *expected, "{text:?}");
    }
}

#[test]
fn base_images() {
    check(&[
        ("FROM nginx:1", &["1:6 FROM nginx:1 unpinned"]),
        ("FROM nginx@D", &["1:6 FROM nginx@D pinned"]),
        ("from nginx@D as X\nFROM x\nFrom X", &["1:6 FROM nginx@D pinned", "2:6 FROM x local", "3:6 FROM X local"]),
        ("FROM --platform=linux/amd64 a:1 AS b", &["1:29 FROM a:1 unpinned"]),
        ("FROM --platform=\"$BUILDPLATFORM\" --x a:1", &["1:38 FROM a:1 unpinned"]),
        ("FROM scratch\nFROM SCRATCH", &["1:6 FROM scratch local", "2:6 FROM SCRATCH local"]),
        ("FROM a AS a\nFROM a", &["1:6 FROM a unpinned", "2:6 FROM a local"]),
        ("FROM b\nFROM x AS b", &["1:6 FROM b unpinned", "2:6 FROM x unpinned"]),
        ("  \tFROM\ta@D\t \n", &["1:9 FROM a@D pinned"]),
        (
            "FROM \"a@D\"\nFROM 'b'\nFROM c\"d\"",
            &["1:7 FROM a@D pinned", "2:7 FROM b unpinned", "3:6 FROM cd unpinned"],
        ),
        ("\u{feff}FROM a\r\nFROM b\r\n", &["1:6 FROM a unpinned", "2:6 FROM b unpinned"]),
        ("FROM a\rFROM b@D\r", &["1:6 FROM a unpinned", "2:6 FROM b@D pinned"]),
        ("FROM --x=é😀 a@D", &["1:13 FROM a@D pinned"]),
        ("FROM a@sha256:abc", &["1:6 FROM a@sha256:abc malformed"]),
        ("FROM a@D0", &["1:6 FROM a@D0 malformed"]),
        ("FROM A:1", &["1:6 FROM A:1 malformed"]),
        ("FROM ''", &["1:7 FROM  malformed"]),
        ("FROM {{ .Image }}@D AS x", &["1:6 FROM {{ .Image }}@D unresolved"]),
        ("FROM a@D AS {{ .x y }}", &["1:6 FROM a@D pinned"]),
        ("FROM <%= x %>:1", &["1:6 FROM <%= x %>:1 unresolved"]),
        ("FROM {{a", &["1:6 FROM {{a unresolved"]),
    ]);
}

#[test]
fn what_buildkit_refuses_is_unreadable() {
    check(&[
        ("", &["1:1 unreadable"]),
        ("# only a comment\n", &["1:1 unreadable"]),
        ("RUN x", &["1:1 unreadable"]),
        ("FROM", &["1:1 unreadable"]),
        ("FROM a AS", &["1:6 FROM a unpinned", "1:6 unreadable"]),
        ("FROM a AS 1", &["1:6 FROM a unpinned", "1:6 unreadable"]),
        ("FROM e AS a:1\nFROM a:1", &["1:6 FROM e unpinned", "2:6 FROM a:1 unpinned", "1:6 unreadable"]),
        ("FROM a\n FROMM b\nRUN c", &["1:6 FROM a unpinned", "2:2 unreadable"]),
        ("FROM\u{a0}a\nFROM b", &["2:6 FROM b unpinned", "1:1 unreadable"]),
        ("# escape=x\nFROM a", &["2:6 FROM a unpinned", "1:10 unreadable"]),
        ("# escape=`\n#escape=`\nFROM a", &["3:6 FROM a unpinned", "2:9 unreadable"]),
        ("FROM a\nONBUILD FROM b", &["1:6 FROM a unpinned", "2:9 unreadable"]),
        ("FROM a\nONBUILD ONBUILD RUN x", &["1:6 FROM a unpinned", "2:9 unreadable"]),
        ("FROM a\nRUN <<E\nFROM b", &["1:6 FROM a unpinned", "2:1 unreadable"]),
        ("FROM a\nRUN --mount=from=\\\"b x", &["1:6 FROM a unpinned", "2:5 unreadable"]),
    ]);
}

#[test]
fn arguments_above_the_first_from_are_filled_in() {
    check(&[
        ("ARG V=1\nFROM a:$V", &["2:6 FROM a:$V unpinned a:1"]),
        ("ARG A=a B=b@D\nFROM ${B}", &["2:6 FROM ${B} pinned b@D"]),
        ("ARG A=a\nARG A=b\nARG A\nFROM $A", &["4:6 FROM $A unpinned b"]),
        ("ARG A=\"a\" B='$A'\nFROM $A\nFROM $B", &["2:6 FROM $A unpinned a", "3:6 FROM $B malformed $A"]),
        ("ARG A=a\nARG B=${A}:1\nFROM \"$B\"@D", &["3:6 FROM \"$B\"@D pinned a:1@D"]),
        ("ARG A=$A\nFROM $A", &["2:6 FROM $A unresolved"]),
        ("ARG A\nFROM $A", &["2:6 FROM $A unresolved"]),
        ("FROM $A", &["1:6 FROM $A unresolved"]),
        ("FROM a\nARG B=b\nFROM $B", &["1:6 FROM a unpinned", "3:6 FROM $B unresolved"]),
        ("ARG A\nARG B=$A\nFROM ${B-img@D}", &["3:6 FROM ${B-img@D} unresolved"]),
        ("ARG A\nFROM ${A-img@D}", &["2:6 FROM ${A-img@D} pinned img@D"]),
        ("ARG A=\nFROM ${A:-b@D}\nFROM ${A-b@D}", &["2:6 FROM ${A:-b@D} pinned b@D", "3:6 FROM ${A-b@D} malformed "]),
        ("ARG A=1\nFROM a${A:+:2}", &["2:6 FROM a${A:+:2} unpinned a:2"]),
        ("ARG A=b\nFROM ${A:?x}\nFROM ${C:?x}", &["2:6 FROM ${A:?x} unpinned b", "3:6 FROM ${C:?x} unresolved"]),
        ("FROM a:$TARGETARCH", &["1:6 FROM a:$TARGETARCH unresolved"]),
        ("ARG TARGETARCH\nFROM a:$TARGETARCH", &["2:6 FROM a:$TARGETARCH unresolved"]),
        ("ARG TARGETARCH=arm\nFROM a:$TARGETARCH", &["2:6 FROM a:$TARGETARCH unpinned a:arm"]),
        ("ARG S=b\nFROM a AS b\nFROM $S", &["2:6 FROM a unpinned", "3:6 FROM $S local"]),
        ("ARG --x A=a\nFROM $A", &["2:6 FROM $A unpinned a"]),
        ("ARG A=${B:-x y}\nFROM $A", &["2:6 FROM $A unresolved"]),
        ("FROM ${A:-x y}", &["1:6 FROM ${A:-x unresolved", "1:6 unreadable"]),
    ]);
    let found = read_as("Dockerfile", "ARG A=a\nARG B=b\nFROM $A:$B$A");
    let image = found.images.first().unwrap();
    assert!(image.variable);
    let related: Vec<_> = image.related.iter().map(|related| related.place.text()).collect();
    assert_eq!(related, ["A=a", "B=b"]);
}

#[test]
fn images_that_files_come_from() {
    check(&[
        (
            "FROM a AS b\nFROM c\nCOPY --from=B x y",
            &["1:6 FROM a unpinned", "2:6 FROM c unpinned", "3:13 COPY --from B local"],
        ),
        ("FROM a\nCOPY --link --from=\"x@D\" y z", &["1:6 FROM a unpinned", "2:21 COPY --from x@D pinned"]),
        (
            "FROM a\nCOPY --from=0 x y\nCOPY --from=99999999999999999999 x y",
            &["1:6 FROM a unpinned", "2:13 COPY --from 0 local", "3:13 COPY --from 99999999999999999999 unpinned"],
        ),
        ("FROM a\nCOPY --from=$X y z", &["1:6 FROM a unpinned", "2:13 COPY --from $X unresolved"]),
        ("FROM a\nCOPY --from=x:1 y z\nADD --from=y a b", &["1:6 FROM a unpinned", "2:13 COPY --from x:1 unpinned"]),
        ("FROM a\nCOPY --chown=x -- --from=y z", &["1:6 FROM a unpinned"]),
        (
            "FROM a\nCOPY --from=scratch y z\nCOPY --from= y z",
            &["1:6 FROM a unpinned", "2:13 COPY --from scratch local"],
        ),
        ("FROM a AS b\nCOPY --from=b x y", &["1:6 FROM a unpinned", "2:13 unreadable"]),
        ("FROM a\nCOPY --from=c x y\nFROM b AS c", &["1:6 FROM a unpinned", "3:6 FROM b unpinned", "2:13 unreadable"]),
        ("FROM a\nONBUILD COPY --from=b:1 x y", &["1:6 FROM a unpinned", "2:21 COPY --from b:1 unpinned"]),
        ("FROM a\nONBUILD -- COPY --from=b:1 x y", &["1:6 FROM a unpinned", "2:24 COPY --from b:1 unpinned"]),
        ("FROM a AS b\nONBUILD COPY --from=b x y", &["1:6 FROM a unpinned", "2:21 COPY --from b local"]),
    ]);
}

#[test]
fn images_that_are_mounted() {
    check(&[
        (
            "FROM a\nRUN --mount=type=bind,from=b:1,target=/x --mount=from=c@D,target=/y z",
            &["1:6 FROM a unpinned", "2:28 RUN --mount from b:1 unpinned", "2:55 RUN --mount from c@D pinned"],
        ),
        (
            "FROM a AS b\nFROM c\nRUN --mount=target=/x,from=b --network=none z",
            &["1:6 FROM a unpinned", "2:6 FROM c unpinned", "3:28 RUN --mount from b local"],
        ),
        ("FROM a\nRUN --mount='type=bind,\"from=b\"' z", &["1:6 FROM a unpinned", "2:30 RUN --mount from b unpinned"]),
        (
            "FROM a\nRUN --mount=from=0 x\nRUN --mount=from=7 x",
            &["1:6 FROM a unpinned", "2:18 RUN --mount from 0 local", "3:18 RUN --mount from 7 unpinned"],
        ),
        ("FROM a\nRUN --mount=type=cache,target=/x y --mount=from=z", &["1:6 FROM a unpinned"]),
        ("FROM a\nONBUILD RUN --mount=from=b x", &["1:6 FROM a unpinned", "2:26 RUN --mount from b unpinned"]),
        ("FROM a\nRUN --mount=from=$b x", &["1:6 FROM a unpinned", "2:18 RUN --mount from $b unresolved"]),
        ("FROM a\nRUN --mount=from=b\\\n:1 x", &["1:6 FROM a unpinned", "2:18 RUN --mount from b:1 unpinned"]),
    ]);
}

#[test]
fn frontends() {
    check(&[
        ("# syntax=docker/dockerfile:1\nFROM a", &["1:10 syntax docker/dockerfile:1 unpinned", "2:6 FROM a unpinned"]),
        ("# c\n# syntax=x\nFROM a", &["3:6 FROM a unpinned"]),
        ("//syntax=x:1\nFROM a", &["1:10 syntax x:1 unpinned", "2:6 FROM a unpinned"]),
        ("{\"syntax\": \"x@D\"}", &["1:13 syntax x@D pinned", "1:1 unreadable"]),
    ]);
}

#[test]
fn lines_that_go_on() {
    check(&[
        ("FROM \\\n  a@D \\ \t\n  AS b", &["2:3 FROM a@D pinned"]),
        ("FROM ng\\\ninx:1", &["1:6 FROM nginx:1 unpinned"]),
        ("FROM a \\\n# c\n\n  # d \\\n AS b\nFROM b", &["1:6 FROM a unpinned", "6:6 FROM b local"]),
        ("# escape=`\nFROM a\nRUN x `\n FROM b\nRUN y\\\nFROM c", &["2:6 FROM a unpinned", "6:6 FROM c unpinned"]),
        ("FROM a\nRUN x \\\\\nFROM b", &["1:6 FROM a unpinned", "3:6 FROM b unpinned"]),
        ("FROM a\nRUN x \\\r\n FROM b\r\nFROM c", &["1:6 FROM a unpinned", "4:6 FROM c unpinned"]),
        (
            "FROM a\nRUN <<E cat \\\n && x\nFROM b\nE\nCOPY <<-'X' <<Y /z\nFROM c\n\tX\nFROM d\nY\nFROM e",
            &["1:6 FROM a unpinned", "11:6 FROM e unpinned"],
        ),
        ("FROM a\nONBUILD RUN <<E\nFROM b\nE\nFROM c", &["1:6 FROM a unpinned", "5:6 FROM c unpinned"]),
        ("FROM a\nCMD <<E\nFROM b", &["1:6 FROM a unpinned", "3:6 FROM b unpinned"]),
    ]);
}

#[test]
fn files_are_told_by_name_and_content() {
    for name in [
        "Dockerfile",
        "dockerfile",
        "Containerfile.prod",
        "app.Dockerfile",
        "Dockerfile-alpine",
        "base_dockerfile",
        "DOCKERFILE.j2",
        "Dockerfile2",
        "x/Containerfile",
    ] {
        assert!(read_as(name, "FROM a").is_manifest, "{name}");
    }
    for name in ["Dockerfile.dockerignore", "Dockerfile.md", "dockerfile.yml", "Dockerfile.json"] {
        assert!(!claims(name), "{name}");
    }
    for (name, text) in [
        ("dockerfile_lint.py", "from a import b\n"),
        ("dockerfile_lint.py", "import a\nfrom a import b\nx = '''\nFROM c\n'''"),
        ("dockerfile.go", "package x\n// y\nfrom the start"),
        ("Dockerfile.txt", "A Dockerfile begins so:\n\nFROM here on"),
        ("my-dockerfile.sh", "echo FROM a > Dockerfile"),
    ] {
        let found = read_as(name, text);
        assert!(!found.is_manifest && found.images.is_empty() && found.unreadable.is_empty(), "{name}");
    }
    let template =
        read_as("Dockerfile-linux.template", "{{ if x then ( -}}\nFROM alpine:{{ v | trim(\"a b\") }}\n{{ ) }}");
    assert_eq!((template.images.len(), template.unreadable.len()), (1, 1));
    let fragment = read_as("Dockerfile.common", "RUN x\nCOPY --from=y:1 a b");
    assert_eq!((fragment.images.len(), fragment.unreadable.len()), (1, 0));
    assert!(looks_like("# c\nARG A=1\nfrom a:$A as b"));
    assert!(!looks_like("from a import b") && !looks_like("RUN x\nFROM a") && !looks_like(""));
}

#[test]
fn hostile_files_take_their_size() {
    let long = format!("FROM a\nRUN --mount=from={}\nFROM {}", "x".repeat(10 << 20), "$A".repeat(1 << 20));
    assert_eq!(read_as("Dockerfile", &long).images.len(), 3);
    let marks = format!("FROM {} x", "{{}}".repeat(1 << 20));
    assert_eq!(read_as("Dockerfile", &marks).images.len(), 1);
    let mut doubling = format!("ARG A0={}\n", "a".repeat(1000));
    for i in 1..=100_000 {
        let _ = writeln!(doubling, "ARG A{i}=$A{}", i - 1);
    }
    doubling.push_str("FROM $A100000");
    let found = read_as("Dockerfile", &doubling);
    assert_eq!(found.images.first().map(LocatedImage::status), Some("unresolved"));
    let stage = format!("FROM a AS {}\n{}", "b".repeat(1 << 20), "COPY --from=c d e\n".repeat(1000));
    let found = read_as("Dockerfile", &stage);
    assert_eq!(found.images.len(), 1001);
    assert!(found.images.iter().all(|image| image.resource.as_ref().is_some_and(|name| name.len() < 300)));
    let heredocs = "FROM a\nRUN <<E\n".repeat(100_000);
    assert_eq!(read_as("Dockerfile", &heredocs).unreadable.len(), 1);
}

mod any_text {
    use super::*;
    use proptest::prelude::*;
    use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

    fn runner() -> TestRunner {
        let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[7; 32]);
        TestRunner::new_with_rng(Config { failure_persistence: None, ..Config::default() }, rng)
    }

    #[test]
    fn never_panics() {
        let part = "([$\\{}:/%#?+<\"'` \t\r\n\\\\=,-]|à|\u{a0}|\u{feff}|<<-?E|FROM |ARG A=|COPY --from=|RUN --mount=from=|ONBUILD |AS |\\$\\{A|[A-F]|\\PC){0,40}";
        let texts = proptest::string::string_regex(part).unwrap();
        let test = |text: String| {
            for text in
                [text.clone(), format!("FROM {text}"), format!("ARG A={text}\nFROM $A"), format!("RUN <<{text}\nE")]
            {
                let found = read_as("Dockerfile", &text);
                for image in &found.images {
                    prop_assert!(image.place.span.end as usize <= text.len());
                }
            }
            Ok(())
        };
        runner().run(&texts, test).unwrap();
    }

    #[test]
    fn spans_hold_what_is_written() {
        let texts = ("[ \t]{0,3}", "[a-z0-9é][a-z0-9./:@é-]{0,40}", "[ \t]{0,3}");
        let test = |(before, image, after): (String, String, String)| {
            let text = format!("FROM x\n{before}FROM {image}{after}\nCOPY {before}--from={image} a b");
            let source = Source::new("Dockerfile", text.as_str());
            let mut found = Found::default();
            prop_assert!(read(&source, &mut found));
            prop_assert_eq!(found.images.len(), 3);
            for image in &found.images {
                prop_assert_eq!(image.place.text(), image.written.as_str());
            }
            Ok(())
        };
        runner().run(&texts, test).unwrap();
    }
}
