//! Amazon ECS task definitions, Copilot manifests, and `CloudFormation` templates of services that run images.
//!
//! Sources: the ECS, Batch, App Runner and Lambda references, the `CloudFormation` intrinsic functions.

use super::place::{self, Places};
use super::slot::{self, Elsewhere, Ending};
use super::{Document, Found, Kind, LocatedImage, Reader, Related, State};
use crate::source::Place;
use crate::yaml::{Node, NodeKind};

/// Task definitions and what borrows their form.
pub static KIND: Kind = Kind {
    name: "ecs",
    title: "Amazon ECS task definitions",
    files: "YAML and JSON with `containerDefinitions` or `containerProperties`, Copilot manifests",
    reads: "`image` of container definitions and Batch jobs, `image.location` and sidecars of Copilot services",
    decided: "nothing is filled in, the text is deployed as it stands; what a Copilot manifest builds is built on \
            deployment",
    unresolved: "placeholders and variables in the text (`<IMAGE1_NAME>`, `${ }`): write the image out with its \
            digest, or check the rendered task definition (`… | digest-gate check -`)",
    example: &[(
        "task-definition.json",
        r#"{
  "family": "web",
  "containerDefinitions": [
    {"name": "web", "image": "ghcr.io/org/web:1.2.3@sha256:28db6fdf60e38945e43d840c0333aeaec66c15943070104f7586fd3c9d1665b0"},
    {"name": "worker", "image": "ghcr.io/org/worker:1.2.3"},
    {"name": "proxy", "image": "<IMAGE1_NAME>"}
  ]
}
"#,
    )],
    reader: Reader::Document(read_task),
};

/// Templates.
pub static TEMPLATE: Kind = Kind {
    name: "cloudformation",
    title: "CloudFormation, SAM and CDK templates",
    files: "YAML and JSON with `Resources` of types `AWS::…`",
    reads: "images of ECS, Batch, App Runner, Lambda and SageMaker resources, through `Sub`, `Ref`, `Join` and `If`",
    decided: "parameters by their `Default`, through `Ref`, `Sub` and `Join`; of an `If` both branches, for either \
            can be deployed",
    unresolved: "a parameter without a default or from the parameter store, pseudo parameters (`AWS::AccountId`), all \
            other functions (`ImportValue`, `GetAtt`, `FindInMap`): write the image out with its digest, or give the \
            parameter a default with one",
    example: &[(
        "template.yaml",
        "Parameters:
  Tag: {Type: String, Default: '1.2.3@sha256:28db6fdf60e38945e43d840c0333aeaec66c15943070104f7586fd3c9d1665b0'}
Resources:
  Task:
    Type: AWS::ECS::TaskDefinition
    Properties:
      ContainerDefinitions:
      - Name: web
        Image: !Sub 'ghcr.io/org/web:${Tag}'
      - Name: worker
        Image: ghcr.io/org/worker:1.2.3
      - Name: proxy
        Image: !Sub '${AWS::AccountId}.dkr.ecr.eu-west-1.amazonaws.com/proxy:1.2.3'
",
    )],
    reader: Reader::Document(read_template),
};

/// Resource types whose properties name images, and the keys that do.
const RESOURCES: [(&str, &str); 6] = [
    ("AWS::ECS::TaskDefinition", "Image"),
    ("AWS::Batch::JobDefinition", "Image"),
    ("AWS::AppRunner::Service", "ImageIdentifier"),
    ("AWS::Lambda::Function", "ImageUri"),
    ("AWS::Serverless::Function", "ImageUri"),
    ("AWS::SageMaker::Model", "Image"),
];

/// Types of Copilot services and jobs.
const COPILOT: [&str; 6] = [
    "Load Balanced Web Service",
    "Backend Service",
    "Worker Service",
    "Request-Driven Web Service",
    "Scheduled Job",
    "Static Site",
];

/// How many nested functions are followed.
const MAX_DEPTH: usize = 16;

