//! Development containers: `devcontainer.json`. Features are OCI artifacts, not images.
//!
//! Source: the Development Container metadata reference.

use super::place::{self, Places};
use super::{Document, Found, Kind, Reader};

/// The kind.
pub static KIND: Kind = Kind {
    name: "devcontainer",
    title: "Development containers",
    files: "`devcontainer.json`, `.devcontainer.json`, files in `.devcontainer/`",
    reads: "`image`; `build` and `dockerFile` are built where they run",
    decided: "nothing is filled in, the text is used as it stands; features are artifacts, not images",
    unresolved: "a variable in the text (`${localEnv:…}`): write the image out with its digest",
    example: &[
        (
            ".devcontainer/devcontainer.json",
            r#"{"image": "ghcr.io/org/dev:1.2.3@sha256:28db6fdf60e38945e43d840c0333aeaec66c15943070104f7586fd3c9d1665b0"}
"#,
        ),
        (
            ".devcontainer/data/devcontainer.json",
            r#"{"image": "ghcr.io/org/dev-data:1.2.3"}
"#,
        ),
        (
            ".devcontainer/web/devcontainer.json",
            r#"{"image": "ghcr.io/org/dev-web:${localEnv:TAG}"}
"#,
        ),
    ],
    reader: Reader::Document(read),
};

/// Whether a file name is that of a development container.
pub(super) fn is_named(name: &str) -> bool {
    matches!(name, "devcontainer.json" | ".devcontainer.json")
}

fn read(document: &Document<'_>, found: &mut Found) -> bool {
    let path = document.source.path();
    let name = document.source.file_name();
    let is_in_folder = path.contains(".devcontainer/") && matches!(name.rsplit_once('.'), Some((_, "json")));
    if !is_named(name) && !is_in_folder || !document.root.is_mapping() {
        return false;
    }
    place::report(KIND.name, document, &["image"], found);
    let mut places = Places::new(document.root);
    for pattern in ["build.dockerfile", "dockerFile"] {
        places.each(pattern, &mut |node, field| {
            found.images.push(place::built(KIND.name, document.source, node, field));
        });
    }
    true
}

#[cfg(test)]
mod tests {
    use crate::manifest::place::tests::{find, images};

    #[test]
    fn the_image_or_what_is_built() {
        let text = r#"{"image": "mcr.microsoft.com/x:1", "features": {"ghcr.io/f/x:1": {}}}"#;
        assert_eq!(
            images("devcontainer.json", text),
            ["1:12 image mcr.microsoft.com/x:1 unpinned mcr.microsoft.com/x:1"]
        );
        assert_eq!(images("devcontainer.json", r#"{"image": "a:${localEnv:X}"}"#).len(), 1);
        let built = find("devcontainer.json", r#"{"build": {"dockerfile": "Dockerfile"}}"#);
        assert_eq!(built.images[0].status(), "built");
    }
}
