//! Nomad jobs, in HCL and in the JSON that the API takes.
//!
//! Sources: the Nomad job specification (`task`, `sidecar_task`, `config`), the docker and podman driver references.

use std::sync::Arc;

use hcl_edit::expr::Expression;
use hcl_edit::structure::{Block, Body};

use super::hcl::{self, Names, Scope, Text};
use super::place::Places;
use super::{Document, Found, Kind, LocatedImage, Reader, State};
use crate::reference::Reference;
use crate::source::{Source, Span};
use crate::yaml::Node;

/// Jobs in HCL.
pub static KIND: Kind = Kind {
    name: "nomad",
    title: "Nomad jobs",
    files: "`*.nomad`, `*.nomad.hcl`, and `*.hcl` with a `job` block",
    reads: "`config.image` of tasks and sidecar tasks, through defaults of variables and through locals",
    decided: "`var.…` by the `default` of the variable and `local.…` by the local, where they stand in the same file, \
            also fixed elements of objects; `docker://` is taken away as the drivers do",
    unresolved: "a variable without a default or of another file, functions, conditions, what the node or the \
            template fills in (`${meta.…}`, `${NOMAD_…}`, `[[ ]]`), here-documents, archives on disk: write the image \
            in quotes, or give the variable a default with a digest in the same file",
    example: &[(
        "web.nomad",
        r#"variable "web" {
  default = "ghcr.io/org/web:1.2.3@sha256:28db6fdf60e38945e43d840c0333aeaec66c15943070104f7586fd3c9d1665b0"
}

variable "proxy" {}

job "web" {
  group "web" {
    task "web" {
      driver = "docker"
      config {
        image = var.web
      }
    }
    task "worker" {
      driver = "docker"
      config {
        image = "ghcr.io/org/worker:1.2.3"
      }
    }
    task "proxy" {
      driver = "podman"
      config {
        image = var.proxy
      }
    }
  }
}
"#,
    )],
    reader: Reader::Text { claims: is_named, read },
};

/// Jobs in JSON.
pub static JSON: Kind = Kind {
    name: "nomad-json",
    title: "Nomad jobs in JSON",
    files: "JSON with `TaskGroups`, or with `job` in the JSON form of HCL",
    reads: "`Config.image` of tasks and sidecar tasks",
    decided: "nothing is filled in, the text is deployed as it stands; `docker://` is taken away as the drivers do",
    unresolved: "a variable or a template in the text (`${ }`, `$( )`, `[[ ]]`), archives on disk: write the image \
            out with its digest",
    example: &[(
        "job.json",
        r#"{"Job": {"TaskGroups": [{"Tasks": [{"Driver": "docker", "Config": {"image": "ghcr.io/org/web:1.2.3@sha256:28db6fdf60e38945e43d840c0333aeaec66c15943070104f7586fd3c9d1665b0"}}]}]}}
"#,
    )],
    reader: Reader::Document(read_json),
};

/// Drivers whose `image` is a container image, whatever its text.
const CONTAINER_DRIVERS: [&str; 4] = ["docker", "podman", "containerd-driver", "containerd"];

/// Schemes that the drivers take away before they ask a registry.
const SCHEMES: [&str; 3] = ["docker://", "https://", "http://"];

fn is_named(name: &str) -> bool {
    is_certain(name) || matches!(name.rsplit_once('.'), Some((_, "hcl")))
}

/// Whether the name alone says that the file is a job.
fn is_certain(name: &str) -> bool {
    [".nomad", ".nomad.hcl"].iter().any(|ending| name.ends_with(ending))
}

fn read(source: &Arc<Source>, found: &mut Found) -> bool {
    let text = Text::of(source);
    match text.parse() {
        Ok(body) => body.has_blocks("job") && read_body(text, &body, found),
        Err(broken) if is_certain(source.file_name()) || has_job_line(text.raw) => {
            broken.report(source, found);
            true
        }
        Err(_) => false,
    }
}

/// Whether a line begins like a job: what can be known of a file that cannot be read.
fn has_job_line(text: &str) -> bool {
    text.lines().any(|line| {
        line.strip_prefix("job").is_some_and(|rest| rest.starts_with([' ', '\t', '"']) && rest.contains(['"', '{']))
    })
}

/// Reports the images of all jobs in a text; says whether there is one.
pub(super) fn read_body(text: Text<'_>, body: &Body, found: &mut Found) -> bool {
    let scope = Scope::new(text, body, Names::Prefixed);
    let mut jobs = Jobs { scope, path: Vec::new(), resource: None, found };
    jobs.body(body);
    body.has_blocks("job")
}

