//! Images at fixed places of a YAML or JSON document: patterns for the places, and the image that one scalar names.

use std::collections::HashSet;
use std::sync::Arc;

use super::{Document, Found, LocatedImage, State};
use crate::source::Source;
use crate::yaml::{Node, NodeKind};

/// Visits the nodes at places that a pattern names: keys parted by `.`; `*` is any key, `[]` any item, `**` any node
/// at any depth. Each node is visited once for each step, however many aliases lead to it.
pub(super) struct Places<'t> {
    root: Node<'t>,
    seen: HashSet<(u32, usize)>,
}

impl<'t> Places<'t> {
    pub(super) fn new(root: Node<'t>) -> Self {
        Self { root, seen: HashSet::new() }
    }

    /// Calls `visit` with each node and its field.
    pub(super) fn each(&mut self, pattern: &str, visit: &mut dyn FnMut(Node<'t>, &str)) {
        self.each_from(self.root, pattern, visit);
    }

    /// The same below another node.
    pub(super) fn each_from(&mut self, from: Node<'t>, pattern: &str, visit: &mut dyn FnMut(Node<'t>, &str)) {
        self.seen.clear();
        let steps: Vec<&str> = pattern.split('.').collect();
        self.step(from, &steps, &mut String::new(), visit);
    }

    fn step(&mut self, node: Node<'t>, steps: &[&str], path: &mut String, visit: &mut dyn FnMut(Node<'t>, &str)) {
        let Some((step, rest)) = steps.split_first() else {
            visit(node, path);
            return;
        };
        let Some(target) = node.resolve() else { return };
        if !self.seen.insert((target.id(), steps.len())) {
            return;
        }
        if *step == "**" {
            self.step(target, rest, path, visit);
        }
        let below = if *step == "**" { steps } else { rest };
        match target.kind() {
            NodeKind::Mapping if *step != "[]" => {
                for (key, value) in target.entries() {
                    let Some(name) = key.scalar() else { continue };
                    // What is merged belongs to this mapping.
                    if name == "<<" {
                        self.merged(value, steps, path, visit);
                    } else if matches!(*step, "*" | "**") || *step == name {
                        let length = path.len();
                        if length > 0 {
                            path.push('.');
                        }
                        path.push_str(name);
                        self.step(value, below, path, visit);
                        path.truncate(length);
                    }
                }
            }
            NodeKind::Sequence if matches!(*step, "[]" | "**") => {
                for (index, item) in target.items().enumerate() {
                    let length = path.len();
                    path.extend(["[", &index.to_string(), "]"]);
                    self.step(item, below, path, visit);
                    path.truncate(length);
                }
            }
            _ => {}
        }
    }

    fn merged(&mut self, value: Node<'t>, steps: &[&str], path: &mut String, visit: &mut dyn FnMut(Node<'t>, &str)) {
        if value.is_sequence() {
            for item in value.items() {
                self.step(item, steps, path, visit);
            }
        } else {
            self.step(value, steps, path, visit);
        }
    }
}

/// The image a scalar names as it stands; nothing where it is empty, null or no scalar.
pub(super) fn image(kind: &'static str, source: &Arc<Source>, node: Node<'_>, field: &str) -> Option<LocatedImage> {
    let text = node.string()?;
    let node = node.resolve()?;
    let state = state_of(text);
    (!text.is_empty()).then(|| LocatedImage::new(kind, source, node.span(), field, text, state))
}

/// Reports the images at the places of all patterns.
pub(super) fn report(kind: &'static str, document: &Document<'_>, patterns: &[&str], found: &mut Found) {
    let mut places = Places::new(document.root);
    for pattern in patterns {
        places.each(pattern, &mut |node, field| found.images.extend(image(kind, document.source, node, field)));
    }
}

/// Something that is built where it is deployed, at the node that says so.
pub(super) fn built(kind: &'static str, source: &Arc<Source>, node: Node<'_>, field: &str) -> LocatedImage {
    let mut image = LocatedImage::new(kind, source, node.span(), field, "", State::Built);
    image.built = true;
    image
}

/// The state of a text that is deployed as it stands, unless something fills it in before.
pub(super) fn state_of(text: &str) -> State {
    const MARKS: [(&str, &str); 8] = [
        ("{{", "a template (`{{ }}`)"),
        ("${", "a variable (`${ }`)"),
        ("$(", "a variable (`$( )`)"),
        ("$[", "an expression (`$[ ]`)"),
        ("[[", "a template (`[[ ]]`)"),
        ("<%", "a template (`<% %>`)"),
        ("<<", "a parameter (`<< >>`)"),
        ("$", "a variable (`$`)"),
    ];
    if let Some((_, what)) = MARKS.iter().find(|(mark, _)| text.contains(mark)) {
        return State::unresolved(format!("{what} is filled in before it is deployed"));
    }
    if text.starts_with('<') && text.ends_with('>') {
        return State::unresolved("a placeholder (`< >`) is filled in before it is deployed");
    }
    State::of(text)
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;
    use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

    use crate::manifest::{Alone, Found, read};
    use crate::source::Source;
    use crate::yaml::Tree;

    /// Everything found in a text that is called `name`.
    pub(in crate::manifest) fn find(name: &str, text: &str) -> Found {
        read(&Source::new(name, text), &Alone, &mut Tree::default())
    }

    /// `line:column field written status effective` of every image.
    pub(in crate::manifest) fn images(name: &str, text: &str) -> Vec<String> {
        let shown = |image: &crate::manifest::LocatedImage| {
            let at = image.place.start();
            let effective = image.effective().unwrap_or("-");
            format!("{}:{} {} {} {} {effective}", at.line, at.column, image.field, image.written, image.status())
        };
        find(name, text).images.iter().map(shown).collect()
    }

    #[test]
    fn a_bomb_of_aliases_is_visited_once() {
        let bomb: Vec<_> = (1..60).map(|n| format!("  a{n}: &a{n} [*a{0}, *a{0}, *a{0}]\n", n - 1)).collect();
        let text = format!("Job:\n  TaskGroups: []\n  a0: &a0 [{{Config: {{image: a:1}}}}]\n{}", bomb.concat());
        assert_eq!(images("a.yaml", &text).len(), 1);
    }

    #[test]
    fn any_text_is_read_without_panic() {
        let mut runner =
            TestRunner::new_with_rng(Config::with_cases(300), TestRng::deterministic_rng(RngAlgorithm::ChaCha));
        let parts = prop::collection::vec(
            prop::sample::select(vec![
                "image: ",
                "a:1",
                "\n",
                "  ",
                "- ",
                "containerDefinitions:",
                "Resources:",
                "Type: AWS::ECS::TaskDefinition",
                "Properties:",
                "Image: ",
                "!Sub '${",
                "}'",
                "!Join ",
                "[",
                "]",
                "{",
                "}",
                ": ",
                "&a ",
                "*a",
                "<<: *a",
                "é",
                "\r\n",
                "[Container]\n",
                "Image=",
                "\\\n",
                "\"",
                "%i",
                "stages: []",
                "variables:",
                "$X",
                "${X}",
                "services:",
                "\u{feff}",
            ]),
            0..40,
        );
        let names = [
            ".gitlab-ci.yml",
            "a.container",
            "devcontainer.json",
            "a.yaml",
            "azure-pipelines.yml",
            ".drone.yml",
            "a.tf.json",
        ];
        runner
            .run(&parts, |parts| {
                for name in names {
                    for image in find(name, &parts.concat()).images {
                        prop_assert!(image.place.source.text().get(image.place.span.range()).is_some());
                    }
                }
                Ok(())
            })
            .unwrap();
    }
}
