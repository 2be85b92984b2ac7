//! A compact tree of byte ranges over YAML and JSON text: all documents, anchors, tags and scalar styles.
//!
//! Producers fill the same tree: [`plain`] reads the plain block YAML of nearly all manifests and gives up on anything
//! else; [`granit`] reads all of YAML and is the only module that knows the YAML parser; [`json`] reads JSON.
//! Nothing is owned per node, except the text of a scalar whose decoded form differs from its bytes.

mod granit;
mod json;
mod plain;

use crate::source::Span;

/// How a scalar is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    Plain,
    SingleQuoted,
    DoubleQuoted,
    /// `|`
    Literal,
    /// `>`
    Folded,
}

/// What a node is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NodeKind {
    Scalar(Style),
    Sequence,
    Mapping,
    /// `*name`: stands for another node, see [`Node::resolve`].
    Alias,
}

const NONE: u32 = u32::MAX;

#[derive(Clone, Copy, Debug)]
struct Data {
    span: Span,
    /// The next child of the same parent.
    next: u32,
    /// First child of a collection, target of an alias, index into `texts` of a scalar.
    link: u32,
    kind: NodeKind,
    tagged: bool,
    flow: bool,
}

/// One document of a stream.
#[derive(Clone, Debug)]
pub struct Document {
    root: u32,
    /// The bytes from its first to its last node.
    pub span: Span,
}

/// Why a document could not be read. Documents before and after it are in the tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyntaxError {
    /// Byte offset at which reading stopped.
    pub offset: u32,
    /// What the parser missed there: lower case, no full stop.
    pub message: String,
}

/// All documents of one file. Reusable: parsing again keeps the memory.
#[derive(Debug, Default)]
pub struct Tree {
    nodes: Vec<Data>,
    texts: Vec<Box<str>>,
    /// Tags by node, in rising order of node.
    tags: Vec<(u32, Box<str>)>,
    documents: Vec<Document>,
    errors: Vec<SyntaxError>,
}

impl Tree {
    /// Reads all documents of a YAML stream. A broken document is an entry in [`Tree::errors`] and hides no other.
    pub fn parse_yaml(&mut self, text: &str) {
        if !self.parse_yaml_plainly(text) {
            self.parse_yaml_fully(text);
        }
    }

    /// Reads all values of a JSON text, each a document; with `comments` also `//`, `/* */` and trailing commas.
    /// The first error ends the reading.
    pub fn parse_json(&mut self, text: &str, comments: bool) {
        self.clear();
        json::parse(text, comments, self);
    }

    /// Reads a file by its name: `.json` is JSON, failing that JSON with comments, failing that YAML, and where it is
    /// none of them the error is that of JSON. Every other name is YAML.
    pub fn parse(&mut self, file_name: &str, text: &str) {
        let name = file_name.as_bytes();
        if !name
            .len()
            .checked_sub(5)
            .and_then(|at| name.get(at..))
            .is_some_and(|end| end.eq_ignore_ascii_case(b".json"))
        {
            return self.parse_yaml(text);
        }
        self.parse_json(text, false);
        if self.errors.is_empty() {
            return;
        }
        self.parse_json(text, true);
        if self.errors.is_empty() {
            return;
        }
        self.parse_yaml(text);
        if !self.errors.is_empty() {
            self.parse_json(text, true);
        }
    }

    /// [`Tree::parse_yaml`] by the full parser alone.
    pub fn parse_yaml_fully(&mut self, text: &str) {
        self.clear();
        granit::parse(text, self);
    }

    /// [`Tree::parse_yaml`] by the fast parser alone; `false`, and an empty tree, where the text is too rich for it.
    pub fn parse_yaml_plainly(&mut self, text: &str) -> bool {
        self.clear();
        plain::parse(text, self)
    }

    /// A tree of its own for one YAML text.
    #[must_use]
    pub fn yaml(text: &str) -> Self {
        let mut tree = Self::default();
        tree.parse_yaml(text);
        tree
    }

    fn clear(&mut self) {
        self.nodes.clear();
        self.texts.clear();
        self.tags.clear();
        self.documents.clear();
        self.errors.clear();
    }

    /// The documents that could be read, in order.
    pub fn documents<'t>(&'t self, text: &'t str) -> impl Iterator<Item = Node<'t>> {
        self.documents.iter().map(move |document| Node { tree: self, text, id: document.root })
    }

    /// The node of a number that [`Node::id`] gave.
    #[must_use]
    pub fn node<'t>(&'t self, text: &'t str, id: u32) -> Option<Node<'t>> {
        ((id as usize) < self.nodes.len()).then_some(Node { tree: self, text, id })
    }

