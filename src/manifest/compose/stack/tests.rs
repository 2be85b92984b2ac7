//! Stacks as text, and the lines that decide their images.

use std::fmt::Write;
use std::sync::Arc;

use super::{Stack, read};
use crate::manifest::{Absent, Beside, Found};
use crate::source::Source;

const D: &str = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

/// Files in memory, by path.
struct Files(Vec<Arc<Source>>);

impl Beside for Files {
    fn open(&self, _: &Source, path: &str) -> Result<Arc<Source>, Absent> {
        match path {
            "folder" => Err(Absent::Folder),
            "big.yml" => Err(Absent::Unreadable("it is too large".to_owned())),
            _ => self.0.iter().find(|source| source.path() == path).cloned().ok_or(Absent::NotThere),
        }
    }
}

/// Reads the files named `1.yml`, `2.yml`, … of `files` (each behind `=== path`) as a stack of all profiles.
fn stack(files: &str) -> Found {
    let text = files.replace("@D", D);
    let files = text.split("=== ").skip(1).map(|file| {
        let (path, text) = file.split_once('\n').unwrap_or((file, ""));
        Source::new(path, text)
    });
    let files = Files(files.collect());
    let is_named = |source: &&Arc<Source>| source.path().starts_with(|c: char| c.is_ascii_digit());
    let named: Vec<_> = files.0.iter().filter(is_named).cloned().collect();
    read(&Stack { files: &named, env_files: &[], profiles: None }, &files)
}

/// `file:line:column field status effective` for each image with its related lines, `!file:line message` for what
/// cannot be read.
fn outline(found: &Found) -> String {
    let mut out = String::new();
    for image in &found.images {
        let at = image.place.start();
        let (path, field, status) =
            (image.place.source.path(), image.field.trim_start_matches("services."), image.status());
        let effective = image.effective().unwrap_or_default();
        let _ = write!(out, "{path}:{}:{} {field} {status} {effective}", at.line, at.column);
        for related in &image.related {
            let _ =
                write!(out, " <{}:{} {}>", related.place.source.path(), related.place.start().line, related.message);
        }
        out.push('\n');
    }
    for problem in &found.unreadable {
        let _ = writeln!(out, "!{}:{} {}", problem.place.source.path(), problem.place.start().line, problem.message);
    }
    out.replace(D, "@D")
}

#[test]
fn each_image_stands_at_the_line_that_decided_it() {
    for (files, expected) in [
        (
            "=== 1.yml\nservices:\n  a: {image: x}\n  b: {image: y}\n=== 2.yml\nservices:\n  a:\n    image: z@@D\n",
            "1.yml:3:14 b.image unpinned y <2.yml:1 set `services.b.image` in this file>\n2.yml:3:12 a.image pinned z@@D <1.yml:2 declared here>\n",
        ),
        (
            "=== 1.yml\nservices:\n  a: {image: x}\n=== 2.yml\nservices:\n\n  a:\n    restart: always\n",
            "1.yml:2:14 a.image unpinned x <2.yml:3 set `services.a.image` in this file>\n",
        ),
        (
            "=== 1.yml\nservices:\n  a: {build: ., image: x@@D}\n=== 2.yml\nservices:\n  a: {image: !reset null}\n",
            "1.yml:2:7 a.build built \n",
        ),
        (
            "=== 1.yml\nservices: {a: {extends: {file: base.yml, service: b}}}\n=== base.yml\nservices:\n  b:\n    image: x\n",
            "base.yml:3:12 a.image unpinned x\n",
        ),
        (
            "=== 1.yml\ninclude: [sub/i.yml]\n=== sub/i.yml\nservices:\n  i: {image: $V}\n=== sub/.env\nV=x@@D\n",
            "sub/i.yml:2:14 i.image pinned x@@D <sub/.env:1 `V` is set here>\n",
        ),
        (
            "=== 1.yml\nservices:\n  a: {image: $V}\n=== 2.yml\nservices: {}\n=== .env\nV=x\n",
            "1.yml:2:14 a.image unpinned x <.env:1 `V` is set here> <2.yml:1 set `services.a.image` in this file>\n",
        ),
        (
            "=== 1.yml\nx-a: &a {image: x}\nservices: {a: *a, b: {<<: *a, build: .}}\n",
            "1.yml:1:17 a.image unpinned x\n",
        ),
        (
            "=== 1.yml\nservices:\n  a:\n    image: x@@D\n    build: {additional_contexts: ['n=docker-image://y']}\n    volumes:\n    - {type: image, source: b, target: /b}\n    - {type: image, source: c, target: /c}\n    pre_start: [{image: p}]\n  b: {build: .}\n",
            "1.yml:3:12 a.image pinned x@@D\n1.yml:4:53 a.build.additional_contexts.n unpinned y\n1.yml:7:29 a.volumes[1].source unpinned c\n1.yml:8:25 a.pre_start[0].image unpinned p\n1.yml:9:7 b.build built \n",
        ),
        ("=== 1.yml\nservices:\n  a: {image: x, profiles: [debug]}\n", "1.yml:2:14 a.image unpinned x\n"),
        ("=== 1.yml\nservices: {a: {provider: {type: x}}}\n", ""),
    ] {
        assert_eq!(outline(&stack(files)), expected, "{files}");
    }
}

