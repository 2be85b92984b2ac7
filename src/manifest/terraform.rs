//! Terraform and `OpenTofu`: images in the resources that run containers, with the JSON that is embedded in them.
//!
//! Sources: the references of the kubernetes, docker, nomad, aws, google and azurerm providers.

use std::ops::Range;
use std::sync::Arc;

use hcl_edit::Span as _;
use hcl_edit::expr::Expression;
use hcl_edit::structure::{Block, Body};
use hcl_edit::template::{Element, HeredocTemplate};

use super::hcl::{self, JsonScope, Names, Scope, Text};
use super::kubernetes;
use super::nomad;
use super::place::Places;
use super::{Document, Found, Kind, LocatedImage, Reader, State, Unreadable};
use crate::source::{Place, Source};
use crate::yaml::{Node, Tree};

/// Configuration in HCL.
pub static KIND: Kind = Kind {
    name: "terraform",
    title: "Terraform and OpenTofu",
    files: "`*.tf`, `*.tofu`",
    reads: "images of kubernetes, docker, nomad, ECS, Batch, Lambda, App Runner, Cloud Run and Azure container resources, \
            what modules are given as `image`, `image_uri` or `…_image`, through defaults of variables and through \
            locals of the same file",
    decided: "`var.…` by the `default` of the variable and `local.…` by the local, also fixed elements of objects; \
            container definitions in `jsonencode` and here-documents, objects in `manifest` and `yaml_body`, jobs in \
            `jobspec`; an image that is a `docker_image` is judged there, `file(…)` where that file is; a machine \
            image of a cloud and a plain word that a module is given as `image` are no container images",
    unresolved: "a variable without a default or declared in another file (`*.tfvars` are not read), attributes of \
            resources and data, functions, conditions, definitions that are made elsewhere: write the image in \
            quotes, or give the variable a default with a digest in the same file",
    example: &[(
        "main.tf",
        r#"variable "tag" {
  default = "1.2.3@sha256:28db6fdf60e38945e43d840c0333aeaec66c15943070104f7586fd3c9d1665b0"
}

resource "aws_ecs_task_definition" "web" {
  family = "web"
  container_definitions = jsonencode([
    { name = "web", image = "ghcr.io/org/web:${var.tag}" },
    { name = "worker", image = "ghcr.io/org/worker:1.2.3" },
    { name = "proxy", image = "${aws_ecr_repository.proxy.repository_url}:1.2.3" },
  ])
}
"#,
    )],
    reader: Reader::Text { claims: is_named, read },
};

/// Configuration in JSON.
pub static JSON: Kind = Kind {
    name: "terraform-json",
    title: "Terraform and OpenTofu in JSON",
    files: "`*.tf.json`, `*.tofu.json`",
    reads: "the same images as in `*.tf`",
    decided: "`${var.…}` by the `default` of the variable and `${local.…}` by the local, where that is a text in the \
            same file",
    unresolved: "any other expression in the text (`${ }`) and definitions that are embedded as a text: write the image out \
            with its digest, or write the resource in HCL",
    example: &[(
        "main.tf.json",
        r#"{"resource": {"docker_container": {"web": {"image": "ghcr.io/org/web:1.2.3@sha256:28db6fdf60e38945e43d840c0333aeaec66c15943070104f7586fd3c9d1665b0"}, "proxy": {"image": "${var.proxy}"}}}}
"#,
    )],
    reader: Reader::Document(read_json),
};

/// Prefixes of resource types, and the names of the attributes in them that are images.
const RESOURCES: [(&str, &[&str]); 18] = [
    ("kubernetes_config_map", &[]),
    ("kubernetes_secret", &[]),
    ("kubernetes_manifest", &["image", "manifest"]),
    ("kubectl_manifest", &["yaml_body"]),
    ("kubernetes_", &["image"]),
    ("docker_container", &["image"]),
    ("docker_service", &["image"]),
    ("docker_image", &["name"]),
    ("docker_registry_image", &[]),
    ("aws_ecs_", &["image", "container_definitions"]),
    ("aws_batch_job_definition", &["image", "container_properties", "ecs_properties", "node_properties"]),
    ("aws_lambda_function", &["image_uri"]),
    ("aws_apprunner_service", &["image_identifier"]),
    ("aws_sagemaker_model", &["image"]),
    ("google_cloud_run", &["image"]),
    ("azurerm_container_", &["image"]),
    ("azapi_resource", &["image"]),
    ("nomad_job", &["jobspec"]),
];