fn read_task(document: &Document<'_>, found: &mut Found) -> bool {
    let root = document.root;
    if root.get("type").and_then(Node::string).is_some_and(|kind| COPILOT.contains(&kind)) {
        read_copilot(document, found);
        return true;
    }
    if is_list_of_definitions(root) {
        place::report(KIND.name, document, &["[].image", "[].Image"], found);
        return true;
    }
    // `TaskDefinition` of the API's answers and `taskDefinition` around the whole are the same task.
    let mut lists = Vec::new();
    for (key, value) in root.entries() {
        let Some(name) = key.scalar() else { continue };
        if is_definitions(name, value) {
            lists.push((name.to_owned(), value));
        } else if name.eq_ignore_ascii_case("taskDefinition") {
            let inner = value.entries().filter_map(|(key, list)| Some((key.scalar()?, list)));
            lists.extend(
                inner.filter(|(key, list)| is_definitions(key, *list)).map(|(k, v)| (format!("{name}.{k}"), v)),
            );
        }
    }
    let batch = root.get("containerProperties").filter(|_| root.get("jobDefinitionName").is_some());
    if lists.is_empty() && batch.is_none() {
        return false;
    }
    for (name, list) in lists {
        for (index, container) in list.items().enumerate() {
            let image = container.entries().filter(|(key, _)| is_key(*key, "image")).last();
            let Some((key, image)) = image else { continue };
            let field = format!("{name}[{index}].{}", key.scalar().unwrap_or_default());
            found.images.extend(place::image(KIND.name, document.source, image, &field));
        }
    }
    place::report(KIND.name, document, &["containerProperties.image"], found);
    true
}

fn is_key(key: Node<'_>, name: &str) -> bool {
    key.scalar().is_some_and(|key| key.eq_ignore_ascii_case(name))
}

fn is_definitions(name: &str, value: Node<'_>) -> bool {
    (name.eq_ignore_ascii_case("containerDefinitions") || name == "container_definitions") && value.is_sequence()
}

/// Whether a document is the bare list that Terraform and scripts hand to ECS.
fn is_list_of_definitions(root: Node<'_>) -> bool {
    const MARKS: [&str; 6] =
        ["essential", "portMappings", "logConfiguration", "memoryReservation", "mountPoints", "taskDefinitionArn"];
    root.is_sequence()
        && root.items().next().is_some()
        && root.items().all(|item| item.get("name").is_some() && item.get("image").is_some())
        && root.items().any(|item| MARKS.iter().any(|mark| item.get(mark).is_some()))
}

fn read_copilot(document: &Document<'_>, found: &mut Found) {
    place::report(
        KIND.name,
        document,
        &["image.location", "sidecars.*.image", "environments.*.image.location", "environments.*.sidecars.*.image"],
        found,
    );
    let mut places = Places::new(document.root);
    for pattern in ["image.build", "sidecars.*.image.build", "environments.*.image.build"] {
        places.each(pattern, &mut |node, field| {
            found.images.push(place::built(KIND.name, document.source, node, field));
        });
    }
}

fn read_template(document: &Document<'_>, found: &mut Found) -> bool {
    let Some(resources) = document.root.get("Resources").filter(|resources| resources.is_mapping()) else {
        return false;
    };
    let type_of = |resource: Node<'_>| resource.get("Type").and_then(Node::string).map(str::to_owned);
    let is_template =
        |name: &str| name.starts_with("AWS::") || name.starts_with("Custom::") || name.starts_with("Alexa::");
    let known = document.root.get("AWSTemplateFormatVersion").is_some();
    if !known && !resources.entries().any(|(_, resource)| type_of(resource).is_some_and(|name| is_template(&name))) {
        return false;
    }
    let used_elsewhere = &Elsewhere::default();
    for (name, resource) in resources.entries() {
        let (Some(name), Some(kind), Some(properties)) = (name.scalar(), type_of(resource), resource.get("Properties"))
        else {
            continue;
        };
        let Some((_, key)) = RESOURCES.iter().find(|(resource, _)| *resource == kind) else { continue };
        let before = found.images.len();
        Places::new(properties).each("**", &mut |node, path| {
            let Some((_, image)) = node.entries().filter(|(name, _)| is_key(*name, key)).last() else { return };
            let dot = if path.is_empty() { "" } else { "." };
            let field = format!("Resources.{name}.Properties{dot}{path}.{key}");
            let mut template = Template { document, used_elsewhere, found };
            template.images(image, &field, MAX_DEPTH);
        });
        for image in found.images.iter_mut().skip(before) {
            image.resource = Some(format!("{kind}/{name}"));
        }
    }
    true
}

