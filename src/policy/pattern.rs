//! Patterns over the files of a repository, and over the repositories of a registry.

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};

use super::error::Wrong;
use crate::reference::Reference;
use crate::source::Place;

/// The longest pattern, in bytes.
const MAX_PATTERN: usize = 1024;

/// The names that production manifests conventionally have; judged where nothing is configured.
pub const CONVENTIONAL: &[&str] = &[
    "**/*.{prod,production}.{yml,yaml}",
    "**/{prod,production}.{yml,yaml}",
    "**/{compose,docker-compose}-{prod,production}.{yml,yaml}",
    "**/docker-stack*.{yml,yaml}",
    "**/stack[.-]{prod,production}*.{yml,yaml}",
    "**/{prod,production}",
    "**/overlays/prod*",
];

/// A pattern over paths relative to the root of the repository.
///
/// `*` and `?` stay within one part of a path, `**` alone between slashes crosses any number of them, `[…]` and
/// `{a,b}` choose. As in a `.gitignore`, a pattern that matches a folder takes everything in it.
#[derive(Clone, Debug)]
pub struct Pattern {
    /// As it was written.
    pub text: String,
    /// Where it is configured; none for [`CONVENTIONAL`] names.
    pub place: Option<Place>,
    /// Without `./`, doubled and trailing slashes; empty for the root itself.
    path: String,
    set: GlobSet,
}

impl Pattern {
    /// Reads a pattern.
    pub fn new(text: &str, place: Option<Place>) -> Result<Self, Wrong> {
        check_pattern(text)?;
        let absolute = text.starts_with('/') || text.get(1..3) == Some(":/");
        let parts: Vec<_> =
            text.split('/').skip(usize::from(absolute)).filter(|part| !matches!(*part, "" | ".")).collect();
        if absolute {
            let help = format!("write it relative to the root of the repository: `{}`", parts.join("/"));
            return Err(Wrong::new(format!("`{text}` is an absolute path"), help));
        }
        if parts.contains(&"..") {
            let help = "name folders below the root of the repository; `..` leads out of them";
            return Err(Wrong::new(format!("`{text}` has `..` in it"), help));
        }
        let path = parts.join("/");
        let below = if path.is_empty() { "**".to_owned() } else { format!("{path}/**") };
        // With a slash at its end it can only be a folder.
        let itself = (!path.is_empty() && !text.ends_with('/')).then_some(path.as_str());
        let set = globs(text, itself.into_iter().chain([below.as_str()]))?;
        Ok(Self { text: text.to_owned(), place, path, set })
    }

    /// Whether the pattern takes the file at `path`, relative to the root, with `/` between its parts.
    #[must_use]
    pub fn matches(&self, path: &str) -> bool {
        self.set.is_match(path.strip_prefix("./").unwrap_or(path))
    }

    /// Whether it names one file or folder, without any glob character.
    #[must_use]
    pub fn is_literal(&self) -> bool {
        !has_glob(&self.path)
    }

    /// The file or folder at or below which everything lies that it can match: the parts before the first glob
    /// character; empty for the root.
    #[must_use]
    pub fn base(&self) -> &str {
        let Some(glob) = self.path.find(is_glob) else { return &self.path };
        let slash = self.path.get(..glob).and_then(|before| before.rfind('/')).unwrap_or(0);
        self.path.get(..slash).unwrap_or_default()
    }
}

/// A pattern over `registry/repository`, as exceptions name images: `nginx` is `docker.io/library/nginx`.
#[derive(Clone, Debug)]
pub struct Repositories {
    /// As it was written.
    pub text: String,
    names: Names,
}

#[derive(Clone, Debug)]
enum Names {
    /// `**`
    All,
    One(String),
    Glob(GlobSet),
}

impl Repositories {
    /// Reads a repository or a glob over repositories. `*` stays within one part of the name, `**` alone between
    /// slashes crosses parts; a first part `**` stands for registries too.
    pub fn new(text: &str) -> Result<Self, Wrong> {
        let whole_registry = |registry: &str| {
            let help = format!("for everything in a registry write `{registry}/**`");
            Wrong::new(format!("`{text}` names no repository"), help)
        };
        let names = if text == "**" {
            Names::All
        } else if !text.contains('/') && text.contains('.') && !has_glob(text) && !text.contains([':', '@']) {
            return Err(whole_registry(text));
        } else if let Ok(reference) = Reference::parse(text) {
            if reference.tag().is_some() || reference.is_pinned() {
                return Err(tagged(text, reference.name()));
            }
            Names::One(format!("{}/{}", reference.registry(), reference.repository()))
        } else if has_glob(text) {
            Names::Glob(repository_globs(text)?)
        } else if let Some(registry) = text.strip_suffix('/') {
            return Err(whole_registry(registry));
        } else {
            let reason = Reference::parse(text).err().map(|error| error.to_string()).unwrap_or_default();
            let help = "write `registry/repository`, or a glob such as `ghcr.io/org/**`";
            return Err(Wrong::new(format!("`{text}` is no repository: {reason}"), help));
        };
        Ok(Self { text: text.to_owned(), names })
    }