/// Where embedded documents hold images: those of ECS and Batch, and Kubernetes objects.
const DEFINITIONS: [&str; 4] = ["[].image", "image", "containers.[].image", "taskProperties.[].containers.[].image"];
const CONTAINERS: [&str; 3] = ["**.containers.[].image", "**.initContainers.[].image", "**.volumes.[].image.reference"];

fn attributes_of(resource: &str) -> Option<&'static [&'static str]> {
    RESOURCES.iter().find(|(prefix, _)| resource.starts_with(prefix)).map(|(_, names)| *names)
}

fn is_named(name: &str) -> bool {
    matches!(name.rsplit_once('.'), Some((_, "tf" | "tofu")))
}

fn read(source: &Arc<Source>, found: &mut Found) -> bool {
    let text = Text::of(source);
    let body = match text.parse() {
        Ok(body) => body,
        Err(broken) => {
            broken.report(source, found);
            return true;
        }
    };
    let scope = Scope::new(text, &body, Names::Prefixed);
    for block in body.blocks().filter(|block| block.ident.as_str() == "resource") {
        let (Some(kind), Some(name)) = (hcl::label(block, 0), hcl::label(block, 1)) else { continue };
        let Some(names) = attributes_of(kind) else { continue };
        let before = found.images.len();
        let mut resource = Resource { text, scope: &scope, names, of_module: false, path: vec![kind, name], found };
        // An image that is built here names what is pushed.
        if kind == "docker_image" && block.body.has_blocks("build") {
            resource.built(block);
        } else {
            resource.body(&block.body);
        }
        for image in found.images.iter_mut().skip(before) {
            image.resource = Some(format!("{kind}.{name}"));
        }
    }
    read_modules(text, &scope, &body, found);
    true
}

/// What modules are given as images: their schema is not known here.
fn read_modules(text: Text<'_>, scope: &Scope<'_>, body: &Body, found: &mut Found) {
    for block in body.get_blocks("module") {
        let module = format!("module.{}", hcl::label(block, 0).unwrap_or_default());
        let mut given = Found::default();
        Resource { text, scope, names: &[], of_module: true, path: vec![&module], found: &mut given }.body(&block.body);
        found.images.extend(given.images.into_iter().filter_map(|image| given_image(&module, image)));
    }
}

/// What a module is given, where it is an image or may be one.
fn given_image(module: &str, mut image: LocatedImage) -> Option<LocatedImage> {
    let field = image.field.strip_prefix(module).unwrap_or(&image.field);
    let is_certain = ["container", "docker", "image_uri"].iter().any(|word| field.contains(word));
    let written = image.written.as_str();
    let is_image = match &image.state {
        _ if matches!(written, "null" | "true" | "false") => false,
        _ if is_certain => true,
        State::Reference(reference) => {
            let text = reference.as_str();
            let is_path = reference.name().contains('/') && !kubernetes::is_file_name(reference.path());
            kubernetes::is_image_like(text) || is_path && !is_of_machine(text)
        }
        State::Malformed { text, .. } => is_like_reference(text),
        _ => !is_of_machine(written),
    };
    image.resource = Some(module.to_owned());
    is_image.then_some(image)
}

/// Whether a module's argument of this name is an image. Those of machines say so, and so do switches.
fn is_given_name(name: &str) -> bool {
    const MACHINES: [&str; 6] = ["source_image", "boot_image", "os_image", "vm_image", "disk_image", "machine_image"];
    const SWITCHES: [&str; 9] = ["create_", "use_", "enable_", "skip_", "keep_", "force_", "delete_", "is_", "has_"];
    (name == "image" || name.ends_with("_image") || name.ends_with("image_uri"))
        && !MACHINES.iter().any(|machine| name.ends_with(machine))
        && !SWITCHES.iter().any(|switch| name.starts_with(switch))
}

