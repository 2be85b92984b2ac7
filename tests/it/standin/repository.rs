//! The repository behind the stand-in: real git objects, branches, pull requests and what is said in them.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::openapi::smallest;

type Answer = (u16, Value);
type Folder = BTreeMap<String, (String, String)>;

/// A file: its mode and its text.
pub(crate) type Files = BTreeMap<String, (String, Vec<u8>)>;

#[derive(Clone, Debug)]
pub(crate) struct Commit {
    pub(crate) tree: String,
    pub(crate) parents: Vec<String>,
    pub(crate) message: String,
    pub(crate) author: String,
}

#[derive(Clone, Debug)]
pub(crate) struct Pull {
    pub(crate) number: usize,
    pub(crate) head: String,
    pub(crate) base: String,
    pub(crate) title: String,
    pub(crate) body: String,
    pub(crate) is_open: bool,
    pub(crate) labels: Vec<String>,
    pub(crate) reviewers: Vec<String>,
}

/// A comment on a pull request, or on a line of one.
#[derive(Clone, Debug)]
pub(crate) struct Comment {
    pub(crate) pull: usize,
    pub(crate) body: String,
    /// `Bot` or `User`, and how that user stands to the repository.
    pub(crate) author: (&'static str, &'static str),
    /// Path and line of a review's comment.
    pub(crate) at: Option<(String, Option<u64>)>,
}

pub(crate) struct Repository {
    blobs: BTreeMap<String, Vec<u8>>,
    trees: BTreeMap<String, Folder>,
    pub(crate) commits: BTreeMap<String, Commit>,
    pub(crate) branches: BTreeMap<String, String>,
    pub(crate) pulls: Vec<Pull>,
    pub(crate) comments: Vec<Comment>,
    pub(crate) reviews: Vec<Value>,
    /// The files of every pull request, with their patches.
    pub(crate) patches: Vec<(String, Option<String>)>,
    /// Logins and slugs of which a review may be asked.
    pub(crate) collaborators: Vec<String>,
}

impl Default for Repository {
    fn default() -> Self {
        Self {
            blobs: BTreeMap::new(),
            trees: BTreeMap::new(),
            commits: BTreeMap::new(),
            branches: BTreeMap::new(),
            pulls: Vec::new(),
            comments: Vec::new(),
            reviews: Vec::new(),
            patches: Vec::new(),
            collaborators: vec!["octocat".to_owned(), "hubot".to_owned(), "ops".to_owned()],
        }
    }
}

fn hash(kind: gix::objs::Kind, bytes: &[u8]) -> String {
    gix::objs::compute_hash(gix::hash::Kind::Sha1, kind, bytes).unwrap().to_string()
}

fn refused(status: u16, message: &str) -> Answer {
    (status, json!({ "message": message, "documentation_url": "https://docs.github.com/rest" }))
}

fn with(mut value: Value, fields: &[(&str, Value)]) -> Value {
    for (pointer, field) in fields {
        let mut at = &mut value;
        for part in pointer.split('.') {
            if !at[part].is_object() && !at[part].is_null() {
                at[part] = Value::Null;
            }
            at = &mut at[part];
        }
        *at = field.clone();
    }
    value
}

impl Repository {
    // ---- what tests prepare and look at ----

    /// Makes a commit of all these files on a branch, on top of what it holds; a path may have the mode before it:
    /// `100755 deploy.sh`.
    pub(crate) fn push(&mut self, branch: &str, author: &str, message: &str, files: &[(&str, &str)]) -> String {
        let parents: Vec<String> = self.branches.get(branch).into_iter().cloned().collect();
        let mut all = parents.first().map(|parent| self.files(parent)).unwrap_or_default();
        for (path, text) in files {
            let (mode, path) = path.split_once(' ').unwrap_or(("100644", path));
            all.insert(path.to_owned(), (mode.to_owned(), text.as_bytes().to_vec()));
        }
        let tree = self.tree(&all);
        let commit = Commit { tree, parents, message: message.to_owned(), author: author.to_owned() };
        let id = self.commit(commit);
        self.branches.insert(branch.to_owned(), id.clone());
        id
    }

    /// The files of a commit.
    pub(crate) fn files(&self, commit: &str) -> Files {
        let mut files = Files::new();
        self.collect(&self.commits[commit].tree, "", &mut files);
        files
    }

    /// The text of a file on a branch.
    pub(crate) fn text(&self, branch: &str, path: &str) -> String {
        String::from_utf8(self.files(&self.branches[branch])[path].1.clone()).unwrap()
    }

