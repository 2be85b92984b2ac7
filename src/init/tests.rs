//! What is proposed for repositories of every shape, and that it can always be read.

use proptest::prelude::*;
use proptest::test_runner::{RngSeed, TestRunner};

use super::*;
use crate::manifest::{Alone, read};
use crate::policy::Policy;
use crate::yaml::Tree;

const SERVICE: &str = "services: {a: {image: nginx}}\n";
const POD: &str = "apiVersion: v1\nkind: Pod\nspec: {containers: [{name: a, image: nginx}]}\n";
const OVERLAY: &str = "kind: Kustomization\nresources: [../../base]\n";

fn planned(files: &[(&str, &str)]) -> Vec<Planned> {
    let paths = files.iter().map(|(path, _)| (*path).to_owned()).collect();
    let mut tree = Tree::default();
    let manifests: Vec<_> = files
        .iter()
        .map(|(path, text)| Source::new(*path, *text))
        .map(|source| {
            let found = read(&source, &Alone, &mut tree);
            (source, found)
        })
        .collect();
    plan(&Seen { paths: &paths, manifests: &manifests })
}

/// The environments of the configuration, which is read again, without its comments.
fn proposed(files: &[(&str, &str)]) -> String {
    let planned = planned(files);
    let text = &planned[0].text;
    Policy::parse(&Source::new(CONFIGURATION, text.as_str())).unwrap_or_else(|errors| panic!("{errors}"));
    let lines = text.lines().skip_while(|line| *line != "environments:").skip(1);
    let lines = lines.filter(|line| !line.trim_start().starts_with('#') && !line.is_empty());
    lines.map(|line| line.strip_prefix("  ").unwrap_or(line)).collect::<Vec<_>>().join("\n")
}

#[test]
fn an_override_goes_over_its_base_with_the_env_file_of_its_name() {
    let files = [
        ("compose.yml", SERVICE),
        ("compose.prod.yml", SERVICE),
        (".env.prod", ""),
        ("app/docker-compose.yaml", SERVICE),
        ("app/docker-compose-production.yml", SERVICE),
        ("app/docker-compose.staging.yml", SERVICE),
        ("other/compose.production.yml", SERVICE),
        ("compose.override.yml", SERVICE),
    ];
    assert_eq!(
        proposed(&files),
        "production:\n  enforce: true\n  stacks:\n    - files: [app/docker-compose.yaml, app/docker-compose-production.yml]\n    \
         - files: [compose.yml, compose.prod.yml]\n      env-file: .env.prod\n  manifests:\n    - \
         other/compose.production.yml\nstaging:\n  enforce: false\n  stacks:\n    - files: [app/docker-compose.yaml, \
         app/docker-compose.staging.yml]"
            .replace(".env.prod\n", "'.env.prod'\n")
    );
}

#[test]
fn overlays_charts_and_folders_are_named() {
    let files = [
        ("k8s/base/kustomization.yaml", "resources: [pod.yaml]\n"),
        ("k8s/base/pod.yaml", POD),
        ("k8s/overlays/prod-eu/kustomization.yaml", OVERLAY),
        ("k8s/overlays/prod-eu/patch.yaml", POD),
        ("k8s/overlays/staging/kustomization.yaml", OVERLAY),
        ("k8s/overlays/prod-eu/part/kustomization.yaml", "kind: Component\n"),
        ("charts/app/Chart.yaml", "name: app\n"),
        ("charts/app/values.yaml", "image: {repository: nginx, tag: '1'}\n"),
        ("charts/app/values.prod.yaml", "image: {tag: '2'}\n"),
        ("charts/app/charts/part/Chart.yaml", "name: part\n"),
        ("charts/app/charts/part/values-prod.yaml", "image: {tag: '2'}\n"),
        ("charts/other/Chart.yaml", "name: other\n"),
        ("deploy/prod/a/pod.yaml", POD),
        ("deploy/prod/b.yaml", POD),
        ("deploy/dev/b.yaml", POD),
        ("docker-stack.yml", SERVICE),
        ("docker-stack-dev.yml", SERVICE),
        ("build_prod.Dockerfile", "FROM nginx\n"),
        (".github/workflows/prod.yml", "on: push\njobs: {a: {runs-on: x, container: nginx, steps: []}}\n"),
    ];
    assert_eq!(
        proposed(&files),
        "production:\n  enforce: true\n  overlays:\n    - k8s/overlays/prod-eu\n  charts:\n    - chart: charts/app\n      values: \
         [charts/app/values.prod.yaml]\n  manifests:\n    - deploy/prod/**\n    \
         - docker-stack.yml\nstaging:\n  enforce: false\n  overlays:\n    - k8s/overlays/staging"
    );
}

