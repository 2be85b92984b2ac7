//! Random stacks: small files that merge, extend and include one another.

use std::fmt::Write;

use super::Case;

/// A linear congruential generator: the same stacks for the same seed on every machine.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }

    fn one_in(&mut self, bound: u64) -> bool {
        self.below(bound) == 0
    }

    fn one_of<'a>(&mut self, all: &[&'a str]) -> &'a str {
        all[usize::try_from(self.below(all.len() as u64)).unwrap()]
    }
}

pub(super) fn stack(seed: u64) -> Case {
    let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    for _ in 0..4 {
        random.below(2);
    }
    let mut files = vec![
        (".env".to_owned(), variables(&mut random)),
        ("sub/.env".to_owned(), variables(&mut random)),
        ("a.yml".to_owned(), file(&mut random, 0)),
        ("b.yml".to_owned(), file(&mut random, 1)),
        ("sub/c.yml".to_owned(), file(&mut random, 2)),
        ("base.yml".to_owned(), file(&mut random, 3)),
        ("sub/base.yml".to_owned(), file(&mut random, 3)),
        ("inc.yml".to_owned(), file(&mut random, 4)),
        ("sub/inc.yml".to_owned(), file(&mut random, 5)),
    ];
    let mut options = "-f a.yml".to_owned();
    if random.one_in(2) {
        options += " -f b.yml";
    }
    if random.one_in(3) {
        options += " -f sub/c.yml";
    }
    if random.one_in(5) {
        files.push(("prod.env".to_owned(), variables(&mut random)));
        options += " --env-file prod.env";
    }
    if random.one_in(3) {
        let _ = write!(options, " --profile {}", random.one_of(&["p", "q", "*"]));
    }
    Case { options: options.split(' ').map(str::to_owned).collect(), files }
}

fn variables(random: &mut Random) -> String {
    let mut out = String::new();
    for name in ["V", "W"] {
        if !random.one_in(3) {
            let _ = writeln!(out, "{name}={}", random.one_of(&["v1", "v2", "'v3'", "${V:-v4}"]));
        }
    }
    out
}

/// A file of a kind: 0 to 2 are of the stack, 3 is extended, 4 and 5 are included.
fn file(random: &mut Random, kind: u64) -> String {
    let mut out = String::new();
    if random.one_in(4) && kind != 3 {
        let target = match (kind, random.below(3)) {
            (5, _) => "[base.yml]",
            (4, _) | (_, 0) => "[sub/inc.yml]",
            (_, 1) => "[inc.yml]",
            _ => "[{path: [inc.yml, sub/inc.yml]}]",
        };
        let _ = writeln!(out, "include: {target}");
    }
    services(random, kind, &mut out);
    if random.one_in(12) {
        out.push_str("---\n");
        services(random, kind, &mut out);
    }
    out
}

fn services(random: &mut Random, kind: u64, out: &mut String) {
    if random.one_in(6) {
        let _ = writeln!(out, "x-a: &a {{image: {}, restart: always}}", image(random));
    } else {
        out.push_str("x-a: &a {restart: always}\n");
    }
    out.push_str(if random.one_in(40) { "services: !override\n" } else { "services:\n" });
    // Included files mostly have names of their own, so that few conflict.
    let own: &[&str] = match kind {
        4 => &["i", "j", "a"],
        5 => &["k", "l", "b"],
        _ => &["a", "b", "c", "d"],
    };
    let full = kind == 0 || kind >= 3;
    let mut present = Vec::new();
    for &name in own {
        let is_foreign = kind >= 4 && matches!(name, "a" | "b") && !random.one_in(12);
        if !is_foreign && (kind == 3 || !random.one_in(if full { 5 } else { 2 })) {
            present.push(name);
        }
    }
    for (index, name) in present.iter().enumerate() {
        let bases = if random.one_in(80) { own } else { present.get(index + 1..).unwrap_or_default() };
        service(random, name, (kind, full), bases, out);
    }
    if kind < 3 {
        out.push_str("  z: {image: z}\n");
    }
}