/// Whether a text, or the expression in it, is the image of a machine in a cloud.
fn is_of_machine(text: &str) -> bool {
    const PROJECTS: [&str; 14] = [
        "centos-cloud/",
        "cos-cloud/",
        "debian-cloud/",
        "deeplearning-platform-release/",
        "fedora-cloud/",
        "fedora-coreos-cloud/",
        "opensuse-cloud/",
        "rhel-cloud/",
        "rhel-sap-cloud/",
        "rocky-linux-cloud/",
        "suse-cloud/",
        "ubuntu-os-cloud/",
        "ubuntu-os-pro-cloud/",
        "windows-cloud/",
    ];
    const BEGINNINGS: [&str; 6] = ["ami-", "Canonical:", "/subscriptions/", "https://", "global/images/", "self_link:"];
    const TYPES: [&str; 9] = [
        "aws_ami",
        "google_compute_image",
        "azurerm_image",
        "azurerm_shared_image",
        "azurerm_platform_image",
        "openstack_images_image",
        "hcloud_image",
        "digitalocean_image",
        "oci_core_images",
    ];
    let expression = text.strip_prefix("${").and_then(|text| text.strip_suffix('}')).unwrap_or(text);
    let expression = expression.strip_prefix("data.").unwrap_or(expression);
    let is_path = expression.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '[' | ']' | '*'));
    BEGINNINGS.iter().chain(&PROJECTS).any(|beginning| text.starts_with(beginning))
        || text.starts_with("projects/") && text.contains("/images/")
        || is_path && TYPES.iter().any(|kind| expression.starts_with(kind))
}

/// Whether a text that is no reference is meant as one: it has a digest or a registry.
fn is_like_reference(text: &str) -> bool {
    let Some((domain, path)) = text.split_once('/') else { return text.contains("@sha") };
    let (host, port) = domain.split_once(':').unwrap_or((domain, "0"));
    let is_registry = host == "localhost" || host.contains('.') && host.starts_with(char::is_alphanumeric);
    let is_file = kubernetes::is_file_name(path) || text.starts_with("https://") || text.starts_with("http://");
    text.contains("@sha") || is_registry && !is_file && port.bytes().all(|byte| byte.is_ascii_digit())
}

/// One resource: which attributes are images, and where the walk stands in it.
struct Resource<'r, 'b, 'f> {
    text: Text<'b>,
    scope: &'r Scope<'b>,
    names: &'static [&'static str],
    /// Not a resource but a module: names alone tell what is an image.
    of_module: bool,
    path: Vec<&'b str>,
    found: &'f mut Found,
}

impl<'b> Resource<'_, 'b, '_> {
    fn built(&mut self, block: &'b Block) {
        let Some(name) = block.body.get_attribute("name") else { return };
        if let Some(mut image) = self.scope.image(KIND.name, &name.value, self.field("name")) {
            image.state = State::Built;
            image.built = true;
            self.found.images.push(image);
        }
    }

    fn body(&mut self, body: &'b Body) {
        for attribute in body.attributes() {
            self.attribute(attribute.key.as_str(), &attribute.value);
        }
        for block in body.blocks() {
            self.path.push(block.ident.as_str());
            let labels = self.path.len();
            self.path.extend(hcl::label(block, 0));
            self.body(&block.body);
            self.path.truncate(labels - 1);
        }
    }

    fn field(&self, name: &str) -> String {
        format!("{}.{name}", self.path.join("."))
    }

    fn attribute(&mut self, name: &'b str, value: &'b Expression) {
        if !(self.names.contains(&name) || self.of_module && is_given_name(name)) {
            return self.nested(name, value);
        }
        match (name, value) {
            ("container_definitions" | "container_properties" | "ecs_properties" | "node_properties", value) => {
                self.embedded(name, value);
            }
            ("manifest" | "yaml_body", value) => self.objects(name, value),
            ("jobspec", Expression::HeredocTemplate(heredoc)) => self.job(heredoc),
            ("jobspec", Expression::FuncCall(call)) if call.name.name.as_str() == "file" => {}
            // Cloud Functions, machines: an object called image is no reference.
            (_, Expression::Object(_) | Expression::Array(_)) => self.nested(name, value),
            _ => {
                if is_of_docker_image(value) {
                    return;
                }
                let image = self.scope.image(KIND.name, value, self.field(name));
                self.found.images.extend(image.filter(|image| !image.written.is_empty()));
            }
        }
    }