struct Jobs<'b, 'f> {
    scope: Scope<'b>,
    path: Vec<&'b str>,
    resource: Option<String>,
    found: &'f mut Found,
}

impl<'b> Jobs<'b, '_> {
    fn body(&mut self, body: &'b Body) {
        for block in body.blocks() {
            let name = block.ident.as_str();
            if name == "variable" || name == "locals" {
                continue;
            }
            if name == "job" {
                self.resource = hcl::label(block, 0).map(|name| format!("job/{name}"));
            }
            let depth = self.path.len();
            self.path.push(name);
            self.path.extend(hcl::label(block, 0));
            // `dynamic "task"` writes tasks: its content is one, its label the block it writes.
            let written = if name == "dynamic" { hcl::label(block, 0).unwrap_or_default() } else { name };
            if written == "task" || written == "sidecar_task" {
                self.task(block);
            }
            self.body(&block.body);
            self.path.truncate(depth);
        }
    }

    fn task(&mut self, task: &'b Block) {
        let body = if task.ident.as_str() == "dynamic" {
            let Some(content) = task.body.get_blocks("content").next() else { return };
            &content.body
        } else {
            &task.body
        };
        // A driver that is not known is taken for one that runs containers: an image is never passed over.
        let driver = body.get_attribute("driver").map(|driver| self.scope.text_of(&driver.value));
        let any = match &driver {
            Some(Some(driver)) => CONTAINER_DRIVERS.contains(&driver.as_str()),
            Some(None) | None => true,
        };
        for block in body.blocks() {
            let is_config = block.ident.as_str() == "config"
                || block.ident.as_str() == "dynamic" && hcl::label(block, 0) == Some("config");
            if !is_config {
                continue;
            }
            let content = block.body.get_blocks("content").next().map_or(&block.body, |content| &content.body);
            if let Some(image) = content.get_attribute("image") {
                self.image(&image.value, any);
            }
        }
        if let Some(config) = body.get_attribute("config") {
            match &config.value {
                Expression::Object(object) => {
                    if let Some(image) = hcl::member(object, "image") {
                        self.image(image, any);
                    }
                }
                other => self.image(other, any),
            }
        }
    }

    fn image(&mut self, expression: &'b Expression, any: bool) {
        let field = format!("{}.config.image", self.path.join("."));
        let Some(mut image) = self.scope.image(KIND.name, expression, field) else { return };
        strip_scheme(&mut image);
        let can_be_image = any || image.effective().is_none() || image.reference().is_some_and(is_image_like);
        if can_be_image && !image.written.is_empty() {
            image.resource.clone_from(&self.resource);
            self.found.images.push(image);
        }
    }
}

/// Whether a reference can hardly be anything else: a driver that is not known may mean a disk by `image`.
fn is_image_like(reference: &Reference) -> bool {
    reference.tag().is_some() || reference.is_pinned() || reference.domain().is_some()
}

/// Takes `docker://` away: the drivers do. An archive is no image of a registry.
fn strip_scheme(image: &mut LocatedImage) {
    let text = image.effective().unwrap_or_default();
    if text.starts_with("oci-archive:") || text.starts_with("docker-archive:") {
        image.state = State::unresolved("an archive on disk has no digest that could be checked");
        return;
    }
    for scheme in SCHEMES {
        if let Some(rest) = image.effective().and_then(|text| text.strip_prefix(scheme)) {
            image.state = State::of(rest);
        }
        if let Some(rest) = image.written.strip_prefix(scheme) {
            // With escapes before its end the text may be elsewhere: then the place stays as it is.
            if image.place.text().starts_with(scheme) {
                let span = image.place.span;
                image.place.span = Span::new(span.start as usize + scheme.len(), span.end as usize);
            }
            image.written = rest.to_owned();
        }
    }
}