    /// The open pull requests.
    pub(crate) fn open(&self) -> Vec<&Pull> {
        self.pulls.iter().filter(|pull| pull.is_open).collect()
    }

    fn collect(&self, tree: &str, under: &str, files: &mut Files) {
        for (name, (mode, id)) in &self.trees[tree] {
            let path = format!("{under}{name}");
            match mode.as_str() {
                "040000" => self.collect(id, &format!("{path}/"), files),
                "160000" => {}
                _ => {
                    files.insert(path, (mode.clone(), self.blobs[id].clone()));
                }
            }
        }
    }

    fn tree(&mut self, files: &Files) -> String {
        let mut folder = Folder::new();
        let mut below: BTreeMap<&str, Files> = BTreeMap::new();
        for (path, (mode, bytes)) in files {
            if let Some((name, rest)) = path.split_once('/') {
                below.entry(name).or_default().insert(rest.to_owned(), (mode.clone(), bytes.clone()));
            } else {
                let id = if mode == "160000" { "5".repeat(40) } else { self.blob(bytes.clone()) };
                folder.insert(path.clone(), (mode.clone(), id));
            }
        }
        for (name, files) in below {
            let id = self.tree(&files);
            folder.insert(name.to_owned(), ("040000".to_owned(), id));
        }
        let mut sorted: Vec<_> = folder.iter().collect();
        sorted.sort_by_key(|(name, (mode, _))| format!("{name}{}", if mode == "040000" { "/" } else { "" }));
        let mut bytes = Vec::new();
        for (name, (mode, id)) in sorted {
            bytes.extend(format!("{} {name}\0", mode.trim_start_matches('0')).bytes());
            bytes.extend((0..id.len()).step_by(2).map(|at| u8::from_str_radix(&id[at..at + 2], 16).unwrap()));
        }
        let id = hash(gix::objs::Kind::Tree, &bytes);
        self.trees.insert(id.clone(), folder);
        id
    }

    fn blob(&mut self, bytes: Vec<u8>) -> String {
        let id = hash(gix::objs::Kind::Blob, &bytes);
        self.blobs.insert(id.clone(), bytes);
        id
    }

    fn commit(&mut self, commit: Commit) -> String {
        // Another date, another name: as GitHub's clock would have it.
        let bytes = format!("{commit:?} {}", self.commits.len());
        let id = hash(gix::objs::Kind::Commit, bytes.as_bytes());
        self.commits.insert(id.clone(), commit);
        id
    }

    /// A commit and all before it.
    fn history(&self, commit: &str) -> BTreeSet<String> {
        let mut all = BTreeSet::new();
        let mut next = vec![commit.to_owned()];
        while let Some(commit) = next.pop() {
            if all.insert(commit.clone()) {
                next.extend(self.commits[&commit].parents.iter().cloned());
            }
        }
        all
    }

    // ---- the API ----