struct Template<'d, 't, 'f> {
    document: &'d Document<'t>,
    used_elsewhere: &'d Elsewhere,
    found: &'f mut Found,
}

/// A text that functions come to, and the parameters that took part.
#[derive(Default)]
struct Value<'t> {
    text: String,
    parameters: Vec<(String, Node<'t>)>,
    /// The texts that it ends with, the innermost first, and the parameter that each is the default of.
    ends: Vec<(String, Node<'t>)>,
}

impl Value<'_> {
    /// Adds what another value comes to.
    fn extend(&mut self, other: Self) {
        self.text.push_str(&other.text);
        self.parameters.extend(other.parameters);
        if !other.text.is_empty() {
            self.ends = other.ends;
        }
    }

    fn literal(&mut self, text: &str) {
        self.text.push_str(text);
        if !text.is_empty() {
            self.ends.clear();
        }
    }
}

/// The name of an intrinsic function and its argument, in the short and in the long form.
fn function(node: Node<'_>) -> Option<(&str, Node<'_>)> {
    if let Some(tag) = node.tag()
        && let Some(name) = tag.strip_prefix('!')
        && !name.starts_with('!')
    {
        return Some((name, node));
    }
    let mut entries = node.entries();
    let (key, value) = entries.next()?;
    let name = key.scalar()?;
    let name = if name == "Ref" { name } else { name.strip_prefix("Fn::")? };
    entries.next().is_none().then_some((name, value))
}

impl<'t> Template<'_, 't, '_> {
    /// Reports what a value names; both branches of an `If`, for either can be deployed.
    fn images(&mut self, node: Node<'t>, field: &str, depth: usize) {
        let Some(below) = depth.checked_sub(1) else { return self.image(node, field) };
        match function(node) {
            Some(("If", argument)) if argument.items().count() == 3 => {
                for branch in argument.items().skip(1) {
                    self.images(branch, field, below);
                }
            }
            Some(("Ref", argument)) if argument.scalar() == Some("AWS::NoValue") => {}
            _ => self.image(node, field),
        }
    }

    fn image(&mut self, node: Node<'t>, field: &str) {
        let source = self.document.source;
        let Some((name, argument)) = function(node) else {
            if node.scalar().is_some() {
                self.found.images.extend(place::image(TEMPLATE.name, source, node, field));
            } else if let Some(node) = node.resolve() {
                let why = "it is a list or an object, not a text";
                let text = source.slice(node.span());
                self.found.images.push(LocatedImage::new(
                    TEMPLATE.name,
                    source,
                    node.span(),
                    field,
                    text,
                    State::unresolved(why),
                ));
            }
            return;
        };
        let at = if name == "Sub" { argument.items().next().unwrap_or(argument) } else { argument };
        let Some(at) = at.resolve() else { return };
        let written = at.scalar().unwrap_or_else(|| source.slice(at.span()));
        let (state, Value { parameters, ends, .. }) = match self.value(node, MAX_DEPTH) {
            Ok(value) => (place::state_of(&value.text), value),
            Err(why) => (State::unresolved(why), Value::default()),
        };
        let mut image = LocatedImage::new(TEMPLATE.name, source, at.span(), field, written, state);
        image.variable = !parameters.is_empty();
        image.related = parameters
            .into_iter()
            .map(|(name, node)| Related {
                place: Place::new(source, node.span()),
                message: format!("the default of the parameter `{name}`"),
            })
            .collect();
        let ending = |(name, node): (String, Node<'t>)| {
            let node = node.resolve().unwrap_or(node);
            Ending { place: Place::new(source, node.span()), name, form: slot::form_of(source, node) }
        };
        let ends: Vec<_> = ends.into_iter().map(ending).collect();
        image.slot = slot::put_together(&image, None, &ends, |name| {
            self.used_elsewhere.of(name, [(source, 0, source.text())], slot::words_beside_images)
        });
        self.found.images.push(image);
    }