    /// Whether every repository that `other` names is one of these, as far as that can be told: globs are compared as
    /// they are written.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        match (&self.names, &other.names) {
            (Names::All, _) => true,
            (_, Names::One(name)) => self.matches(name),
            _ => self.text == other.text,
        }
    }

    /// Whether it takes a repository, written `registry/repository` in full.
    #[must_use]
    pub fn matches(&self, repository: &str) -> bool {
        match &self.names {
            Names::All => true,
            Names::One(name) => name == repository,
            Names::Glob(set) => set.is_match(repository),
        }
    }

    /// Whether it is `**`: every image, also one whose repository nobody knows.
    #[must_use]
    pub fn is_everything(&self) -> bool {
        matches!(self.names, Names::All)
    }
}

fn repository_globs(text: &str) -> Result<GlobSet, Wrong> {
    check_pattern(text)?;
    if text.contains(char::is_whitespace) || text.contains("://") {
        let help = "write `registry/repository` without scheme and white space, for example `ghcr.io/org/**`";
        return Err(Wrong::new(format!("`{text}` is no glob over repositories"), help));
    }
    let last = text.rsplit('/').next().unwrap_or(text);
    if let Some(at) = text.find('@').or_else(|| Some(text.len() - last.len() + last.find(':')?)) {
        return Err(tagged(text, text.get(..at).unwrap_or_default()));
    }
    globs(text, [full_name(text).as_str()])
}

/// A glob with the registry and Docker Hub's `library/` that the runtimes add.
fn full_name(text: &str) -> String {
    let Some((first, rest)) = text.split_once('/') else { return format!("docker.io/library/{text}") };
    match first {
        "**" => text.to_owned(),
        "docker.io" | "index.docker.io" if !rest.contains('/') && rest != "**" => format!("docker.io/library/{rest}"),
        "index.docker.io" => format!("docker.io/{rest}"),
        _ if first == "localhost" || first.contains(['.', ':']) => text.to_owned(),
        _ => format!("docker.io/{text}"),
    }
}

fn tagged(text: &str, name: &str) -> Wrong {
    Wrong::new(format!("`{text}` has a tag or a digest: only repositories are named here"), format!("write `{name}`"))
}

/// Reads a prefix of `allow-registries`: `registry` or `registry/path`, without a slash at its end.
pub(super) fn registry_prefix(text: &str) -> Result<String, Wrong> {
    let prefix = text.trim_end_matches('/');
    if has_glob(prefix) && !prefix.starts_with('[') {
        let before = prefix.split(is_glob).next().unwrap_or_default();
        let plain = before.rsplit_once('/').map_or("ghcr.io", |(plain, _)| plain);
        let help = format!("a prefix allows everything below it, no glob is needed: write for example `{plain}`");
        return Err(Wrong::new(format!("`{text}` is a glob"), help));
    }
    if prefix.is_empty() {
        return Err(Wrong::new(
            "the registry is empty",
            "write `registry` or `registry/path`, for example `ghcr.io/org`",
        ));
    }
    let (domain, path) = prefix.split_once('/').map_or((prefix, None), |(domain, path)| (domain, Some(path)));
    let parsed = Reference::parse(&format!("{domain}/{}", path.unwrap_or("image")));
    let reference = match parsed {
        Ok(reference) if reference.domain().is_some() => reference,
        Ok(_) => {
            let help = format!("begin with the registry's host name: `docker.io/{prefix}`");
            return Err(Wrong::new(format!("`{text}` names no registry"), help));
        }
        Err(error) => {
            let help = "write `registry` or `registry/path`, for example `ghcr.io/org`";
            return Err(Wrong::new(format!("`{text}` is no registry: {error}"), help));
        }
    };
    if reference.tag().is_some() || reference.is_pinned() {
        let help = format!("write `{}`", reference.name());
        return Err(Wrong::new(format!("`{text}` has a tag or a digest"), help));
    }
    let registry = reference.registry();
    Ok(path.map_or_else(|| registry.to_owned(), |path| format!("{registry}/{path}")))
}