    /// Everything the tree holds, a line for each node in the order of the text; for comparing producers.
    #[doc(hidden)]
    #[must_use]
    pub fn outline(&self, text: &str) -> String {
        let mut lines = String::new();
        let mut todo: Vec<(Node<'_>, usize)> = self.documents(text).map(|root| (root, 0)).collect();
        todo.reverse();
        while let Some((node, depth)) = todo.pop() {
            let span = node.span();
            let decoded = if node.is_decoded() { "decoded " } else { "" };
            let flow = if node.is_flow() { "flow " } else { "" };
            let target = node.resolve().map(Node::span).filter(|&target| target != span);
            let line = format!(
                "{depth} {:?} {}..{} {flow}{decoded}{:?} {:?} {target:?}\n",
                node.kind(),
                span.start,
                span.end,
                node.tag(),
                node.scalar()
            );
            lines.push_str(&line);
            let above = todo.len();
            if matches!(node.kind(), NodeKind::Sequence | NodeKind::Mapping) {
                todo.extend(node.children(node.kind()).map(|child| (child, depth + 1)));
            }
            todo.get_mut(above..).unwrap_or_default().reverse();
        }
        lines.extend(self.documents.iter().map(|document| format!("document {:?}\n", document.span)));
        lines.extend(self.errors.iter().map(|error| format!("{error:?}\n")));
        lines
    }

    /// The documents that could not be read.
    #[must_use]
    pub fn errors(&self) -> &[SyntaxError] {
        &self.errors
    }
}

/// Fills a [`Tree`] in the order of the text; what a producer writes into.
struct Builder<'t> {
    tree: &'t mut Tree,
    /// Open collections: node, last child so far.
    open: Vec<(u32, u32)>,
    root: u32,
}

impl<'t> Builder<'t> {
    fn new(tree: &'t mut Tree) -> Self {
        Self { tree, open: Vec::new(), root: NONE }
    }

    fn add(&mut self, kind: NodeKind, span: Span, link: u32, flow: bool) -> u32 {
        let id = u32::try_from(self.tree.nodes.len()).unwrap_or(NONE);
        self.tree.nodes.push(Data { span, next: NONE, link, kind, tagged: false, flow });
        match self.open.last_mut() {
            None => self.root = id,
            Some((parent, last)) => {
                let (parent, previous) = (*parent, std::mem::replace(last, id));
                if let Some(data) = self.tree.nodes.get_mut(if previous == NONE { parent } else { previous } as usize) {
                    if previous == NONE {
                        data.link = id;
                    } else {
                        data.next = id;
                    }
                }
            }
        }
        id
    }

    /// A scalar whose content (without quotes) is `span`; `decoded` where that differs from the bytes.
    fn scalar(&mut self, style: Style, span: Span, decoded: Option<&str>) -> u32 {
        let link = match decoded {
            None => NONE,
            Some(text) => {
                self.tree.texts.push(text.into());
                u32::try_from(self.tree.texts.len() - 1).unwrap_or(NONE)
            }
        };
        self.add(NodeKind::Scalar(style), span, link, false)
    }

    fn alias(&mut self, span: Span, target: Option<u32>) -> u32 {
        self.add(NodeKind::Alias, span, target.unwrap_or(NONE), false)
    }

    fn open(&mut self, kind: NodeKind, start: usize, flow: bool) -> u32 {
        let id = self.add(kind, Span::new(start, start), NONE, flow);
        self.open.push((id, NONE));
        id
    }

    /// Closes the innermost collection. A block collection has no brackets and ends with its last child.
    fn close(&mut self, end: usize) {
        let Some((id, last)) = self.open.pop() else { return };
        let span = |id: u32| self.tree.nodes.get(id as usize).map(|data| data.span);
        let last = span(last);
        let Some(first) = self.tree.nodes.get(id as usize).map(|data| data.link) else { return };
        let first = span(first);
        let Some(data) = self.tree.nodes.get_mut(id as usize) else { return };
        data.span = match (first, last) {
            (Some(first), Some(last)) if !data.flow => Span { start: first.start, end: last.end },
            _ => Span::new(data.span.start as usize, end),
        };
    }

    fn tag(&mut self, node: u32, tag: &str) {
        if let Some(data) = self.tree.nodes.get_mut(node as usize) {
            data.tagged = true;
            self.tree.tags.push((node, tag.into()));
        }
    }

    /// Ends the document begun since the last call; nothing where it held no node.
    fn end_document(&mut self) {
        if self.root != NONE
            && let Some(data) = self.tree.nodes.get(self.root as usize)
        {
            self.tree.documents.push(Document { root: self.root, span: data.span });
        }
        self.abandon_document();
    }

    /// Forgets the document begun since the last call. Its nodes stay unreachable.
    fn abandon_document(&mut self) {
        self.open.clear();
        self.root = NONE;
    }

