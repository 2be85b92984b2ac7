//! The patches of a layer: which text is which kind of patch, and which objects it is for.

use super::file::Kustomization;
use super::object::{Id, Object};
use super::select::{COMPILING, Selector};
use super::strategic::{self, Allowed};
use super::value::Value;
use super::{Build, Layer, Outcome, json_patch, refused};
use crate::manifest::merge::entry_in_any_case;
use crate::source::Place;
use crate::yaml::Node;

fn field<'t>(node: Node<'t>, key: &str) -> Option<Node<'t>> {
    entry_in_any_case(node, key).map(|(_, value)| value).filter(|value| !value.is_null())
}

/// What a patch is.
enum Patch {
    /// Partial objects.
    Strategic(Vec<(Value, Place)>),
    /// Operations.
    Json(Value),
}

impl Patch {
    fn of(values: Vec<(Value, Place)>, at: &Place) -> Outcome<Self> {
        match values.first() {
            None => Err(refused(at, "the patch is empty")),
            Some((Value::List(_), _)) => {
                let first = values.into_iter().next();
                first.map(|(value, _)| Self::Json(value)).ok_or_else(|| refused(at, "the patch is empty"))
            }
            Some(_) => Ok(Self::Strategic(values)),
        }
    }
}

impl Build<'_> {
    /// `patchesStrategicMerge`: each item is a file or a text.
    pub(super) fn patch_strategically(&self, file: &Kustomization<'_>, layer: &mut Layer) -> Outcome {
        for (node, text) in file.texts("patchesStrategicMerge")? {
            let at = file.place(node);
            let values = if text.contains('\n') || text.trim_start().starts_with('{') {
                self.values_inside(file, node, &at)?
            } else {
                self.values_of_patch(&self.open_file(file, text, &at)?, &at)?
            };
            match Patch::of(values, &at)? {
                Patch::Strategic(patches) => self.patch_by_name(layer, &patches, Allowed::default(), &at)?,
                Patch::Json(_) => return Err(refused(&at, "a strategic merge patch is no list")),
            }
        }
        Ok(())
    }

    /// `patches`, of either kind.
    pub(super) fn patch(&self, file: &Kustomization<'_>, layer: &mut Layer) -> Outcome {
        for node in file.items("patches")? {
            let at = file.place(node);
            let patch = self.read_patch(file, node, &at)?;
            let target = self.target(node, &at)?;
            let option = |name| {
                let option = field(node, "options").and_then(|options| field(options, name));
                option.and_then(Node::string) == Some("true")
            };
            let allowed = Allowed { name: option("allowNameChange"), kind: option("allowKindChange") };
            match (patch, target) {
                (Patch::Json(_), None) => return Err(refused(&at, "a JSON patch needs a `target`")),
                (Patch::Json(patch), Some(target)) => self.patch_as_json(layer, &patch, &target, true, &at)?,
                (Patch::Strategic(patches), None) => self.patch_by_name(layer, &patches, allowed, &at)?,
                (Patch::Strategic(patches), Some(target)) => {
                    let [(patch, place)] = patches.as_slice() else {
                        return Err(refused(&at, "several patches in one entry can have no `target`"));
                    };
                    Object::new(patch.clone(), place)?;
                    self.patch_selected(layer, patch, allowed, &|object| target.selects(object), &at)?;
                }
            }
        }
        Ok(())
    }

    /// `patchesJson6902`.
    pub(super) fn patch_json(&self, file: &Kustomization<'_>, layer: &mut Layer) -> Outcome {
        for node in file.items("patchesJson6902")? {
            let at = file.place(node);
            let target = self.target(node, &at)?;
            let Some(target) = target.filter(|target| target.has_name) else {
                return Err(refused(&at, "a JSON patch needs a `target` with a `name`"));
            };
            let Patch::Json(patch) = self.read_patch(file, node, &at)? else {
                return Err(refused(&at, "a JSON patch is a list of operations"));
            };
            self.patch_as_json(layer, &patch, &target, false, &at)?;
        }
        Ok(())
    }

    /// What a patch is for, if it says so.
    fn target(&self, node: Node<'_>, at: &Place) -> Outcome<Option<Selector>> {
        self.budget.spend(COMPILING, at)?;
        field(node, "target").map(|target| Selector::of_patch(target, at)).transpose()
    }

    /// The patch of an entry, from its `patch` or the file at its `path`.
    fn read_patch(&self, file: &Kustomization<'_>, node: Node<'_>, at: &Place) -> Outcome<Patch> {
        let given = |key| field(node, key).filter(|value| value.string().is_some_and(|text| !text.trim().is_empty()));
        let values = match (given("patch"), given("path")) {
            (Some(text), None) => self.values_inside(file, text, at)?,
            (None, Some(path)) => {
                let at = file.place(path);
                let source = self.open_file(file, path.string().unwrap_or_default(), &at)?;
                self.values_of_patch(&source, &at)?
            }
            _ => return Err(refused(at, "a patch has either a `patch` or a `path`")),
        };
        Patch::of(values, at)
    }

    /// Each patch is for the one object of its own name.
    fn patch_by_name(&self, layer: &mut Layer, patches: &[(Value, Place)], allowed: Allowed, at: &Place) -> Outcome {
        for (patch, place) in patches {
            let id = Object::new(patch.clone(), place)?.id();
            self.budget.spend(layer.objects.len() * 4, at)?;
            let is_meant = |object: &Object| object.ids().any(|known: Id| known == id);
            match layer.objects.iter().filter(|object| is_meant(object)).count() {
                1 => self.patch_selected(layer, patch, allowed, &is_meant, at)?,
                // It may be for an object that is built from elsewhere.
                0 if !self.is_complete() => {}
                0 => {
                    return Err(refused(
                        at,
                        &format!("the patch is for `{}/{}`, which is not there", id.kind, id.name),
                    ));
                }
                _ => return Err(refused(at, &format!("the patch fits several objects `{}/{}`", id.kind, id.name))),
            }
        }
        Ok(())
    }

    fn patch_selected(
        &self,
        layer: &mut Layer,
        patch: &Value,
        allowed: Allowed,
        is_meant: &dyn Fn(&Object) -> bool,
        at: &Place,
    ) -> Outcome {
        self.budget.spend(layer.objects.len() * 4, at)?;
        for object in std::mem::take(&mut layer.objects) {
            if is_meant(&object) {
                layer.objects.extend(strategic::patch(object, patch, allowed, &self.budget, at)?);
            } else {
                layer.objects.push(object);
            }
        }
        Ok(())
    }

    fn patch_as_json(
        &self,
        layer: &mut Layer,
        patch: &Value,
        target: &Selector,
        remembers: bool,
        at: &Place,
    ) -> Outcome {
        self.budget.spend(layer.objects.len() * 4, at)?;
        for object in layer.objects.iter_mut().filter(|object| target.selects(object)) {
            if remembers {
                object.remember();
            }
            json_patch::apply(&mut object.value, patch, &self.budget, at)?;
        }
        Ok(())
    }
}