fn read_json(document: &Document<'_>, found: &mut Found) -> bool {
    let root = document.root;
    let job = root.get("Job").or_else(|| root.get("job"));
    let is_job = root.get("TaskGroups").is_some()
        || job.is_some_and(|job| job.get("TaskGroups").is_some())
        || job.is_some_and(|job| job.entries().any(|(_, job)| job.get("group").is_some() || job.get("task").is_some()));
    if !is_job {
        return false;
    }
    let mut places = Places::new(root);
    places.each("**", &mut |task: Node<'_>, path| {
        let config = task.get("Config").or_else(|| task.get("config"));
        let Some(node) = config.and_then(|config| config.get("image")) else { return };
        let driver = task.get("Driver").or_else(|| task.get("driver")).and_then(Node::string);
        let any = driver.is_none_or(|driver| CONTAINER_DRIVERS.contains(&driver));
        let Some(mut image) = super::place::image(JSON.name, document.source, node, &format!("{path}.Config.image"))
        else {
            return;
        };
        strip_scheme(&mut image);
        if any || image.effective().is_none() || image.reference().is_some_and(is_image_like) {
            found.images.push(image);
        }
    });
    true
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

    use crate::manifest::place::tests::{find, images};

    const DIGEST: &str = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    /// A job of one task; its image stands in line 5.
    fn job(image: &str) -> String {
        format!(
            "job \"j\" {{\n  group \"g\" {{\n    task \"t\" {{\n      driver = \"docker\"\n      config {{\n        image = {image}\n      }}\n    }}\n  }}\n}}\n"
        )
    }

    fn one(image: &str, more: &str) -> String {
        let found = images("a.nomad", &(job(image) + more));
        assert_eq!(found.len(), 1, "{found:?}");
        found[0].replace("job.j.group.g.task.t.config.image ", "")
    }

    #[test]
    fn every_form_of_an_image_is_read() {
        let table = [
            ("\"redis:7\"", "6:18 redis:7 unpinned redis:7"),
            ("\"a\\u003a1\"", "6:18 a:1 unpinned a:1"),
            ("/* é */ \"redis:7\"", "6:26 redis:7 unpinned redis:7"),
            ("\"docker://redis:7\"", "6:27 redis:7 unpinned redis:7"),
            ("(\"redis:7\")", "6:19 redis:7 unpinned redis:7"),
            ("\"oci-archive:/x.tar\"", "6:18 oci-archive:/x.tar unresolved -"),
            ("var.image", "6:17 var.image unpinned redis:7"),
            ("\"redis:${var.tag}\"", "6:18 redis:${var.tag} unpinned redis:7"),
            ("\"redis:${local.tag}\"", "6:18 redis:${local.tag} unpinned redis:7.1"),
            ("local.images.web", "6:17 local.images.web unpinned web:2"),
            ("local.images[\"web\"]", "6:17 local.images[\"web\"] unpinned web:2"),
            ("local.loop", "6:17 local.loop unresolved -"),
            ("var.gone", "6:17 var.gone unresolved -"),
            ("var.open", "6:17 var.open unresolved -"),
            ("\"a:${meta.x}\"", "6:18 a:${meta.x} unresolved -"),
            ("\"a:$${NOMAD_META_x}\"", "6:18 a:${NOMAD_META_x} unresolved -"),
            ("\"[[ .image ]]\"", "6:18 [[ .image ]] unresolved -"),
            ("format(\"a:%s\", var.tag)", "6:17 format(\"a:%s\", var.tag) unresolved -"),
            ("true ? \"a\" : \"b\"", "6:17 true ? \"a\" : \"b\" unresolved -"),
            ("<<EOT\n  a:1\nEOT", "7:3 a:1 unresolved -"),
        ];
        let more = "variable \"tag\" {\n  default = \"7\"\n}\nvariable \"image\" {\n  default = \"redis:7\"\n}\nvariable \"open\" {}\n\
                    locals {\n  tag = \"${var.tag}.1\"\n  images = { web = \"web:2\" }\n  loop = \"${local.loop}x\"\n}\n";
        for (image, expected) in table {
            assert_eq!(one(image, more), expected, "{image}");
        }
    }

    #[test]
    fn a_default_is_deployed_and_told() {
        let text = job("var.image") + &format!("variable \"image\" {{\n  default = \"r:1@{DIGEST}\"\n}}\n");
        let found = find("a.nomad", &text);
        let image = &found.images[0];
        assert!(image.variable && image.status() == "pinned" && !image.is_pinned_as_written());
        let at = image.related[0].place.start();
        assert_eq!((at.line, at.column, image.related[0].message.as_str()), (12, 14, "the value of `var.image`"));
        assert_eq!(image.resource.as_deref(), Some("job/j"));
    }

    #[test]
    fn line_ends_and_a_mark_move_no_place() {
        let text = format!("\u{feff}{}", job("\"redis:7\"").replace('\n', "\r\n"));
        assert_eq!(images("a.nomad", &text), ["6:18 job.j.group.g.task.t.config.image redis:7 unpinned redis:7"]);
        assert_eq!(find("a.nomad", &text).images[0].place.text(), "redis:7");
    }

    #[test]
    fn drivers_and_sidecars() {
        let text = |driver: &str, image: &str| {
            job(image).replace("driver = \"docker\"", driver).replace("config {", "config {\n")
        };
        assert_eq!(images("a.nomad", &text("driver = \"podman\"", "\"a\"")).len(), 1);
        assert_eq!(images("a.nomad", &text("driver = var.x", "\"a\"")).len(), 1);
        assert_eq!(images("a.nomad", &text("driver = \"qemu\"", "\"disk\"")).len(), 0);
        assert_eq!(images("a.nomad", &text("driver = \"mine\"", "\"a:1\"")).len(), 1);
        let sidecar = "job \"j\" {\n  connect {\n    sidecar_task {\n      config {\n        image = \"e:1\"\n      }\n    }\n  }\n}\n";
        assert_eq!(images("a.hcl", sidecar), ["5:18 job.j.connect.sidecar_task.config.image e:1 unpinned e:1"]);
        let dynamic = "job \"j\" {\n  dynamic \"task\" {\n    content {\n      config {\n        image = task.value\n      }\n    }\n  }\n}\n";
        assert_eq!(images("a.hcl", dynamic), ["5:17 job.j.dynamic.task.config.image task.value unresolved -"]);
    }

    #[test]
    fn json_jobs_are_read() {
        let text = r#"{"Job": {"TaskGroups": [{"Tasks": [{"Driver": "docker", "Config": {"image": "a:1"}}]}]}}"#;
        assert_eq!(images("a.json", text), ["1:78 Job.TaskGroups[0].Tasks[0].Config.image a:1 unpinned a:1"]);
        let hcl =
            r#"{"job": {"j": {"group": {"g": {"task": {"t": {"driver": "docker", "config": {"image": "a"}}}}}}}}"#;
        assert_eq!(images("a.json", hcl).len(), 1);
    }

    #[test]
    fn what_cannot_be_read_is_told_at_its_place() {
        let found = find("a.nomad", "job \"j\" {\n  x = =\n}\n");
        let at = found.unreadable[0].place.start();
        assert_eq!((at.line, at.column), (2, 7));
        assert!(find("policy.hcl", "path \"x\" {\n").unreadable.is_empty());
        assert!(!find("policy.hcl", "path \"x\" {}\n").is_manifest);
        assert_eq!(find("a.hcl", "job \"x\" {\n").unreadable.len(), 1);
    }

    #[test]
    fn hostile_jobs_are_bounded() {
        for deep in ["[", "(", "{a=", "\"${"] {
            assert!(!find("a.nomad", &job(&deep.repeat(100_000))).unreadable.is_empty());
        }
        assert!(!find("a.nomad", &"a {\n".repeat(100_000)).unreadable.is_empty());
        let many: String = "variable \"v\" { default = \"x\" }\n".repeat(100_000);
        assert_eq!(find("a.nomad", &(many + &job("\"a\""))).unreadable.len(), 1);
        let doubled: Vec<_> =
            (1..60).map(|n| format!("  a{n} = \"${{local.a{0}}}${{local.a{0}}}\"\n", n - 1)).collect();
        let locals = format!("locals {{\n  a0 = \"x\"\n{}}}\n", doubled.concat());
        assert!(one("local.a59", &locals).ends_with("unresolved -"));
    }

    #[test]
    fn any_text_is_read_without_panic() {
        let mut runner =
            TestRunner::new_with_rng(Config::with_cases(300), TestRng::deterministic_rng(RngAlgorithm::ChaCha));
        let parts = prop::collection::vec(
            prop::sample::select(vec![
                "job \"j\" {\n",
                "task \"t\" {\n",
                "config {\n",
                "}\n",
                "image = ",
                "\"",
                "${",
                "}",
                "var.x",
                "local.x",
                "<<EOT\n",
                "\nEOT\n",
                "é",
                "\r\n",
                "variable \"x\" {\n",
                "default = \"a\"\n",
                "%{ if x }",
                "\\",
                "[",
                "(",
                "\u{feff}",
            ]),
            0..40,
        );
        runner
            .run(&parts, |parts| {
                for name in ["a.nomad", "a.tf", "docker-bake.hcl"] {
                    for image in find(name, &parts.concat()).images {
                        prop_assert!(image.place.source.text().get(image.place.span.range()).is_some());
                    }
                }
                Ok(())
            })
            .unwrap();
    }
}