/// What no pattern may have.
fn check_pattern(text: &str) -> Result<(), Wrong> {
    if text.trim().is_empty() {
        return Err(Wrong::new("the pattern is empty", "name a file, a folder or a glob such as `deploy/prod/**`"));
    }
    if text.len() > MAX_PATTERN {
        return Err(Wrong::new(format!("the pattern has {} bytes", text.len()), "write several shorter patterns"));
    }
    if text.contains('\\') {
        let help = format!("write `/` between folders: `{}`", text.replace('\\', "/"));
        return Err(Wrong::new(format!("`{text}` has a backslash"), help));
    }
    if text.starts_with('!') {
        return Err(Wrong::new(format!("`{text}` excludes"), "name what is meant; a pattern cannot exclude"));
    }
    if text.split('/').any(|part| part != "**" && part.contains("**")) {
        let help = "`**` stands alone between slashes: write `deploy/**/*.yml`, not `deploy/**.yml`";
        return Err(Wrong::new(format!("`{text}` has `**` beside other characters"), help));
    }
    Ok(())
}

/// Compiles globs; `text` is what was written.
fn globs<'g>(text: &str, globs: impl IntoIterator<Item = &'g str>) -> Result<GlobSet, Wrong> {
    let wrong = |error: &globset::Error| {
        let help = "`[` and `{` need their closing bracket; to mean the characters themselves write `[[]` and `[{]`";
        Wrong::new(format!("`{text}` is no glob: {}", error.kind()), help)
    };
    let mut set = GlobSetBuilder::new();
    for glob in globs {
        let glob = GlobBuilder::new(glob).literal_separator(true).backslash_escape(false).build();
        set.add(glob.map_err(|error| wrong(&error))?);
    }
    set.build().map_err(|error| wrong(&error))
}

fn is_glob(c: char) -> bool {
    matches!(c, '*' | '?' | '[' | ']' | '{' | '}')
}

