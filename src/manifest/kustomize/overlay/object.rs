//! An object of a build: its value, and every name it has had on the way.

use super::value::{Map, Value};
use super::{Outcome, refused};
use crate::source::Place;

/// Kinds without a namespace, as kustomize knows them.
const CLUSTER_SCOPED: [(&str, &str); 22] = [
    ("admissionregistration.k8s.io", "MutatingWebhookConfiguration"),
    ("admissionregistration.k8s.io", "ValidatingWebhookConfiguration"),
    ("apiextensions.k8s.io", "CustomResourceDefinition"),
    ("apiregistration.k8s.io", "APIService"),
    ("certificates.k8s.io", "CertificateSigningRequest"),
    ("flowcontrol.apiserver.k8s.io", "FlowSchema"),
    ("flowcontrol.apiserver.k8s.io", "PriorityLevelConfiguration"),
    ("networking.k8s.io", "IngressClass"),
    ("node.k8s.io", "RuntimeClass"),
    ("policy", "PodSecurityPolicy"),
    ("rbac.authorization.k8s.io", "ClusterRole"),
    ("rbac.authorization.k8s.io", "ClusterRoleBinding"),
    ("scheduling.k8s.io", "PriorityClass"),
    ("storage.k8s.io", "CSIDriver"),
    ("storage.k8s.io", "CSINode"),
    ("storage.k8s.io", "StorageClass"),
    ("storage.k8s.io", "VolumeAttachment"),
    ("", "ComponentStatus"),
    ("", "Namespace"),
    ("", "Node"),
    ("", "NodeProxyOptions"),
    ("", "PersistentVolume"),
];

/// What kustomize tells objects apart by.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Id {
    pub(super) api: String,
    pub(super) kind: String,
    pub(super) name: String,
    /// Empty where the kind has none, `default` where none is written.
    namespace: String,
}

impl Id {
    fn new(api: &str, kind: &str, name: &str, namespace: &str) -> Self {
        let group = api.rsplit_once('/').map_or("", |(group, _)| group);
        let namespace = match namespace {
            _ if CLUSTER_SCOPED.contains(&(group, kind)) => "",
            "" => "default",
            _ => namespace,
        };
        Self { api: api.to_owned(), kind: kind.to_owned(), name: name.to_owned(), namespace: namespace.to_owned() }
    }

    pub(super) fn is_cluster_scoped(&self) -> bool {
        self.namespace.is_empty()
    }

    /// The namespace as selectors see it.
    pub(super) fn namespace(&self) -> &str {
        if self.namespace.is_empty() { "_non_namespaceable_" } else { &self.namespace }
    }
}

/// One object.
#[derive(Clone, Debug)]
pub(super) struct Object {
    pub(super) value: Value,
    /// Where it begins.
    pub(super) place: Place,
    /// The names it had before, the first one first.
    earlier: Vec<Id>,
}

impl Object {
    /// The object that a value is.
    pub(super) fn new(value: Value, place: &Place) -> Outcome<Self> {
        let text = |path: &[&str]| value.at(path).and_then(Value::string).unwrap_or_default();
        if !matches!(value, Value::Map(_)) {
            return Err(refused(place, "this is no object"));
        }
        for (what, path) in [("kind", &["kind"] as &[_]), ("metadata.name", &["metadata", "name"])] {
            if text(path).is_empty() {
                return Err(refused(place, &format!("this object has no `{what}`")));
            }
        }
        Ok(Self { value, place: place.clone(), earlier: Vec::new() })
    }

    fn text(&self, path: &[&str]) -> &str {
        self.value.at(path).and_then(Value::string).unwrap_or_default()
    }

    /// A text below `metadata`.
    pub(super) fn metadata(&self, path: &[&str]) -> Option<&str> {
        path.iter().try_fold(self.value.get("metadata")?, |value, key| value.get(key))?.string()
    }

    /// What it is called now.
    pub(super) fn id(&self) -> Id {
        let namespace = self.text(&["metadata", "namespace"]);
        Id::new(self.text(&["apiVersion"]), self.text(&["kind"]), self.text(&["metadata", "name"]), namespace)
    }

    /// What it was called first.
    pub(super) fn first_id(&self) -> Id {
        self.ids().next_back().unwrap_or_else(|| self.id())
    }

    /// What it is called now, and what it was called before, the first name last.
    pub(super) fn ids(&self) -> impl DoubleEndedIterator<Item = Id> {
        let api = self.text(&["apiVersion"]).to_owned();
        let earlier = self.earlier.iter().rev().map(move |id| Id { api: api.clone(), ..id.clone() });
        std::iter::once(self.id()).chain(earlier)
    }

    /// Keeps the present name as one of those it had.
    pub(super) fn remember(&mut self) {
        self.earlier.push(self.id());
    }

    /// Sets a text below `metadata`.
    pub(super) fn set_metadata(&mut self, path: &[&str], text: &str, place: &Place) -> Outcome {
        let path: Vec<&str> = std::iter::once("metadata").chain(path.iter().copied()).collect();
        let Some((key, parents)) = path.split_last() else { return Ok(()) };
        let Some(entries) = self.value.map_at(parents) else {
            return Err(refused(&self.place, &format!("`{}` is no mapping", parents.join("."))));
        };
        entries.insert((*key).to_owned(), Value::text(text, place));
        Ok(())
    }

    /// Puts back what a patch must not change.
    pub(super) fn restore(&mut self, key: &str, value: Option<Value>) {
        let Value::Map(entries) = &mut self.value else { return };
        put(entries, key, value);
    }

    /// The same below `metadata`.
    pub(super) fn restore_metadata(&mut self, key: &str, value: Option<Value>) {
        if let Some(entries) = self.value.map_at(&["metadata"]) {
            put(entries, key, value);
        }
    }

    /// Whether it is for kustomize alone and is not deployed.
    pub(super) fn is_local(&self) -> bool {
        self.metadata(&["annotations", "config.kubernetes.io/local-config"]).is_some_and(|text| text != "false")
    }
}

fn put(entries: &mut Map, key: &str, value: Option<Value>) {
    match value {
        Some(value) => drop(entries.insert(key.to_owned(), value)),
        None => drop(entries.remove(key)),
    }
}