    fn error(&mut self, offset: usize, message: impl Into<String>) {
        let offset = u32::try_from(offset).unwrap_or(u32::MAX);
        self.tree.errors.push(SyntaxError { offset, message: message.into() });
    }
}

/// A node of a [`Tree`] together with its text. Cheap to copy.
#[derive(Clone, Copy)]
pub struct Node<'t> {
    tree: &'t Tree,
    text: &'t str,
    id: u32,
}

impl PartialEq for Node<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id && std::ptr::eq(self.tree, other.tree)
    }
}

impl std::fmt::Debug for Node<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?} {:?} {:?}", self.kind(), self.span(), self.scalar().unwrap_or_default())
    }
}

impl<'t> Node<'t> {
    fn data(self) -> Data {
        // Every id in a tree was given out by its builder, which never removes a node.
        self.tree.nodes.get(self.id as usize).copied().unwrap_or(Data {
            span: Span::default(),
            next: NONE,
            link: NONE,
            kind: NodeKind::Alias,
            tagged: false,
            flow: false,
        })
    }

    fn at(self, id: u32) -> Option<Self> {
        (id != NONE).then_some(Self { id, ..self })
    }

    /// A number that tells this node from every other of its tree.
    #[must_use]
    pub fn id(self) -> u32 {
        self.id
    }

    /// What the node is, without following an alias.
    #[must_use]
    pub fn kind(self) -> NodeKind {
        self.data().kind
    }

    /// The bytes of the node: a scalar's content without quotes and without a block scalar's header and indentation,
    /// a flow collection with its brackets, a block collection from its first child's to its last child's span, an
    /// alias with its `*`. Nothing, at the `:`, where a value is missing.
    #[must_use]
    pub fn span(self) -> Span {
        self.data().span
    }

    /// Whether a collection is written in flow style (`{}`, `[]`).
    #[must_use]
    pub fn is_flow(self) -> bool {
        self.data().flow
    }

    /// The whole text of the file.
    #[must_use]
    pub fn file_text(self) -> &'t str {
        self.text
    }

    /// The node an alias stands for; the node itself where it is none. `None` where the anchor is unknown.
    #[must_use]
    pub fn resolve(self) -> Option<Self> {
        let data = self.data();
        if data.kind == NodeKind::Alias { self.at(data.link) } else { Some(self) }
    }

    /// The decoded text of a scalar, through an alias.
    #[must_use]
    pub fn scalar(self) -> Option<&'t str> {
        let node = self.resolve()?;
        let data = node.data();
        match data.kind {
            NodeKind::Scalar(_) if data.link == NONE => self.text.get(data.span.range()),
            NodeKind::Scalar(_) => self.tree.texts.get(data.link as usize).map(|text| &**text),
            _ => None,
        }
    }

    /// The text of a scalar that a YAML reader takes for a string or a number; `None` for null.
    #[must_use]
    pub fn string(self) -> Option<&'t str> {
        if self.is_null() { None } else { self.scalar() }
    }

    /// Whether a scalar's bytes differ from its decoded text (escapes, folding, several lines).
    #[must_use]
    pub fn is_decoded(self) -> bool {
        let data = self.data();
        matches!(data.kind, NodeKind::Scalar(_)) && data.link != NONE
    }

    /// Whether the node is nothing, `~` or `null` (YAML core schema).
    #[must_use]
    pub fn is_null(self) -> bool {
        let Some(node) = self.resolve() else { return false };
        node.kind() == NodeKind::Scalar(Style::Plain)
            && matches!(node.scalar(), Some("" | "~" | "null" | "Null" | "NULL"))
            && node.tag().is_none_or(|tag| tag != "!!str")
    }

    /// The tag as it is written (`!reset`, `!!str`), through an alias.
    #[must_use]
    pub fn tag(self) -> Option<&'t str> {
        let node = self.resolve()?;
        if !node.data().tagged {
            return None;
        }
        let index = self.tree.tags.binary_search_by_key(&node.id, |(id, _)| *id).ok()?;
        self.tree.tags.get(index).map(|(_, tag)| &**tag)
    }

    /// Whether the node is a mapping, through an alias.
    #[must_use]
    pub fn is_mapping(self) -> bool {
        self.resolve().is_some_and(|node| node.kind() == NodeKind::Mapping)
    }

    /// Whether the node is a sequence, through an alias.
    #[must_use]
    pub fn is_sequence(self) -> bool {
        self.resolve().is_some_and(|node| node.kind() == NodeKind::Sequence)
    }

    fn children(self, kind: NodeKind) -> Children<'t> {
        let first = match self.resolve() {
            Some(node) if node.kind() == kind => node.at(node.data().link),
            _ => None,
        };
        Children { next: first }
    }

    /// The items of a sequence, through an alias; none of anything else.
    pub fn items(self) -> impl Iterator<Item = Node<'t>> {
        self.children(NodeKind::Sequence)
    }

    /// Keys and values of a mapping, through an alias; none of anything else. Merge keys are ordinary keys here.
    #[must_use]
    pub fn entries(self) -> Entries<'t> {
        Entries { children: self.children(NodeKind::Mapping) }
    }

    /// The value of a key as it stands in this mapping, the last one where the key is there twice.
    #[must_use]
    pub fn get(self, key: &str) -> Option<Self> {
        self.entries().filter(|(name, _)| name.scalar() == Some(key)).last().map(|(_, value)| value)
    }

    /// The key node and the value of a key.
    #[must_use]
    pub fn entry(self, key: &str) -> Option<(Self, Self)> {
        self.entries().filter(|(name, _)| name.scalar() == Some(key)).last()
    }

    /// The value below a path of keys.
    #[must_use]
    pub fn at_path(self, path: &[&str]) -> Option<Self> {
        path.iter().try_fold(self, |node, key| node.get(key))
    }
}

