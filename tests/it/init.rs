//! `init` in repositories of every shape: what it writes is read again by `check` at once.

use std::fs;
use std::path::Path;

use super::cli::snapshot;
use super::program::{Folder, run_in, skipped};

const SERVICE: &str = "services:\n  web:\n    image: ghcr.io/org/web:1.2.3\n";
const POD: &str = "apiVersion: v1\nkind: Pod\nmetadata: {name: web}\nspec:\n  containers:\n  - name: web\n    image: ghcr.io/org/web:1.2.3\n";
const WORKFLOW: &str = ".github/workflows/digest-gate.yml";

fn full() -> Folder {
    Folder::new(&[
        (".git/HEAD", "ref: refs/heads/main\n"),
        ("compose.yml", SERVICE),
        ("compose.prod.yml", "services:\n  web:\n    restart: always\n"),
        (".env.prod", "TAG=1.2.3\n"),
        ("compose.staging.yml", "services:\n  web:\n    restart: always\n"),
        ("k8s/base/kustomization.yaml", "resources: [pod.yaml]\n"),
        ("k8s/base/pod.yaml", POD),
        ("k8s/overlays/prod/kustomization.yaml", "resources: [../../base]\n"),
        ("charts/app/Chart.yaml", "apiVersion: v2\nname: app\nversion: 0.1.0\n"),
        ("charts/app/values.yaml", "image: ghcr.io/org/app:1.2.3\n"),
        ("charts/app/values.prod.yaml", "replicas: 3\n"),
        ("charts/app/templates/pod.yaml", &POD.replace("ghcr.io/org/web:1.2.3", "{{ .Values.image }}")),
        ("deploy/prod/job.yaml", POD),
    ])
}

#[test]
fn what_is_found_is_written_explained_and_judged_at_once() {
    let folder = full();
    let ran = folder.run(&["init"]);
    snapshot("init", &ran.shown());
    let written = |path: &str| fs::read_to_string(folder.path().join(path)).unwrap();
    snapshot("init-configuration", &written("digest-gate.yml"));
    assert_eq!(written(WORKFLOW), include_str!("../../examples/workflows/gate.yml"));
    let others = [
        ("refresh", include_str!("../../examples/workflows/refresh.yml")),
        ("verify", include_str!("../../examples/workflows/verify.yml")),
    ];
    for (name, text) in others {
        assert_eq!(written(&format!(".github/workflows/digest-gate-{name}.yml")), text);
    }
    let ran = folder.run(&["check", "--format", "json"]);
    assert_eq!(ran.status, 1, "{}", ran.shown());
    assert!(!ran.stdout.contains("no-manifests"), "{}", ran.shown());
    for path in ["compose.yml", "k8s/base/pod.yaml", "charts/app/values.yaml", "deploy/prod/job.yaml"] {
        assert!(
            ran.stdout.contains(&format!(
                r#""rule":"unpinned","severity":"error","enforced":true,"environment":"production","path":"{path}""#
            )),
            "{path}: {}",
            ran.shown()
        );
    }
    // The image that staging deploys stands at the same place as that of production, and is one finding.
    assert!(ran.stdout.contains(r#""images":5,"#), "{}", ran.shown());
}

#[test]
fn nothing_is_ever_written_over() {
    for there in ["digest-gate.yml", ".github/digest-gate.yaml", WORKFLOW] {
        let folder = full();
        folder.write(there, "# mine\n");
        let ran = folder.run(&["init"]);
        assert_eq!((ran.status, ran.stdout.as_str()), (2, ""), "{}", ran.shown());
        assert!(ran.stderr.contains(there) && ran.stderr.contains("--print"), "{}", ran.shown());
        assert_eq!(fs::read_to_string(folder.path().join(there)).unwrap(), "# mine\n");
        let others = ["digest-gate.yml", WORKFLOW].into_iter().filter(|path| *path != there);
        assert!(others.into_iter().all(|path| !folder.path().join(path).exists()), "{there}");
        let printed = folder.run(&["init", "--print"]);
        assert!(printed.status == 0 && printed.stdout.contains("# ---- digest-gate.yml ----"), "{}", printed.shown());
    }
    let below = full();
    below.write("digest-gate.yml", "version: 1\n");
    let ran = run_in(&below.path().join("k8s/base"), &["init"], "", &[]);
    assert!(ran.status == 2 && ran.stderr.contains("../../digest-gate.yml"), "{}", ran.shown());
}

#[test]
fn it_writes_to_the_root_of_the_repository_from_any_folder_and_printing_writes_nothing() {
    let folder = full();
    let inside = folder.path().join("deploy/prod");
    let printed = run_in(&inside, &["init", "--print"], "", &[]);
    assert!(printed.status == 0 && !folder.path().join("digest-gate.yml").exists(), "{}", printed.shown());
    let ran = run_in(&inside, &["init"], "", &[]);
    assert!(ran.status == 0 && ran.stdout.contains("wrote ../../digest-gate.yml"), "{}", ran.shown());
    assert!(folder.path().join("digest-gate.yml").is_file() && !inside.join("digest-gate.yml").exists());
}

#[cfg(unix)]
#[test]
fn all_files_are_written_or_none() {
    let folder = full();
    fs::write(folder.path().join(".github"), "no folder").unwrap();
    let ran = folder.run(&["init"]);
    assert_eq!(ran.status, 2, "{}", ran.shown());
    assert!(ran.stderr.contains("nothing was written") && !folder.path().join("digest-gate.yml").exists());
    fs::remove_file(folder.path().join(".github")).unwrap();
    let outside = Folder::new(&[]);
    std::os::unix::fs::symlink(outside.path(), folder.path().join(".github")).unwrap();
    let ran = folder.run(&["init"]);
    assert!(ran.status == 2 && ran.stderr.contains("symbolic link out of the repository"), "{}", ran.shown());
    assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 0);
    assert!(!folder.path().join("digest-gate.yml").exists());
}

#[test]
fn an_empty_repository_gets_a_configuration_that_passes() {
    let folder = Folder::new(&[(".git/HEAD", ""), ("README.md", "# hello\n")]);
    snapshot("init-nothing", &folder.run(&["init"]).shown());
    assert_eq!(folder.run(&["check"]).status, 0);
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::write(&target, fs::read(entry.path()).unwrap()).unwrap();
        }
    }
}

#[test]
fn real_repositories_get_a_configuration_that_check_takes() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let Some(corpus) = root.ancestors().map(|it| it.join("shared/corpus/files")).find(|it| it.is_dir()) else {
        skipped("no shared/corpus/files: `init` was not tried on real manifests");
        return;
    };
    let mut images = 0;
    for entry in fs::read_dir(corpus).unwrap() {
        let entry = entry.unwrap();
        let folder = Folder::new(&[(".git/HEAD", "")]);
        copy(&entry.path(), folder.path());
        let ran = folder.run(&["init"]);
        assert_eq!(ran.status, 0, "{:?}: {}", entry.file_name(), ran.shown());
        let ran = folder.run(&["check", "--format", "json"]);
        assert!(ran.status < 2 && !ran.stdout.contains("no-manifests"), "{:?}: {}", entry.file_name(), ran.shown());
        let last: serde_json::Value = serde_json::from_str(ran.stdout.lines().last().unwrap()).unwrap();
        images += last["summary"]["images"].as_u64().unwrap();
    }
    assert!(images > 100, "{images}");
}