    /// Objects and lists in a value, and what a function is given.
    fn nested(&mut self, name: &'b str, value: &'b Expression) {
        self.path.push(name);
        match value {
            Expression::Object(object) => {
                for (key, value) in object {
                    self.attribute(hcl::key_text(key).unwrap_or("*"), value.expr());
                }
            }
            Expression::Array(array) => {
                for item in array {
                    self.nested_here(item);
                }
            }
            Expression::FuncCall(call) => {
                for argument in &call.args {
                    self.nested_here(argument);
                }
            }
            Expression::Parenthesis(inner) => self.nested_here(inner.inner()),
            Expression::Conditional(either) => {
                self.nested_here(&either.true_expr);
                self.nested_here(&either.false_expr);
            }
            Expression::ForExpr(each) => self.nested_here(&each.value_expr),
            _ => {}
        }
        self.path.pop();
    }

    /// A value inside another one: its place has no name of its own.
    fn nested_here(&mut self, value: &'b Expression) {
        let Some(last) = self.path.pop() else { return };
        self.nested(last, value);
        self.path.push(last);
    }

    /// Container definitions: what `jsonencode` is given, or JSON in a text.
    fn embedded(&mut self, name: &'b str, value: &'b Expression) {
        let before = (self.found.images.len(), self.found.unreadable.len());
        match value {
            Expression::HeredocTemplate(heredoc) => {
                let elements: Vec<_> = heredoc.template.iter().collect();
                self.documents(name, &elements, heredoc.template.span().unwrap_or_default(), &DEFINITIONS);
            }
            Expression::FuncCall(call) if call.name.name.as_str() == "file" => return,
            Expression::FuncCall(call) if call.name.name.as_str() == "jsonencode" => {
                for argument in &call.args {
                    match argument {
                        Expression::Array(items) => items.iter().for_each(|item| self.definition(name, item)),
                        other => self.nested(name, other),
                    }
                }
            }
            Expression::String(_) | Expression::StringTemplate(_) => {}
            other => self.nested(name, other),
        }
        // Definitions that come from elsewhere are never passed over in silence.
        if (self.found.images.len(), self.found.unreadable.len()) == before {
            let image = self.scope.image(KIND.name, value, self.field(name));
            self.found.images.extend(image.map(made_elsewhere));
        }
    }

    /// One container definition: one that is written elsewhere is never passed over in silence.
    fn definition(&mut self, name: &'b str, value: &'b Expression) {
        let before = self.found.images.len();
        self.nested(name, value);
        if self.found.images.len() == before && !matches!(value, Expression::Object(_)) {
            let image = self.scope.image(KIND.name, value, self.field(name));
            self.found.images.extend(image.map(made_elsewhere));
        }
    }

    /// Kubernetes objects: an HCL object, or YAML in a here-document.
    fn objects(&mut self, name: &'b str, value: &'b Expression) {
        match value {
            Expression::HeredocTemplate(heredoc) => {
                let elements: Vec<_> = heredoc.template.iter().collect();
                self.documents(name, &elements, heredoc.template.span().unwrap_or_default(), &CONTAINERS);
            }
            Expression::FuncCall(call) if call.name.name.as_str() == "yamldecode" => {
                call.args.iter().for_each(|argument| self.objects(name, argument));
            }
            _ => self.nested(name, value),
        }
    }