    fn value(&self, node: Node<'t>, depth: usize) -> Result<Value<'t>, String> {
        let Some(depth) = depth.checked_sub(1) else { return Err("functions are nested too deeply".to_owned()) };
        match function(node) {
            None => match node.string() {
                Some(text) => {
                    let ends = vec![(String::new(), node)];
                    Ok(Value { text: text.to_owned(), ends, ..Value::default() })
                }
                None => Err("it is not a text".to_owned()),
            },
            Some(("Ref", name)) => self.parameter(name.scalar().unwrap_or_default()),
            Some(("Sub", argument)) => self.sub(argument, depth),
            Some(("Join", argument)) => self.join(argument, depth),
            Some((name, _)) => Err(format!("the function `{name}` decides it")),
        }
    }

    fn parameter(&self, name: &str) -> Result<Value<'t>, String> {
        if name.starts_with("AWS::") {
            return Err(format!("the pseudo parameter `{name}` is known only where it is deployed"));
        }
        let Some(parameter) = self.document.root.get("Parameters").and_then(|parameters| parameters.get(name)) else {
            return Err(format!("`{name}` is no parameter of this template"));
        };
        let kind = parameter.get("Type").and_then(Node::string).unwrap_or_default();
        if kind.starts_with("AWS::SSM::") {
            return Err(format!("the parameter `{name}` is read from the parameter store"));
        }
        match parameter.get("Default").and_then(Node::resolve) {
            Some(default) if default.string().is_some() => Ok(Value {
                text: default.string().unwrap_or_default().to_owned(),
                parameters: vec![(name.to_owned(), default)],
                ends: vec![(name.to_owned(), default)],
            }),
            _ => Err(format!("the parameter `{name}` has no default")),
        }
    }

