//! Compose files as text, and what is located in them.

use crate::manifest::{Absent, Alone, Beside, Found};
use crate::source::Source;
use crate::yaml::Tree;
use std::fmt::Write;
use std::sync::Arc;

const D: &str = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

/// Files in memory, by path.
struct Files(Vec<Arc<Source>>);

impl Beside for Files {
    fn open(&self, _: &Source, path: &str) -> Result<Arc<Source>, Absent> {
        self.0.iter().find(|source| source.path() == path).cloned().ok_or(Absent::NotThere)
    }
}

fn read_as(name: &str, text: &str, beside: &dyn Beside) -> Found {
    crate::manifest::read(&Source::new(name, text), beside, &mut Tree::default())
}

/// `line:column field status written` for each image, `!line message` for what cannot be read.
fn outline(found: &Found) -> String {
    let mut out = String::new();
    for image in &found.images {
        let at = image.place.start();
        let file = if image.place.source.file_name() == "compose.yml" { "" } else { image.place.source.path() };
        let built = if image.built { "+" } else { "" };
        let field = image.field.trim_start_matches("services.");
        let written = image.written.escape_debug();
        let _ = write!(out, "{file}{}:{} {field} {}{built} {written}", at.line, at.column, image.status());
        match image.effective() {
            Some(text) if text != image.written => out.extend([" = ", text]),
            _ => {}
        }
        out.push('\n');
    }
    for problem in &found.unreadable {
        let _ = writeln!(out, "!{} {}", problem.place.start().line, problem.message);
    }
    out.replace(D, "@D")
}

fn of(text: &str) -> String {
    outline(&read_as("compose.yml", &text.replace("@D", D), &Alone))
}

#[test]
fn every_place_of_an_image_is_found() {
    for (text, expected) in [
        ("services:\n  a:\n    image: x:1\n", "3:12 a.image unpinned x:1\n"),
        ("services:\n  a:\n    image: x:1@@D\n", "3:12 a.image pinned x:1@@D\n"),
        ("services: {a: {image: \"x\"}, b: {image: 'y'}}", "1:24 a.image unpinned x\n1:41 b.image unpinned y\n"),
        ("services:\n  a:\n    image: >-\n      x:1\n", "4:7 a.image unpinned x:1\n"),
        ("services:\n  a:\n    image: |\n      x:1\n", "4:7 a.image malformed x:1\\n\n"),
        ("services:\n  a:\n    image: !!str &i x\n  b: {image: *i}\n", "3:21 a.image unpinned x\n"),
        ("services:\n  a:\n    image: \"\\x78\"\n", "3:13 a.image unpinned x\n"),
        ("services:\n  a: {image: Bad}\n", "2:14 a.image malformed Bad\n"),
        ("services:\n  a: {image: [x]}\n", "2:14 a.image unresolved \n"),
        ("services:\n  a: {image: *no}\n", "2:14 a.image unresolved \n!2 no anchor `no` stands before this alias\n"),
        ("services:\n  a: {image: }\n  b: {image: ''}\n  c:\n", ""),
        (
            "services:\n  a: {image: x}\n---\nservices:\n  a: {image: y}\n",
            "2:14 a.image unpinned x\n5:14 a.image unpinned y\n",
        ),
        ("a: {image: x}\nb: {build: .}\n", "1:12 a.image unpinned x\n2:5 b.build built+ \n"),
        (
            "services:\n  a:\n    image: x@@D\n    volumes:\n      - ./b:/c\n      - {type: image, source: y, target: /y}\n    pre_start:\n      - image: z\n",
            "3:12 a.image pinned x@@D\n6:31 a.volumes[1].source unpinned y\n8:16 a.pre_start[0].image unpinned z\n",
        ),
        (
            "services:\n  a: {image: x, volumes: [{type: image, source: b, target: /b}]}\n  b: {build: .}\n",
            "2:14 a.image unpinned x\n3:7 b.build built+ \n",
        ),
        ("services:\n  a: !override {image: !reset x, build: .}\n", "2:31 a.image unpinned+ x\n"),
    ] {
        assert_eq!(of(text), expected, "{text}");
    }
}