    /// JSON or YAML in a here-document. Its interpolations are blanked out of a copy, byte by byte, so that it parses
    /// and every place stays.
    fn documents(&mut self, name: &str, elements: &[&Element], range: Range<usize>, patterns: &[&str]) {
        let Some(raw) = self.text.raw.get(range.clone()) else { return };
        let mut copy = raw.as_bytes().to_vec();
        for element in elements.iter().filter(|element| element.as_literal().is_none()) {
            let span = element.span().unwrap_or_default();
            let hole = span.start.saturating_sub(range.start)..span.end.saturating_sub(range.start);
            copy.get_mut(hole).unwrap_or_default().fill(b'x');
        }
        let Ok(copy) = String::from_utf8(copy) else { return };
        let tree = Tree::yaml(&copy);
        for error in tree.errors() {
            let at = range.start + error.offset as usize;
            let place = Place::new(self.text.source, self.text.span(at..at));
            let message = format!("the embedded text cannot be read: {}", error.message);
            self.found.unreadable.push(Unreadable { place, message, help: None });
        }
        for root in tree.documents(&copy) {
            for item in root.items().filter(|item| !item.is_mapping()) {
                // A whole definition is interpolated.
                let span = range.start + item.span().start as usize..range.start + item.span().end as usize;
                let image = self.scope.image_in_template(KIND.name, elements, span, self.field(name));
                self.found.images.push(made_elsewhere(image));
            }
            for pattern in patterns {
                Places::new(root).each(pattern, &mut |node: Node<'_>, field| {
                    let span = node.resolve().unwrap_or(node).span();
                    let span = range.start + span.start as usize..range.start + span.end as usize;
                    let dot = if field.starts_with('[') { "" } else { "." };
                    let field = self.field(&format!("{name}{dot}{field}"));
                    self.found.images.push(self.scope.image_in_template(KIND.name, elements, span, field));
                });
            }
        }
    }

    /// A Nomad job in a here-document.
    fn job(&mut self, heredoc: &HeredocTemplate) {
        let Some(text) = heredoc.template.span().and_then(|range| self.text.part(range)) else { return };
        match text.parse() {
            Ok(body) => {
                nomad::read_body(text, &body, self.found);
            }
            Err(broken) => broken.report(text.source, self.found),
        }
    }
}

fn made_elsewhere(mut image: LocatedImage) -> LocatedImage {
    image.state = State::unresolved("the container definition is made elsewhere");
    image
}

/// Whether an image is the one of a `docker_image` resource, which is judged itself.
fn is_of_docker_image(value: &Expression) -> bool {
    let Expression::Traversal(traversal) = value else { return false };
    matches!(&traversal.expr, Expression::Variable(name) if name.as_str() == "docker_image")
}

/// Whether a file of this name is configuration in JSON.
pub(super) fn is_json_named(name: &str) -> bool {
    name.ends_with(".tf.json") || name.ends_with(".tofu.json")
}

fn read_json(document: &Document<'_>, found: &mut Found) -> bool {
    let root = document.root;
    if !is_json_named(document.source.file_name()) {
        return false;
    }
    let scope = JsonScope::new(root, Names::Prefixed);
    let mut places = Places::new(root);
    for (kind, group) in hcl::at_top(root, "resource").flat_map(hcl::labelled) {
        for name in attributes_of(kind).unwrap_or_default() {
            places.each_from(group, "**", &mut |node, path| {
                let Some(node) = node.get(name).and_then(Node::resolve) else { return };
                let field = format!("resource.{kind}.{path}.{name}");
                found.images.extend(image_in_json(document, &scope, node, &field));
            });
        }
    }
    for (name, body) in hcl::at_top(root, "module").flat_map(hcl::labelled) {
        let module = format!("module.{name}");
        places.each_from(body, "**", &mut |node, path| {
            for (key, value) in node.entries() {
                let Some(key) = key.scalar().filter(|key| is_given_name(key)) else { continue };
                let dot = if path.is_empty() || path.starts_with('[') { "" } else { "." };
                let field = format!("{module}{dot}{path}.{key}");
                let image = scope.image(JSON.name, document.source, value, &field);
                found.images.extend(image.and_then(|image| given_image(&module, image)));
            }
        });
    }
    true
}

fn image_in_json<'t>(
    document: &Document<'t>,
    scope: &JsonScope<'t>,
    node: Node<'t>,
    field: &str,
) -> Option<LocatedImage> {
    const TEXTS: [&str; 4] = ["definitions", "properties", "jobspec", "yaml_body"];
    let mut image = scope.image(JSON.name, document.source, node, field)?;
    if TEXTS.iter().any(|text| field.ends_with(text)) {
        image.state = State::unresolved("the text holds containers: write them into a file of their own");
    }
    Some(image)
}

#[cfg(test)]
mod tests {
    use crate::manifest::place::tests::{find, images};

