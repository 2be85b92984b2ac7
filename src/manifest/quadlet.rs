//! Podman Quadlet units: the images that systemd starts.
//!
//! Source: podman-systemd.unit(5) and systemd.syntax(7).

use std::ops::Range;
use std::sync::Arc;

use super::{Found, Kind, LocatedImage, Reader, State};
use crate::source::{Source, Span};

/// The kind.
pub static KIND: Kind = Kind {
    name: "quadlet",
    title: "Podman Quadlet units",
    files: "`*.container`, `*.image`, `*.volume` with the section of that name",
    reads: "`Image=`",
    decided: "the last `Image=` of the section, as systemd reads it; an image unit (`web.image`) is judged itself, a \
            build unit (`web.build`) is built where it is started",
    unresolved: "systemd specifiers (`%i`), an image over several lines, archives and stores on the machine, \
            templates: write the image out with its digest, in one line",
    example: &[
        (
            "web.container",
            "[Container]
Image=ghcr.io/org/web:1.2.3@sha256:28db6fdf60e38945e43d840c0333aeaec66c15943070104f7586fd3c9d1665b0
",
        ),
        (
            "worker.container",
            "[Container]
Image=ghcr.io/org/worker:1.2.3
",
        ),
        (
            "proxy@.container",
            "[Container]
Image=ghcr.io/org/proxy:%i
",
        ),
    ],
    reader: Reader::Text { claims: is_named, read },
};

/// The endings of units, and the section that names their image.
const UNITS: [(&str, &str); 3] = [(".container", "Container"), (".image", "Image"), (".volume", "Volume")];

fn section_of(name: &str) -> Option<&'static str> {
    UNITS.iter().find(|(ending, _)| name.ends_with(ending)).map(|(_, section)| *section)
}

fn is_named(name: &str) -> bool {
    section_of(name).is_some()
}

fn read(source: &Arc<Source>, found: &mut Found) -> bool {
    let Some(wanted) = section_of(source.file_name()) else { return false };
    let mut is_unit = false;
    let mut in_section = false;
    // The last assignment counts; an empty one takes back those before it.
    let mut image = None;
    for line in logical_lines(source.text()) {
        let text = source.text().get(line.clone()).unwrap_or_default();
        if let Some(section) = text.trim().strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            in_section = section == wanted;
            is_unit |= in_section;
        } else if in_section
            && let Some((key, value)) = text.split_once('=')
            && key.trim() == "Image"
        {
            let start = line.start + key.len() + 1 + (value.len() - value.trim_start().len());
            image = Some(start..(start + value.trim().len()));
        }
    }
    if let Some(range) = image.filter(|range| !range.is_empty()) {
        found.images.extend(located(source, range, wanted));
    }
    is_unit
}

/// The lines of a unit, continued lines as one, without comments; blank lines and comments end no continuation.
fn logical_lines(text: &str) -> Vec<Range<usize>> {
    let mut lines: Vec<Range<usize>> = Vec::new();
    let mut continued = false;
    let mut start = text.len() - text.strip_prefix('\u{feff}').unwrap_or(text).len();
    for line in text.get(start..).unwrap_or_default().split_inclusive(['\n', '\r']) {
        let range = start..start + line.trim_end_matches(['\n', '\r']).len();
        start += line.len();
        let line = line.trim_end_matches(['\n', '\r']);
        if line.trim_start().starts_with(['#', ';']) || line.is_empty() {
            continue;
        }
        match lines.last_mut() {
            Some(last) if continued => last.end = range.end,
            _ => lines.push(range),
        }
        continued = line.ends_with('\\');
    }
    lines
}

fn located(source: &Arc<Source>, range: Range<usize>, section: &str) -> Option<LocatedImage> {
    let raw = source.text().get(range.clone())?;
    let quoted = raw.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    let (raw, range) = quoted.map_or((raw, range.clone()), |inner| (inner, range.start + 1..range.end - 1));
    let scheme = if raw.starts_with("docker://") { "docker://".len() } else { 0 };
    let range = range.start + scheme..range.end;
    let written = raw.get(scheme..)?;
    // Another unit of this repository: it is read itself.
    let unit = written.rsplit_once('.').filter(|_| !written.contains(['/', ':'])).map(|(_, ending)| ending);
    if unit == Some("image") {
        return None;
    }
    let is_build = unit == Some("build");
    let span = Span::new(range.start, range.end);
    let field = format!("{section}.Image");
    let mut image = LocatedImage::new(KIND.name, source, span, field, written, state_of(written, is_build));
    image.built = is_build;
    Some(image)
}

fn state_of(text: &str, is_build: bool) -> State {
    const ARCHIVES: [&str; 6] =
        ["oci:", "oci-archive:", "docker-archive:", "dir:", "docker-daemon:", "containers-storage:"];
    if is_build {
        State::Built
    } else if text.contains('%') {
        State::unresolved("a systemd specifier (`%`) is filled in where it is started")
    } else if text.contains('\\') {
        State::unresolved("the image goes over several lines: write it in one")
    } else if ARCHIVES.iter().any(|archive| text.starts_with(archive) && text.contains('/')) {
        State::unresolved("an archive or a store on the machine has no digest that could be checked")
    } else if text.contains("{{") || text.contains("${") {
        State::unresolved("a template is filled in before it is started")
    } else {
        State::of(text)
    }
}

#[cfg(test)]
mod tests {
    use crate::manifest::place::tests::{find, images};

    #[test]
    fn units_name_their_image() {
        let table = [
            ("a.container", "[Container]\nImage=a:1\n", "2:7 Container.Image a:1 unpinned a:1"),
            (
                "a.container",
                "\u{feff}# é\r\n[Container]\r\nImage = docker://a:1\r\n",
                "3:18 Container.Image a:1 unpinned a:1",
            ),
            (
                "a.container",
                "[Container]\nImage=old\nImage=new\n[Service]\nImage=x\n",
                "3:7 Container.Image new unpinned new",
            ),
            ("a.container", "[Container]\nEnvironment=A \\\nImage=no\nImage=a\n", "4:7 Container.Image a unpinned a"),
            ("a.container", "[Container]\nImage=a:%i\n", "2:7 Container.Image a:%i unresolved -"),
            ("a.container", "[Container]\nImage=a.build\n", "2:7 Container.Image a.build built -"),
            ("a.image", "[Image]\nImage=quay.io/a\n", "2:7 Image.Image quay.io/a unpinned quay.io/a"),
            ("a.volume", "[Volume]\nDriver=image\nImage=a:1\n", "3:7 Volume.Image a:1 unpinned a:1"),
        ];
        for (name, text, expected) in table {
            assert_eq!(images(name, text), [expected], "{text}");
        }
        assert!(images("a.container", "[Container]\nImage=a.image\n").is_empty());
        assert!(images("a.container", "[Container]\nImage=a\nImage=\n").is_empty());
        assert!(!find("a.image", "no unit").is_manifest);
    }
}