fn has_glob(text: &str) -> bool {
    text.contains(is_glob)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(text: &str) -> Pattern {
        Pattern::new(text, None).unwrap_or_else(|wrong| panic!("{text}: {wrong}"))
    }

    #[test]
    fn a_pattern_matches_what_it_names() {
        let cases: &[(&str, &[&str], &[&str])] = &[
            ("deploy/prod", &["deploy/prod", "deploy/prod/a.yml", "deploy/prod/b/c.yml"], &["deploy/production/a.yml"]),
            ("deploy/prod/", &["deploy/prod/a.yml"], &["deploy/prod", "x/deploy/prod/a.yml"]),
            ("./deploy//prod/**", &["deploy/prod/a.yml", "deploy/prod/a/b.yml"], &["deploy/prod.yml"]),
            ("deploy/*.yml", &["deploy/a.yml", "deploy/.a.yml"], &["deploy/a/b.yml", "deploy/a.yaml"]),
            ("deploy/**/*.y?ml", &["deploy/a.yaml", "deploy/a/b/c.yaml"], &["deploy/a.yml"]),
            ("k8s/*/prod*", &["k8s/a/prod-eu/x.yml", "k8s/a/prod.yml"], &["k8s/prod/x.yml"]),
            ("a.{yml,yaml}", &["a.yml", "a.yaml", "./a.yml"], &["b/a.yml"]),
            (".", &["a.yml", "a/b.yml"], &[]),
            ("**", &["a.yml", "a/b.yml"], &[]),
        ];
        for (text, matching, others) in cases {
            let pattern = pattern(text);
            for path in *matching {
                assert!(pattern.matches(path), "{text} {path}");
            }
            for path in *others {
                assert!(!pattern.matches(path), "{text} {path}");
            }
        }
    }

    #[test]
    fn walking_starts_at_the_longest_literal_folder() {
        for (text, base, literal) in [
            ("deploy/prod/", "deploy/prod", true),
            ("deploy/prod/**", "deploy/prod", false),
            ("deploy/prod-*/a.yml", "deploy", false),
            ("*.yml", "", false),
            (".", "", true),
            ("{a/b,c}/d", "", false),
        ] {
            let pattern = pattern(text);
            assert_eq!((pattern.base(), pattern.is_literal()), (base, literal), "{text}");
        }
    }

    #[test]
    fn the_conventional_names_are_found() {
        let patterns: Vec<_> = CONVENTIONAL.iter().map(|text| pattern(text)).collect();
        let matches = |path: &str| patterns.iter().any(|pattern| pattern.matches(path));
        for path in [
            "compose.prod.yml",
            "compose.production.yaml",
            "a/docker-compose.prod.yaml",
            "docker-compose-prod.yml",
            "x.production.yml",
            "docker-stack.yml",
            "docker-stack-web.yaml",
            "stack.prod.yml",
            "stack-production-eu.yml",
            "prod/a.yml",
            "deploy/production/b/c.yaml",
            "k8s/overlays/prod-eu/kustomization.yaml",
        ] {
            assert!(matches(path), "{path}");
        }
        for path in ["compose.yml", "docker-compose.override.yml", "src/product/a.yml", "overlays/staging/a.yml"] {
            assert!(!matches(path), "{path}");
        }
    }

    #[test]
    fn a_repository_is_compared_in_full() {
        let cases: &[(&str, &[&str], &[&str])] = &[
            ("nginx", &["docker.io/library/nginx"], &["ghcr.io/library/nginx", "docker.io/org/nginx"]),
            ("index.docker.io/nginx", &["docker.io/library/nginx"], &[]),
            ("org/app", &["docker.io/org/app"], &["docker.io/org/app/x"]),
            ("ghcr.io/org/*", &["ghcr.io/org/app"], &["ghcr.io/org/a/b", "ghcr.io/organ/a", "xghcr.io/org/app"]),
            ("ghcr.io/org/**", &["ghcr.io/org/app", "ghcr.io/org/a/b"], &["ghcr.io/orga/b"]),
            ("*.example.com/**", &["r.example.com/a/b"], &["r.example.org/a"]),
            ("nginx*", &["docker.io/library/nginx-x"], &["docker.io/nginx/x"]),
            ("docker.io/nginx*", &["docker.io/library/nginx-x"], &[]),
            ("index.docker.io/org/*", &["docker.io/org/x"], &[]),
            ("docker.io/**", &["docker.io/library/nginx", "docker.io/a/b"], &["quay.io/a/b"]),
            ("*/app", &["docker.io/org/app"], &["ghcr.io/org/app", "ghcr.io/app"]),
            ("**/app", &["ghcr.io/org/app", "docker.io/library/app"], &["ghcr.io/app/x"]),
            ("{ghcr.io,quay.io}/org/*", &["quay.io/org/x"], &["docker.io/org/x"]),
            ("[::1]:5000/x", &["[::1]:5000/x"], &[":5000/x"]),
            ("**", &["a.b/c"], &[]),
        ];
        for (text, matching, others) in cases {
            let repositories = Repositories::new(text).unwrap_or_else(|wrong| panic!("{text}: {wrong}"));
            for name in *matching {
                assert!(repositories.matches(name), "{text} {name}");
            }
            for name in *others {
                assert!(!repositories.matches(name), "{text} {name}");
            }
        }
    }

    #[test]
    fn a_registry_prefix_is_read_as_the_rule_compares_it() {
        for (text, prefix) in [
            ("ghcr.io", "ghcr.io"),
            ("ghcr.io/org/", "ghcr.io/org"),
            ("index.docker.io/library", "docker.io/library"),
            ("localhost:5000", "localhost:5000"),
            ("[::1]:5000", "[::1]:5000"),
        ] {
            assert_eq!(registry_prefix(text).as_deref(), Ok(prefix), "{text}");
        }
    }

    #[test]
    fn what_is_wrong_says_the_way_out() {
        let mut lines = Vec::new();
        for text in ["", "/etc", "C:/x", "../a", "a/../b", "a\\b", "!a", "a/**.yml", "a[", "{a", &"{a,b}".repeat(300)] {
            lines.push(format!("path {}", Pattern::new(text, None).expect_err(text)));
        }
        for text in [
            "",
            "nginx:1",
            "ghcr.io/a:1",
            "ghcr.io/*:1",
            "*@sha256:x",
            "ghcr.io",
            "ghcr.io/",
            "a b",
            "a *",
            "x://*",
            "ghcr.io/A",
        ] {
            lines.push(format!("image {}", Repositories::new(text).expect_err(text)));
        }
        for text in ["", "org", "ghcr.io/**", "*.io", "https://ghcr.io", "ghcr.io/a:1", "GHCR.io/Org"] {
            lines.push(format!("registry {}", registry_prefix(text).expect_err(text)));
        }
        insta::with_settings!({snapshot_path => "../../snapshots", prepend_module_to_snapshot => false}, {
            insta::assert_snapshot!("policy-patterns", lines.join("\n"));
        });
    }
}