fn service(random: &mut Random, name: &str, (kind, full): (u64, bool), bases: &[&str], out: &mut String) {
    if random.one_in(20) && !full {
        let _ = writeln!(out, "  {name}: !reset null");
        return;
    }
    if random.one_in(150) {
        let _ = writeln!(out, "  {name}:");
        return;
    }
    // What tags in extended files do differs between releases.
    let is_tagged = kind < 3 || random.one_in(6);
    let tag = if is_tagged && random.one_in(15) { " !override" } else { "" };
    let _ = writeln!(out, "  {name}:{tag}");
    let mut keys = Vec::new();
    if random.one_in(8) {
        keys.push("<<: *a".to_owned());
    }
    let is_imaged = !random.one_in(if full { 4 } else { 2 });
    if is_imaged {
        keys.push(format!("image: {}{}", tag_of(random), image(random)));
    } else if !full && random.one_in(3) {
        keys.push(random.one_of(&["image: !reset null", "image: !reset x", "image: !reset null", "image:"]).to_owned());
    }
    let is_built = random.one_in(3) || !is_imaged && (full || random.one_in(2));
    if is_built {
        keys.push(build(random));
    } else if !full && random.one_in(8) {
        keys.push("build: !reset null".to_owned());
    }
    if random.one_in(3) {
        keys.extend(extends(random, kind, bases));
    }
    if random.one_in(4) {
        keys.push(volumes(random));
    }
    if random.one_in(6) {
        keys.push(format!(
            "profiles: {}",
            random.one_of(&["[p]", "[q]", "[p, q]", "[]", "!reset []", "!override [p]"])
        ));
    }
    if kind < 3 && random.one_in(12) {
        keys.push(random.one_of(&["depends_on: [z]", "depends_on: {z: {condition: service_started}}"]).to_owned());
    }
    keys.retain(|key| is_tagged || !key.contains("!reset"));
    if keys.is_empty() {
        keys.push("restart: always".to_owned());
    }
    for mut key in keys {
        if !is_tagged {
            key = key.replace("!override ", "");
        }
        let _ = writeln!(out, "    {key}");
    }
}

fn tag_of(random: &mut Random) -> &'static str {
    if random.one_in(15) { "!override " } else { "" }
}

fn image(random: &mut Random) -> String {
    match random.below(6) {
        0 => "'r/${V:-d}:1'".to_owned(),
        1 => "'${W-e}'".to_owned(),
        2 => "'${V:+w}x'".to_owned(),
        _ => format!("x{}", random.below(50)),
    }
}

fn build(random: &mut Random) -> String {
    match random.below(5) {
        0 => "build: .".to_owned(),
        1 => format!("build: {{context: ., additional_contexts: {{n: 'docker-image://c{}'}}}}", random.below(9)),
        2 => format!("build: {{additional_contexts: ['n=docker-image://c{}', 'm=docker-image://m']}}", random.below(9)),
        3 => "build: !override {context: ./o}".to_owned(),
        _ => "build: {args: {A: b}}".to_owned(),
    }
}

/// Mostly of a service further down, so that few are cycles.
fn extends(random: &mut Random, kind: u64, bases: &[&str]) -> Option<String> {
    let in_file = random.one_in(2) && kind != 3;
    if in_file {
        let base = random.one_of(&["a", "b", "c", "d"]);
        return Some(format!(
            "extends: {{file: {}base.yml, service: {base}}}",
            random.one_of(&["", "", "./", "sub/../"])
        ));
    }
    if bases.is_empty() {
        return None;
    }
    let base = random.one_of(bases);
    Some(if random.one_in(2) { format!("extends: {base}") } else { format!("extends: {{service: {base}}}") })
}

fn volumes(random: &mut Random) -> String {
    match random.below(4) {
        0 => format!("volumes: [{{type: image, source: v{}, target: /v}}]", random.below(9)),
        1 => "volumes: ['./v:/v:ro', './w:/w']".to_owned(),
        2 => format!("volumes: !override [{{type: image, source: w{}, target: /w}}]", random.below(9)),
        _ => "volumes: !reset []".to_owned(),
    }
}