    pub(super) fn act(&mut self, method: &str, parts: &[&str], query: &[(String, String)], body: &Value) -> Answer {
        let text = |key: &str| body[key].as_str().unwrap_or_default().to_owned();
        match (method, parts) {
            ("GET", []) => (
                200,
                with(
                    smallest("full-repository"),
                    &[("default_branch", json!("main")), ("owner.login", json!("Codertocat"))],
                ),
            ),
            ("GET", ["git", "ref", "heads", branch @ ..]) => match self.branches.get(&branch.join("/")) {
                Some(id) => (200, reference(&branch.join("/"), id)),
                None => refused(404, "Not Found"),
            },
            ("GET", ["git", "commits", id]) => match self.commits.get(*id) {
                Some(commit) => (200, git_commit(id, commit)),
                None => refused(404, "Not Found"),
            },
            ("GET", ["git", "trees", id]) => match self.trees.get(*id) {
                Some(folder) => (200, tree(id, folder)),
                None => refused(404, "Not Found"),
            },
            ("POST", ["git", "blobs"]) => {
                let bytes = match body["encoding"].as_str() {
                    Some("base64") => STANDARD.decode(text("content")).unwrap(),
                    _ => text("content").into_bytes(),
                };
                let id = self.blob(bytes);
                (201, with(smallest("short-blob"), &[("sha", json!(id))]))
            }
            ("POST", ["git", "trees"]) => self.create_tree(body),
            ("POST", ["git", "commits"]) => {
                let parents = body["parents"].as_array().into_iter().flatten().filter_map(Value::as_str);
                let parents = parents.map(str::to_owned).collect();
                let author = "github-actions[bot]".to_owned();
                let id = self.commit(Commit { tree: text("tree"), parents, message: text("message"), author });
                (201, git_commit(&id, &self.commits[&id]))
            }
            ("POST", ["git", "refs"]) => {
                let branch = text("ref").strip_prefix("refs/heads/").unwrap().to_owned();
                if self.branches.contains_key(&branch) {
                    return refused(422, "Reference already exists");
                }
                assert!(self.commits.contains_key(&text("sha")));
                self.branches.insert(branch.clone(), text("sha"));
                (201, reference(&branch, &text("sha")))
            }
            (_, ["git", "refs", "heads", branch @ ..]) => self.change_branch(method, &branch.join("/"), body),
            ("GET", ["compare", range]) => self.compare(range),
            ("GET", ["pulls"]) => self.list_pulls(query),
            ("POST", ["pulls"]) => self.create_pull(body),
            ("PATCH", ["pulls", number]) => self.change_pull(number, body),
            ("POST", ["pulls", number, "requested_reviewers"]) => self.ask_reviewers(number, body),
            ("GET", ["pulls", _, "files"]) => (200, page(query, self.patches.iter().map(diff_entry))),
            ("GET", ["pulls", number, "comments"]) => self.list_comments(number, query, true),
            ("POST", ["pulls", number, "reviews"]) => self.create_review(number, body),
            ("GET", ["issues", number, "comments"]) => self.list_comments(number, query, false),
            ("POST", ["issues", number, "comments"]) => {
                let author = ("Bot", "NONE");
                self.comments.push(Comment { pull: number.parse().unwrap(), body: text("body"), author, at: None });
                (201, self.comment(self.comments.len() - 1))
            }
            ("PATCH", ["issues", "comments", id]) => {
                let at = id.parse::<usize>().unwrap() - 1000;
                self.comments[at].body = text("body");
                (200, self.comment(at))
            }
            ("POST", ["issues", number, "labels"]) => {
                let labels = body["labels"].as_array().unwrap().iter().map(|label| label.as_str().unwrap().to_owned());
                let pull = self.pulls.iter_mut().find(|pull| pull.number.to_string() == **number).unwrap();
                pull.labels.extend(labels);
                (200, pull.labels.iter().map(|name| label(name)).collect())
            }
            _ => refused(404, "Not Found"),
        }
    }

    fn create_tree(&mut self, body: &Value) -> Answer {
        let base = body["base_tree"].as_str().unwrap();
        let mut files = Files::new();
        self.collect(base, "", &mut files);
        for entry in body["tree"].as_array().unwrap() {
            let text = |key: &str| entry[key].as_str().unwrap().to_owned();
            let bytes = self.blobs[&text("sha")].clone();
            files.insert(text("path"), (text("mode"), bytes));
        }
        let id = self.tree(&files);
        (201, tree(&id, &self.trees[&id]))
    }

    fn change_branch(&mut self, method: &str, branch: &str, body: &Value) -> Answer {
        if !self.branches.contains_key(branch) {
            return refused(422, "Reference does not exist");
        }
        if method == "DELETE" {
            self.branches.remove(branch);
            self.pulls.iter_mut().filter(|pull| pull.head == branch).for_each(|pull| pull.is_open = false);
            return (204, Value::Null);
        }
        let id = body["sha"].as_str().unwrap().to_owned();
        if body["force"] != true && !self.history(&id).contains(&self.branches[branch]) {
            return refused(422, "Update is not a fast forward");
        }
        self.branches.insert(branch.to_owned(), id.clone());
        (200, reference(branch, &id))
    }

    fn compare(&self, range: &str) -> Answer {
        let (base, head) = range.split_once("...").unwrap();
        if !self.commits.contains_key(base) || !self.commits.contains_key(head) {
            return refused(404, "Not Found");
        }
        let (behind, ahead) = (self.history(base), self.history(head));
        let Some(shared) = self.newest_first(head).into_iter().find(|commit| behind.contains(commit)) else {
            return refused(404, "No common ancestor");
        };
        let mut commits: Vec<String> = self.newest_first(head).into_iter().filter(|it| !behind.contains(it)).collect();
        commits.reverse();
        let count = commits.len();
        commits.truncate(100);
        let (old, new) = (self.files(&shared), self.files(head));
        let paths: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
        let differs = paths.into_iter().filter(|path| old.get(*path) != new.get(*path));
        let files: Vec<Value> = differs
            .map(|path| {
                let (status, file) = match (old.get(path), new.get(path)) {
                    (None, Some(file)) => ("added", file),
                    (Some(_), Some(file)) => ("modified", file),
                    (file, _) => ("removed", file.unwrap()),
                };
                let id = hash(gix::objs::Kind::Blob, &file.1);
                with(diff_entry(&(path.clone(), None)), &[("sha", json!(id)), ("status", json!(status))])
            })
            .collect();
        let listed = commits.iter().map(|id| {
            let commit = &self.commits[id];
            with(
                smallest("commit"),
                &[
                    ("sha", json!(id)),
                    ("commit.message", json!(commit.message)),
                    ("commit.author", json!({ "name": commit.author })),
                    ("author", Value::Null),
                ],
            )
        });
        let answer = with(
            smallest("commit-comparison"),
            &[
                ("ahead_by", json!(count)),
                ("behind_by", json!(behind.difference(&ahead).count())),
                ("total_commits", json!(count)),
                ("commits", listed.collect()),
                ("files", json!(files)),
            ],
        );
        (200, answer)
    }