    fn sub(&self, argument: Node<'t>, depth: usize) -> Result<Value<'t>, String> {
        let mut items = argument.items();
        let own = if argument.scalar().is_some() { argument } else { items.next().ok_or("`Sub` has no text")? };
        let (template, values) = (own.scalar().ok_or("`Sub` has no text")?, items.next());
        let mut whole = Value::default();
        let mut rest = template;
        while let Some((before, after)) = rest.split_once("${") {
            let (name, after) = after.split_once('}').ok_or("`${` is not closed")?;
            whole.literal(before);
            rest = after;
            if let Some(literal) = name.strip_prefix('!') {
                whole.literal(&format!("${{{literal}}}"));
                continue;
            }
            let value = match values.and_then(|values| values.get(name)) {
                Some(value) => self.value(value, depth)?,
                None => self.parameter(name)?,
            };
            whole.extend(value);
        }
        whole.literal(rest);
        whole.ends.push((String::new(), own));
        Ok(whole)
    }

    fn join(&self, argument: Node<'t>, depth: usize) -> Result<Value<'t>, String> {
        let mut items = argument.items();
        let (Some(separator), Some(list)) = (items.next().and_then(Node::scalar), items.next()) else {
            return Err("`Join` has no separator or no list".to_owned());
        };
        if list.resolve().is_none_or(|list| list.kind() != NodeKind::Sequence) || list.tag().is_some() {
            return Err("the list of `Join` is not fixed".to_owned());
        }
        let mut whole = Value::default();
        for (index, item) in list.items().enumerate() {
            let value = self.value(item, depth)?;
            if index > 0 {
                whole.literal(separator);
            }
            whole.extend(value);
        }
        Ok(whole)
    }
}

#[cfg(test)]
mod tests {
    use crate::manifest::place::tests::{find, images};

    #[test]
    fn task_definitions_in_every_wrapping() {
        let bare =
            "{\r\n\"family\": \"é\", \"containerDefinitions\": [{\"image\":\"a\"}, {\"image\": \"<IMAGE1_NAME>\"}]}";
        assert_eq!(
            images("task.json", bare),
            [
                "2:51 containerDefinitions[0].image a unpinned a",
                "2:67 containerDefinitions[1].image <IMAGE1_NAME> unresolved -",
            ]
        );
        let wrapped = "taskDefinition:\n  containerDefinitions:\n  - Image: \"a\\x3a1\"\n";
        assert_eq!(images("a.yml", wrapped), ["3:13 taskDefinition.containerDefinitions[0].Image a:1 unpinned a:1"]);
        let list = "[{\"name\": \"x\", \"image\": \"a\", \"essential\": true}]";
        assert_eq!(images("a.json", list), ["1:26 [0].image a unpinned a"]);
        assert!(images("a.json", "[{\"name\": \"x\", \"image\": \"a\"}]").is_empty());
    }

    #[test]
    fn copilot_manifests() {
        let text = "name: a\ntype: Backend Service\nimage:\n  location: a:1\nsidecars:\n  n:\n    image: b:1\n";
        assert_eq!(
            images("manifest.yml", text),
            ["4:13 image.location a:1 unpinned a:1", "7:12 sidecars.n.image b:1 unpinned b:1"]
        );
        let built = "name: a\ntype: Backend Service\nimage:\n  build: ./Dockerfile\n";
        assert_eq!(find("manifest.yml", built).images[0].status(), "built");
    }

    #[test]
    fn functions_come_to_a_text_where_defaults_decide() {
        let table = [
            ("a:1", "14:16 a:1 unpinned a:1"),
            ("!Sub 'a:${Tag}'", "14:22 a:${Tag} unpinned a:7"),
            ("!Sub ['a:${X}', {X: !Ref Tag}]", "14:23 a:${X} unpinned a:7"),
            ("!Sub '${AWS::AccountId}.dkr/a'", "14:22 ${AWS::AccountId}.dkr/a unresolved -"),
            ("!Ref Tag", "14:21 Tag unpinned 7"),
            ("!Ref Open", "14:21 Open unresolved -"),
            ("{Ref: Tag}", "14:22 Tag unpinned 7"),
            ("{'Fn::Join': [':', [a, {Ref: Tag}]]}", "14:29 [':', [a, {Ref: Tag}]] unpinned a:7"),
            ("!ImportValue x", "14:29 x unresolved -"),
        ];
        for (value, expected) in table {
            let text = format!(
                "AWSTemplateFormatVersion: 2010-09-09\nParameters:\n  Tag:\n    Type: String\n    Default: '7'\n  Open: {{Type: String}}\n\
                 Resources:\n  T:\n    Type: AWS::ECS::TaskDefinition\n    Properties:\n      ContainerDefinitions:\n      - Name: n\n        Environment: []\n        Image: {value}\n"
            );
            let field = "Resources.T.Properties.ContainerDefinitions[0].Image ";
            assert_eq!(images("t.yaml", &text), [expected.replacen(' ', &format!(" {field}"), 1)], "{value}");
        }
    }

    #[test]
    fn both_branches_of_a_condition_can_be_deployed() {
        let text = "Resources:\n  F:\n    Type: AWS::Lambda::Function\n    Properties:\n      Code: {ImageUri: !If [C, 'a:1', 'b:1']}\n";
        assert_eq!(images("t.yaml", text).len(), 2);
        assert!(find("t.yaml", "Resources: {F: {Type: 'AWS::S3::Bucket'}}").is_manifest);
        assert!(!find("t.yaml", "Resources: {F: {Type: 'x'}}").is_manifest);
    }
}