struct Children<'t> {
    next: Option<Node<'t>>,
}

impl<'t> Iterator for Children<'t> {
    type Item = Node<'t>;

    fn next(&mut self) -> Option<Node<'t>> {
        let node = self.next?;
        self.next = node.at(node.data().next);
        Some(node)
    }
}

/// See [`Node::entries`].
pub struct Entries<'t> {
    children: Children<'t>,
}

impl<'t> Iterator for Entries<'t> {
    type Item = (Node<'t>, Node<'t>);

    fn next(&mut self) -> Option<Self::Item> {
        Some((self.children.next()?, self.children.next()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outline(text: &str) -> String {
        let tree = Tree::yaml(text);
        tree.documents(text).map(describe).collect::<Vec<_>>().join(" --- ")
    }

    pub(super) fn describe(node: Node<'_>) -> String {
        let tag = node.tag().map(|tag| format!("{tag} ")).unwrap_or_default();
        match node.kind() {
            NodeKind::Alias => format!("*{:?}", node.resolve().map(Node::id)),
            NodeKind::Scalar(_) => {
                format!(
                    "{tag}{:?}@{}",
                    node.scalar().unwrap_or_default(),
                    node.text.get(node.span().range()).unwrap_or_default()
                )
            }
            NodeKind::Sequence => format!("{tag}[{}]", node.items().map(describe).collect::<Vec<_>>().join(", ")),
            NodeKind::Mapping => {
                let entries = node.entries().map(|(key, value)| format!("{}: {}", describe(key), describe(value)));
                format!("{tag}{{{}}}", entries.collect::<Vec<_>>().join(", "))
            }
        }
    }

    #[test]
    fn spans_hold_the_content_alone() {
        assert_eq!(
            outline("a: &x 'b'\nc: !t \"d\\n\"\ne: [f , g]"),
            r#"{"a"@a: "b"@b, "c"@c: !t "d\n"@d\n, "e"@e: ["f"@f, "g"@g]}"#
        );
        assert_eq!(outline("a: >-\n  b\n  c\nd: |\n  e\n"), "{\"a\"@a: \"b c\"@b\n  c, \"d\"@d: \"e\\n\"@e}");
        assert_eq!(outline("a:\nb: ~\nc: ''"), r#"{"a"@a: ""@, "b"@b: "~"@~, "c"@c: ""@}"#);
    }

    #[test]
    fn aliases_point_at_their_node() {
        let text = "a: &x {b: c}\nd: *x\ne: *y\n";
        let tree = Tree::yaml(text);
        let root = tree.documents(text).next().unwrap();
        assert_eq!(root.at_path(&["d", "b"]).and_then(Node::scalar), Some("c"));
        assert_eq!(root.get("d").and_then(Node::resolve), root.get("a"));
        assert_eq!(root.get("e").and_then(Node::resolve), None);
    }

    #[test]
    fn a_broken_document_hides_no_other() {
        let text = "a: 1\n---\nb: [\n---\nc: 3\n";
        let tree = Tree::yaml(text);
        let found: Vec<_> =
            tree.documents(text).filter_map(|d| d.entries().next()).filter_map(|(k, _)| k.scalar()).collect();
        assert_eq!(found, ["a", "c"]);
        assert_eq!(tree.errors().len(), 1);
    }

    #[test]
    fn null_is_nothing_a_tilde_or_the_word() {
        let text = "- \n- ~\n- null\n- 'null'\n- !!str null\n- nil\n";
        let tree = Tree::yaml(text);
        let nulls: Vec<_> = tree.documents(text).flat_map(Node::items).map(Node::is_null).collect();
        assert_eq!(nulls, [true, true, true, false, false, false]);
    }
}