    fn newest_first(&self, head: &str) -> Vec<String> {
        let mut all = Vec::new();
        let mut next = std::collections::VecDeque::from([head.to_owned()]);
        while let Some(commit) = next.pop_front() {
            if !all.contains(&commit) {
                next.extend(self.commits[&commit].parents.iter().cloned());
                all.push(commit);
            }
        }
        all
    }

    fn list_pulls(&self, query: &[(String, String)]) -> Answer {
        let asked = |key: &str| query.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str());
        let wanted = |pull: &&Pull| {
            (asked("state") != Some("open") || pull.is_open)
                && asked("head").is_none_or(|head| head == format!("Codertocat:{}", pull.head))
                && asked("base").is_none_or(|base| base == pull.base)
        };
        let found: Vec<_> = self.pulls.iter().filter(wanted).map(|it| pull(it, "pull-request-simple")).collect();
        (200, page(query, found.into_iter()))
    }

    fn create_pull(&mut self, body: &Value) -> Answer {
        let text = |key: &str| body[key].as_str().unwrap_or_default().to_owned();
        let (head, base) = (text("head"), text("base"));
        if self.pulls.iter().any(|pull| pull.is_open && pull.head == head && pull.base == base) {
            return refused(422, &format!("A pull request already exists for Codertocat:{head}."));
        }
        if !self.branches.contains_key(&head) || !self.branches.contains_key(&base) {
            return refused(422, "Validation Failed");
        }
        self.pulls.push(Pull {
            number: self.pulls.len() + 3,
            head,
            base,
            title: text("title"),
            body: text("body"),
            is_open: true,
            labels: Vec::new(),
            reviewers: Vec::new(),
        });
        (201, pull(self.pulls.last().unwrap(), "pull-request"))
    }

    fn change_pull(&mut self, number: &str, body: &Value) -> Answer {
        let Some(found) = self.pulls.iter_mut().find(|pull| pull.number.to_string() == number) else {
            return refused(404, "Not Found");
        };
        for (key, field) in [("title", &mut found.title), ("body", &mut found.body), ("base", &mut found.base)] {
            if let Some(text) = body[key].as_str() {
                text.clone_into(field);
            }
        }
        found.is_open &= body["state"] != "closed";
        (200, pull(found, "pull-request"))
    }

    fn ask_reviewers(&mut self, number: &str, body: &Value) -> Answer {
        let lists = [&body["reviewers"], &body["team_reviewers"]];
        let names = lists.into_iter().flat_map(|list| list.as_array().unwrap()).map(|name| name.as_str().unwrap());
        let names: Vec<String> = names.map(str::to_owned).collect();
        if names.iter().any(|name| !self.collaborators.contains(name)) {
            return refused(422, "Reviews may only be requested from collaborators.");
        }
        let found = self.pulls.iter_mut().find(|pull| pull.number.to_string() == number).unwrap();
        found.reviewers.extend(names);
        (201, pull(found, "pull-request-simple"))
    }

    fn list_comments(&self, number: &str, query: &[(String, String)], of_reviews: bool) -> Answer {
        let wanted = |at: &usize| {
            let comment = &self.comments[*at];
            comment.pull.to_string() == number && comment.at.is_some() == of_reviews
        };
        let all: Vec<_> = (0..self.comments.len()).filter(wanted).map(|at| self.comment(at)).collect();
        (200, page(query, all.into_iter()))
    }

    fn comment(&self, at: usize) -> Value {
        let comment = &self.comments[at];
        let (kind, association) = comment.author;
        let schema = if comment.at.is_some() { "pull-request-review-comment" } else { "issue-comment" };
        let mut answer = with(
            smallest(schema),
            &[
                ("id", json!(1000 + at)),
                ("body", json!(comment.body)),
                ("html_url", json!(format!("https://github.com/Codertocat/Hello-World/pull/{}#{at}", comment.pull))),
                ("user", with(smallest("simple-user"), &[("type", json!(kind))])),
                ("author_association", json!(association)),
            ],
        );
        if let Some((path, line)) = &comment.at {
            answer["path"] = json!(path);
            if let Some(line) = line {
                answer["line"] = json!(line);
            }
        }
        answer
    }

    /// Takes a review as a whole or not at all.
    fn create_review(&mut self, number: &str, body: &Value) -> Answer {
        let comments: Vec<_> = body["comments"].as_array().into_iter().flatten().cloned().collect();
        for comment in &comments {
            let patch = self.patches.iter().find(|(path, _)| comment["path"] == path.as_str());
            let patch = patch.and_then(|(_, patch)| patch.as_deref()).unwrap_or_default();
            if comment["side"] != "RIGHT" || !in_diff(patch, comment["line"].as_u64().unwrap()) {
                return refused(422, "Pull request review thread line must be part of the diff");
            }
        }
        for comment in &comments {
            self.comments.push(Comment {
                pull: number.parse().unwrap(),
                body: comment["body"].as_str().unwrap().to_owned(),
                author: ("Bot", "NONE"),
                at: Some((comment["path"].as_str().unwrap().to_owned(), comment["line"].as_u64())),
            });
        }
        self.reviews.push(body.clone());
        (200, with(smallest("pull-request-review"), &[("id", json!(self.reviews.len()))]))
    }
}