    #[test]
    fn resources_that_run_containers() {
        let text = r#"
resource "kubernetes_deployment_v1" "web" {
  spec {
    template {
      spec {
        container {
          image = "web:1"
        }
        init_container {
          image = var.init
        }
      }
    }
  }
}
variable "init" {
  default = "init:1"
}
resource "docker_image" "r" {
  name = "redis:7"
}
resource "docker_container" "r" {
  image = docker_image.r.image_id
}
resource "google_compute_instance" "vm" {
  image = "debian-12"
}
resource "aws_lambda_function" "f" {
  image_uri = "${aws_ecr_repository.f.repository_url}:1"
}
"#;
        assert_eq!(
            images("main.tf", text),
            [
                "7:20 kubernetes_deployment_v1.web.spec.template.spec.container.image web:1 unpinned web:1",
                "10:19 kubernetes_deployment_v1.web.spec.template.spec.init_container.image var.init unpinned init:1",
                "20:11 docker_image.r.name redis:7 unpinned redis:7",
                "29:16 aws_lambda_function.f.image_uri ${aws_ecr_repository.f.repository_url}:1 unresolved -",
            ]
        );
    }

    #[test]
    fn container_definitions_in_every_form() {
        let text = |value: &str| {
            format!(
                "resource \"aws_ecs_task_definition\" \"t\" {{\n  container_definitions = {value}\n}}\nlocals {{\n  tag = \"7\"\n}}\n"
            )
        };
        let field = "aws_ecs_task_definition.t.container_definitions";
        assert_eq!(
            images("a.tf", &text("jsonencode([{ image = \"a:1\" }, { \"image\" : \"b\" }])")),
            [format!("2:50 {field}.image a:1 unpinned a:1"), format!("2:71 {field}.image b unpinned b")]
        );
        assert_eq!(
            images(
                "a.tf",
                &text("<<EOT\n[{\"image\": \"é:${local.tag}\", \"port\": ${var.p}}, {\"image\": \"a:1\"}]\nEOT")
            ),
            [
                format!("3:13 {field}[0].image é:${{local.tag}} malformed é:7"),
                format!("3:60 {field}[1].image a:1 unpinned a:1")
            ]
        );
        assert_eq!(images("a.tf", &text("module.x.json")), [format!("2:27 {field} module.x.json unresolved -")]);
        assert_eq!(images("a.tf", &text("jsonencode([{ image = \"a:1\" }, local.side])")).len(), 2);
        assert_eq!(images("a.tf", &text("<<EOT\n[{\"image\": \"a\"}, ${local.side}]\nEOT")).len(), 2);
    }

    #[test]
    fn objects_in_here_documents() {
        let text = "resource \"kubectl_manifest\" \"m\" {\n  yaml_body = <<-YAML\n    spec:\n      containers:\n      - image: a:${var.x}\n  YAML\n}\n";
        assert_eq!(
            images("a.tf", text),
            ["5:16 kubectl_manifest.m.yaml_body.spec.containers[0].image a:${var.x} unresolved -"]
        );
        let broken = "resource \"kubectl_manifest\" \"m\" {\n  yaml_body = <<YAML\na: [\nYAML\n}\n";
        assert_eq!(find("a.tf", broken).unreadable.len(), 1);
    }

    #[test]
    fn modules_are_given_images() {
        let text = "module \"m\" {\n  source = \"x\"\n  containers = { web = { image = \"a/b:1\" }, x = { image = var.y } }\n  image = \"ubuntu\"\n}\n";
        assert_eq!(
            images("a.tf", text),
            [
                "3:35 module.m.containers.web.image a/b:1 unpinned a/b:1",
                "3:59 module.m.containers.x.image var.y unresolved -"
            ]
        );
    }

    /// What a module that is given one argument has: written and status.
    fn given(argument: &str) -> Option<String> {
        let text = format!("variable \"v\" {{\n  default = \"org/v\"\n}}\nmodule \"m\" {{\n  {argument}\n}}\n");
        let found = find("a.tf", &text);
        assert!(found.unreadable.is_empty() && found.images.len() < 2, "{argument}");
        found.images.first().map(|image| format!("{} {}", image.written, image.status()))
    }