#[test]
fn what_compose_would_refuse_is_never_passed_over() {
    for (files, expected) in [
        (
            "=== 1.yml\nservices: {a: {restart: always}}\n",
            "!1.yml:1 the service `a` has neither an image nor a build in this stack\n",
        ),
        (
            "=== 1.yml\ninclude: ['https://x.io/c.yml']\n",
            "!1.yml:1 `https://x.io/c.yml` is fetched when it is deployed: what it deploys cannot be told\n",
        ),
        (
            "=== 1.yml\ninclude: ['oci://x.io/c']\n",
            "!1.yml:1 `oci://x.io/c` is fetched when it is deployed: what it deploys cannot be told\n",
        ),
        (
            "=== 1.yml\ninclude:\n- git@x.io:c\n",
            "!1.yml:2 `git@x.io:c` is fetched when it is deployed: what it deploys cannot be told\n",
        ),
        (
            "=== 1.yml\ninclude: [no.yml, folder, big.yml, $V]\n",
            "!1.yml:1 `no.yml` is not there\n!1.yml:1 `folder` is a folder\n!1.yml:1 `big.yml` cannot be read: it is too large\n!1.yml:1 which file this names cannot be told: the variable `V` has neither a default nor a committed value\n",
        ),
        (
            "=== 1.yml\ninclude: [{path: i.yml, env_file: no.env}]\n=== i.yml\nservices: {i: {image: x}}\n",
            "!1.yml:1 `no.env` is not there\n",
        ),
        (
            "=== 1.yml\ninclude: [i.yml]\n=== i.yml\ninclude: [1.yml]\nservices: {}\n",
            "!i.yml:1 `1.yml` includes `i.yml` includes `1.yml`: a cycle\n",
        ),
        (
            "=== 1.yml\nservices:\n  a: {extends: b}\n  b: {extends: a}\n",
            "!1.yml:2 a cycle: `a` in `1.yml` extends `b` in `1.yml` extends `a` in `1.yml`\n",
        ),
        ("=== 1.yml\nservices: {a: {extends: {file: no.yml, service: b}}}\n", "!1.yml:1 `no.yml` is not there\n"),
        ("=== 1.yml\nservices: {a: {image: x\n", "!1.yml:1 unclosed bracket '{'\n"),
        (
            "=== 1.yml\ninclude: [i.yml]\nservices: {a: {image: x}}\n=== i.yml\nservices: {a: {image: y}}\n",
            "1.yml:2:23 a.image unpinned x\n!1.yml:2 the service `a` is also declared in `i.yml`, which is included\n",
        ),
        ("=== 1.yml\nservices: {a: {image: '${V}'}}\n", "1.yml:1:24 a.image unresolved \n"),
    ] {
        assert_eq!(outline(&stack(files)), expected, "{files}");
    }
}

#[test]
fn what_releases_read_in_different_ways_is_refused() {
    for files in [
        "=== 1.yml\nservices:\n  a: {image: x}\n  b: {extends: a, image: !reset null, build: .}\n  c: {extends: b}\n",
        "=== 1.yml\nservices: {a: {extends: {file: f.yml, service: a}}}\n=== f.yml\nservices: {a: {image: !override x}}\n",
    ] {
        assert!(outline(&stack(files)).contains("releases of Compose disagree"), "{files}");
    }
    let said = "=== 1.yml\nservices: {a: {extends: {file: f.yml, service: a}, image: y}}\n=== f.yml\nservices: {a: {image: !override x}}\n";
    assert!(stack(said).unreadable.is_empty());
}

#[test]
fn hostile_stacks_are_bounded() {
    let mut include = "=== 1.yml\ninclude: [n0, n0]\n".to_owned();
    for i in 0..40 {
        let _ = writeln!(include, "=== n{i}\ninclude: [n{next}, n{next}]", next = i + 1);
    }
    assert!(!stack(&include).unreadable.is_empty());
    let mut chain = "=== 1.yml\nservices:\n  s0: {image: x}\n".to_owned();
    for i in 1..3000 {
        let _ = writeln!(chain, "  s{i}: {{extends: s{}}}", i - 1);
    }
    assert!(!stack(&chain).unreadable.is_empty());
    let mut wide = "=== 1.yml\nservices:\n  a:\n    image: x\n    volumes:\n".to_owned();
    for i in 0..2000 {
        let _ = writeln!(wide, "    - v:/{i}");
    }
    for i in 0..2000 {
        let _ = writeln!(wide, "  s{i}: {{extends: a}}");
    }
    assert!(!stack(&wide).unreadable.is_empty());
    let documents = "---\nservices: {a: {image: x}}\n".repeat(2000);
    assert_eq!(stack(&format!("=== 1.yml\n{documents}")).images.len(), 1);
}

#[test]
fn any_text_is_read_without_panic() {
    let whole = "=== 1.yml\ninclude: [{path: [i.yml], env_file: .env}]\nx-a: &a {image: !override '${V:-x}'}\nservices:\n  a: {<<: *a, extends: {file: e.yml, service: b}, volumes: ['a:b', {type: image, source: y, target: z}]}\n  b: !override {extends: a, build: {additional_contexts: ['n=docker-image://${V}', m]}}\n  c: !reset null\n=== 2.yml\nservices: {a: {depends_on: {a: {required: false}}, profiles: [p], image: !reset é}}\n=== e.yml\nservices: {b: {extends: b, image: x}}\n=== i.yml\nservices: {a: {image: x}}\n=== .env\nV=docker-image://x\n";
    let ends: Vec<usize> = whole.char_indices().map(|(at, _)| at).filter(|&at| at > 10).collect();
    for (index, &start) in ends.iter().enumerate() {
        for length in [1, 3, 9] {
            let end = ends.get(index + length).copied().unwrap_or(whole.len());
            stack(&format!("{}{}", &whole[..start], &whole[end..]).replace("=== \n", "=== x\n"));
        }
    }
}