#[test]
fn merge_keys_and_tags_are_followed_as_compose_does() {
    for (text, expected) in [
        (
            "x-a: &a {image: x}\nx-b: {image: no}\nservices:\n  b: {<<: *a}\n  c: {<<: *a}\n",
            "1:17 b.image unpinned x\n",
        ),
        ("x-a: &a {image: x}\nservices:\n  b: {<<: *a, image: y}\n", "3:22 b.image unpinned y\n"),
        ("x-a: &a {image: x}\nservices:\n  b: {image: y, <<: *a}\n", "3:14 b.image unpinned y\n"),
        ("x: &a {image: x}\ny: &b {image: y}\nservices:\n  b: {<<: [*b, *a]}\n", "2:15 b.image unpinned y\n"),
        ("x-a: &a {image: x}\nx-b: &b {<<: *a}\nservices:\n  b: {<<: *b}\n", "1:17 b.image unpinned x\n"),
        ("<<: {services: {z: {image: x}}}\n", "1:28 z.image unpinned x\n"),
        ("services:\n  <<: {z: {image: x}}\n  a: {image: y}\n", "2:19 z.image unpinned x\n3:14 a.image unpinned y\n"),
        ("services:\n  a: {\"<<\": {image: z}}\n", ""),
        ("services:\n  a: {!!merge <<: {image: z}}\n", "2:27 a.image unpinned z\n"),
        (
            "services:\n  a: {<<: 1, image: z}\n",
            "2:21 a.image unpinned z\n!2 `<<` needs a mapping or a list of mappings\n",
        ),
        ("services:\n  a: {image: y, image: z}\n", "2:14 a.image unpinned y\n!2 the key `image` stands twice\n"),
        ("services:\n  a: &a {image: x, <<: *a}\n", "2:17 a.image unpinned x\n"),
        ("x-a: &a {image: x}\nservices:\n  b: {<<: *a, image: !reset null, build: .}\n", "1:17 b.image unpinned+ x\n"),
        ("services:\n  a: !reset {image: x}\n  b: {image: !override y}\n", "3:24 b.image unpinned y\n"),
        ("services:\n  a: {image: x, build: !reset null}\n", "2:14 a.image unpinned x\n"),
        ("services:\n  a: {image: !reset x, build: .}\n", "2:24 a.build built+ \n"),
    ] {
        assert_eq!(of(text), expected, "{text}");
    }
}

#[test]
fn a_build_is_told_from_a_pull() {
    for (text, expected) in [
        ("services:\n  a: {build: .}\n", "2:7 a.build built+ \n"),
        ("services:\n  a: {image: x, build: .}\n", "2:14 a.image unpinned+ x\n"),
        ("services:\n  a: {image: x, build: }\n", "2:14 a.image unpinned x\n"),
        ("services:\n  a: {image: x, build: ., pull_policy: build}\n", "2:14 a.image built+ x\n"),
        ("services:\n  a: {image: x, pull_policy: build}\n", "2:14 a.image unpinned x\n"),
        (
            "services:\n  a: {image: x, build: .}\n  b: {image: x, pull_policy: never}\n",
            "2:14 a.image unpinned+ x\n3:14 b.image unpinned x\n",
        ),
        (
            "services:\n  a:\n    build:\n      context: .\n      additional_contexts: {b: \"docker-image://x\", c: ./d}\n      cache_from: [n]\n",
            "3:5 a.build built+ \n5:48 a.build.additional_contexts.b unpinned x\n",
        ),
        (
            "services:\n  a:\n    build:\n      additional_contexts:\n        - b=docker-image://x\n",
            "3:5 a.build built+ \n5:28 a.build.additional_contexts.b unpinned x\n",
        ),
    ] {
        assert_eq!(of(text), expected, "{text}");
    }
}

#[test]
fn variables_are_decided_by_committed_text_alone() {
    for (text, expected) in [
        ("services: {a: {image: '${A}'}}", "1:24 a.image unresolved ${A}\n"),
        ("services: {a: {image: '${A:-x}'}}", "1:24 a.image unpinned ${A:-x} = x\n"),
        ("services: {a: {image: '${A:-x@@D}'}}", "1:24 a.image pinned ${A:-x@@D} = x@@D\n"),
        (
            "services: {a: {image: '${COMPOSE_PROJECT_NAME:-x}'}}",
            "1:24 a.image unresolved ${COMPOSE_PROJECT_NAME:-x}\n",
        ),
        ("services: {a: {image: '${A:-}'}}", "1:24 a.image unresolved ${A:-}\n"),
        ("services: {a: {image: 'x$$'}}", "1:24 a.image malformed x$$ = x$\n"),
        ("services: {a: {image: '${PATH}${HOME}'}}", "1:24 a.image unresolved ${PATH}${HOME}\n"),
    ] {
        assert_eq!(of(text), expected, "{text}");
    }
    let files = Files(vec![Source::new(".env", "A=1\nIMAGE=x:$A\n")]);
    let found = read_as("compose.yml", "services: {a: {image: $IMAGE}}", &files);
    assert_eq!(outline(&found), "1:23 a.image unpinned $IMAGE = x:1\n");
    let related = &found.images[0].related;
    assert_eq!((related[0].place.start().line, related[0].message.as_str()), (2, "`IMAGE` is set here"));
    assert!(found.images[0].variable);
}