/// Whether a line of the new version stands in a patch.
fn in_diff(patch: &str, wanted: u64) -> bool {
    let mut number = 0;
    for line in patch.lines() {
        if let Some(header) = line.strip_prefix("@@ ") {
            let start = header.split('+').nth(1).unwrap().split([',', ' ']).next().unwrap();
            number = start.parse().unwrap();
        } else if line.starts_with(['+', ' ']) {
            if number == wanted {
                return true;
            }
            number += 1;
        }
    }
    false
}

fn page(query: &[(String, String)], items: impl Iterator<Item = Value>) -> Value {
    let number = |key: &str, otherwise: usize| {
        query.iter().find(|(name, _)| name == key).map_or(otherwise, |(_, value)| value.parse().unwrap())
    };
    let (size, at) = (number("per_page", 30), number("page", 1));
    items.skip(size * (at - 1)).take(size).collect()
}

fn reference(branch: &str, id: &str) -> Value {
    with(
        smallest("git-ref"),
        &[("ref", json!(format!("refs/heads/{branch}"))), ("object.sha", json!(id)), ("object.type", json!("commit"))],
    )
}

fn git_commit(id: &str, commit: &Commit) -> Value {
    with(
        smallest("git-commit"),
        &[("sha", json!(id)), ("message", json!(commit.message)), ("tree.sha", json!(commit.tree))],
    )
}

fn tree(id: &str, folder: &Folder) -> Value {
    let entries = folder.iter().map(|(name, (mode, id))| {
        let kind = match mode.as_str() {
            "040000" => "tree",
            "160000" => "commit",
            _ => "blob",
        };
        json!({ "path": name, "mode": mode, "type": kind, "sha": id })
    });
    json!({ "sha": id, "truncated": false, "tree": entries.collect::<Vec<_>>() })
}

fn label(name: &str) -> Value {
    json!({ "id": 1, "node_id": "x", "url": "https://api.github.com/", "name": name, "description": "x",
        "color": "ededed", "default": false })
}

fn pull(pull: &Pull, schema: &str) -> Value {
    with(
        smallest(schema),
        &[
            ("number", json!(pull.number)),
            ("html_url", json!(format!("https://github.com/Codertocat/Hello-World/pull/{}", pull.number))),
            ("state", json!(if pull.is_open { "open" } else { "closed" })),
            ("title", json!(pull.title)),
            ("body", json!(pull.body)),
            ("head.ref", json!(pull.head)),
            ("head.repo", with(smallest("repository"), &[("id", json!(1))])),
            ("base.ref", json!(pull.base)),
            ("base.repo", with(smallest("repository"), &[("id", json!(1))])),
            ("labels", pull.labels.iter().map(|name| label(name)).collect()),
        ],
    )
}

fn diff_entry(file: &(String, Option<String>)) -> Value {
    let mut entry = with(smallest("diff-entry"), &[("filename", json!(file.0)), ("status", json!("modified"))]);
    if let Some(patch) = &file.1 {
        entry["patch"] = json!(patch);
    }
    entry
}