    #[test]
    fn what_a_module_is_given_is_never_passed_over() {
        for (argument, expected) in [
            ("image = var.image", "var.image unresolved"),
            ("image = \"ghcr.io/org/app:${var.tag}\"", "ghcr.io/org/app:${var.tag} unresolved"),
            ("image = \"ghcr.io/org/app\"", "ghcr.io/org/app unpinned"),
            ("image = \"org/app\"", "org/app unpinned"),
            ("image = \"nginx:1\"", "nginx:1 unpinned"),
            ("image = var.v", "var.v unpinned"),
            ("image = \"ghcr.io/org/app@sha256:12\"", "ghcr.io/org/app@sha256:12 malformed"),
            ("image = \"ghcr.io/Org/app\"", "ghcr.io/Org/app malformed"),
            ("image = format(\"%s:1\", \"a\")", "format(\"%s:1\", \"a\") unresolved"),
            ("image_uri = module.b.uri", "module.b.uri unresolved"),
            ("container_image = \"nginx\"", "nginx unpinned"),
            ("sidecar_image = var.sidecar", "var.sidecar unresolved"),
            ("list = { (var.name) = { image = var.image } }", "var.image unresolved"),
        ] {
            assert_eq!(given(argument).as_deref(), Some(expected), "{argument}");
        }
    }

    #[test]
    fn images_of_machines_and_switches_are_none() {
        for argument in [
            "image = \"ubuntu\"",
            "image = \"ami-0123456789abcdef0\"",
            "image = \"ami-${var.ami}\"",
            "image = \"projects/debian-cloud/global/images/family/debian-12\"",
            "image = \"projects/${var.project}/global/images/x\"",
            "image = \"debian-cloud/debian-12\"",
            "image = \"Canonical:UbuntuServer:18.04-LTS:latest\"",
            "image = data.aws_ami.x.id",
            "image = \"${data.google_compute_image.x.self_link}\"",
            "image = null",
            "image_id = var.image",
            "source_image = var.image",
            "logo_image = \"assets/logo.png\"",
            "create_image = var.create",
            "pull_image = true",
        ] {
            assert_eq!(given(argument), None, "{argument}");
        }
    }

    #[test]
    fn jobs_in_here_documents() {
        let text = "resource \"nomad_job\" \"j\" {\n  jobspec = <<EOT\njob \"j\" {\n  task \"t\" {\n    config {\n      image = \"a:1\"\n    }\n  }\n}\nEOT\n}\n";
        assert_eq!(images("a.tf", text), ["6:16 job.j.task.t.config.image a:1 unpinned a:1"]);
    }

    #[test]
    fn json_is_read_by_its_name() {
        let text = r#"{"resource": {"docker_image": {"a": {"name": "a:1"}}, "aws_ami": {"x": {"name": "x:1"}}}}"#;
        assert_eq!(images("a.tf.json", text), ["1:47 resource.docker_image.a.name a:1 unpinned a:1"]);
    }

    #[test]
    fn json_is_filled_in_and_modules_are_read() {
        let text = r#"{"variable": {"tag": {"default": "1"}, "none": {}}, "locals": [{"app": "org/app:${var.tag}"}],
"resource": [{"docker_container": [{"a": {"image": "${local.app}"}, "b": {"image": "${var.none}"}}]}],
"module": {
"a": {"image": "ghcr.io/org/app"},
"b": [{"containers": [{"image": "${local.app}"}]}],
"c": {"image": "${var.none}", "source_image": "${var.x}"},
"d": {"image": "ubuntu"},
"e": {"image": "${data.aws_ami.x.id}", "create_image": true}
}}"#;
        assert_eq!(
            images("a.tf.json", text),
            [
                "2:53 resource.docker_container.a.image ${local.app} unpinned org/app:1",
                "2:85 resource.docker_container.b.image ${var.none} unresolved -",
                "4:17 module.a.image ghcr.io/org/app unpinned ghcr.io/org/app",
                "5:34 module.b.containers[0].image ${local.app} unpinned org/app:1",
                "6:17 module.c.image ${var.none} unresolved -",
            ]
        );
        // Nothing in this file says "image".
        let job = r#"{"resource": {"nomad_job": {"j": {"jobspec": "${var.job}"}}}}"#;
        assert_eq!(images("a.tf.json", job).len(), 1);
    }

    #[test]
    fn what_cannot_be_read_is_told() {
        assert_eq!(find("a.tf", "resource {\n  x = \n}\n").unreadable.len(), 1);
        assert!(find("a.tf", "").images.is_empty());
    }
}