#[test]
fn extended_services_give_their_image() {
    for (text, expected) in [
        ("services:\n  a: {image: x}\n  b: {extends: a}\n", "2:14 a.image unpinned x\n"),
        ("services:\n  b: {extends: {service: a}}\n  a: {build: .}\n", "3:7 b.build built+ \n"),
        (
            "services:\n  a: {build: .}\n  b: {extends: a, image: y}\n",
            "2:7 a.build built+ \n3:26 b.image unpinned+ y\n",
        ),
        (
            "services:\n  a: {image: x}\n  b: {extends: a, image: !reset null, build: .}\n",
            "2:14 a.image unpinned x\n3:39 b.build built+ \n",
        ),
        ("services:\n  a: {extends: b}\n  b: {extends: a}\n", "3:16 a.extends unresolved a\n"),
        ("services:\n  a: {extends: no}\n", "2:16 a.extends unresolved no\n"),
        ("services:\n  a: {extends: {file: no.yml, service: a}}\n", "2:40 a.extends unresolved a\n"),
        ("services:\n  a: {image: x, extends: {file: no.yml, service: a}}\n", "2:14 a.image unpinned x\n"),
    ] {
        assert_eq!(of(text), expected, "{text}");
    }
    let files = Files(vec![Source::new("base.yml", "services:\n  a: {image: z}\n")]);
    let found = read_as("compose.yml", "services: {w: {extends: {file: base.yml, service: a}}}", &files);
    assert_eq!(outline(&found), "base.yml2:14 w.image unpinned z\n");
}

#[test]
fn only_compose_is_claimed() {
    for (name, text, claimed) in [
        ("a.yml", "services: {a: {image: x}}", true),
        ("a.yml", "services: {a: {environment: {}}}", false),
        ("compose.prod.yml", "services: {a: {environment: {}}}", true),
        ("compose.yml", "include: [a.yml]", true),
        ("compose.yml", "x-a: {image: x}", true),
        ("a.yml", "x-a: {image: x}", false),
        (
            "services.yaml",
            "services:\n  _defaults: {autowire: true}\n  App\\Foo: {class: App\\Foo}\n  App\\Bar: '@x'",
            false,
        ),
        (".gitlab-ci.yml", "services: [postgres]\nimage: x", false),
        ("render.yaml", "services: [{type: web, name: x, image: {url: y}}]", false),
        (".woodpecker.yml", "services: {db: {image: x}}\nsteps: {a: {image: y}}", false),
        ("a.yml", "apiVersion: v1\nkind: X\nservices: {a: {image: x}}", false),
        ("a.yml", "a: {image: x}", false),
        ("docker-compose.yml", "a: {image: x}", true),
        ("docker-compose.yml", "- a", false),
    ] {
        let found = read_as(name, text, &Alone);
        assert!(found.is_manifest || !claimed, "{name}: {text}");
        let mut kinds = found.images.iter().map(|image| image.kind);
        assert!(kinds.all(|kind| claimed == (kind == "compose")), "{name}: {text}");
    }
}

#[test]
fn hostile_documents_are_bounded() {
    let mut bomb = "x-0: &a0 {image: x}\n".to_owned();
    for i in 1..1000 {
        let _ = writeln!(bomb, "x-{i}: &a{i} {{k{i}: 1, <<: [*a{p}, *a{p}]}}", p = i - 1);
    }
    bomb += "services:\n";
    for i in 0..1000 {
        let _ = writeln!(bomb, "  s{i}: *a999");
    }
    let found = read_as("compose.yml", &bomb, &Alone);
    assert_eq!(found.unreadable.len(), 1, "{:?}", found.unreadable);
    let volumes = "        - v:/v\n".repeat(2000);
    let mut many = format!("x-a: &a\n    image: x\n    volumes: &v\n{volumes}services:\n");
    for i in 0..2000 {
        let _ = writeln!(many, "  s{i}: *a");
    }
    assert_eq!(read_as("compose.yml", &many, &Alone).images.len(), 1);
    let mut chain = "services:\n  s0: {image: x}\n".to_owned();
    for i in (1..200).rev() {
        let _ = writeln!(chain, "  s{i}: {{extends: s{}}}", i - 1);
    }
    assert!(!read_as("compose.yml", &chain, &Alone).images.is_empty());
}

mod any_text {
    use super::*;
    use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

    #[test]
    fn never_panics() {
        let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[7; 32]);
        let mut runner = TestRunner::new_with_rng(Config { failure_persistence: None, ..Config::default() }, rng);
        let texts = proptest::string::string_regex("([$\\{}:?+A-]|\\PC|\n){0,40}").unwrap();
        let test = |text: String| {
            let env = Files(vec![Source::new(".env", format!("A={text}\nB=\"{text}\"\n{text}"))]);
            let quoted = text.replace('\'', "''");
            read_as("compose.yml", &format!("services: {{a: {{image: '{quoted}${{A:-$B}}'}}}}"), &env);
            read_as("compose.yml", &format!("services:\n  a: {text}\n  b: {{<<: *a, image: {text}}}"), &env);
            Ok(())
        };
        runner.run(&texts, test).unwrap();
    }
}
