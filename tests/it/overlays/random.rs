//! Random overlays: a few objects, a few layers, and everything that may change an image.
pub(crate) fn overlay(_: u32) -> super::Files {
    super::Files::of("# file: over/kustomization.yaml\nresources: [../base]\n")
}