#[test]
fn a_chart_alone_takes_values_from_everywhere_and_may_lie_at_the_root() {
    let files = [
        ("Chart.yaml", "name: app\n"),
        ("templates/pod.yaml", POD),
        ("values.yaml", "image: nginx\n"),
        ("environments/production/values.yaml", "image: {tag: '2'}\n"),
        ("prod/job.yaml", POD),
    ];
    assert_eq!(
        proposed(&files),
        "production:\n  enforce: true\n  charts:\n    - chart: '.'\n      values: [environments/production/values.yaml]\n  \
         manifests:\n    - prod/**"
    );
}

#[test]
fn where_no_name_says_production_everything_is_proposed() {
    let files = [
        ("compose.yml", SERVICE),
        ("k8s/a.yaml", POD),
        ("k8s/b/c.yaml", POD),
        ("tests/d.yaml", POD),
        ("charts/app/Chart.yaml", "name: app\n"),
        ("charts/app/templates/pod.yaml", POD),
        ("Dockerfile", "FROM nginx\n"),
        ("pod's [x]/a.yaml", POD),
        ("it's/a.yaml", POD),
    ];
    assert_eq!(
        proposed(&files),
        "production:\n  enforce: true\n  charts:\n    - chart: charts/app\n  manifests:\n    - compose.yml\n    - 'it''s/**'\n    - k8s/**"
    );
    assert!(planned(&files)[0].says.contains("no name says production"));
    assert_eq!(proposed(&[("Dockerfile", "FROM nginx\n")]), "");
    let many: Vec<_> = (0..30).map(|number| format!("apps/app{number}/pod.yaml")).collect();
    assert!(proposed(&many.iter().map(|path| (path.as_str(), POD)).collect::<Vec<_>>()).ends_with("    - apps/**"));
}

#[test]
fn every_permission_of_a_workflow_is_explained() {
    for workflow in WORKFLOWS {
        let given = workflow.text.lines().filter(|line| line.contains(": read") || line.contains(": write"));
        let told = permissions(workflow.text);
        assert!(given.clone().count() > 0, "{}", workflow.path);
        for line in given {
            let permission = line.split('#').next().unwrap().trim();
            assert!(told.lines().any(|line| line.starts_with(permission) && line.len() > 30), "{permission} in {told}");
        }
    }
}

#[test]
fn whatever_the_files_are_called_the_configuration_can_be_read() {
    let name = prop_oneof![
        Just("compose.yml".to_owned()),
        Just("compose.prod.yml".to_owned()),
        Just("kustomization.yaml".to_owned()),
        Just("Chart.yaml".to_owned()),
        Just("values.prod.yaml".to_owned()),
        Just(".env.prod".to_owned()),
        Just("prod".to_owned()),
        Just("overlays".to_owned()),
        "[a-z*?'\"\\[\\]{}: #&!%@`|>~,\\\\-]{1,6}",
        "\\PC{1,4}",
        Just("- ".to_owned()),
        Just("null".to_owned()),
        Just("\u{202e}".to_owned()),
        Just("\n".to_owned()),
    ];
    let path = prop::collection::vec(name, 1..4).prop_map(|parts| parts.join("/"));
    let config = ProptestConfig {
        cases: 500,
        failure_persistence: None,
        rng_seed: RngSeed::Fixed(20_261_126),
        ..ProptestConfig::default()
    };
    TestRunner::new(config)
        .run(&prop::collection::vec((path, 0..3_usize), 0..8), |files| {
            let files: Vec<_> =
                files.iter().map(|(path, text)| (path.as_str(), [SERVICE, POD, OVERLAY][*text])).collect();
            proposed(&files);
            Ok(())
        })
        .expect("the property holds");
}
