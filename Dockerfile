# The image of the action: one static file, which reads manifests and talks to the GitHub API, and to the registries
# where it is asked to.
# Where the builder cannot be pulled, name another image with cargo 1.95: --build-arg BUILDER=…
ARG BUILDER=docker.io/library/rust:1.95-bookworm@sha256:6258907abe69656e41cd992e0b705cdcfabcbbe3db374f92ed2d47121282d4a1

FROM ${BUILDER} AS build
WORKDIR /source
COPY Cargo.toml Cargo.lock ./
COPY .ci/static .ci/static
COPY examples examples
COPY src src
RUN .ci/static /digest-gate

# No USER: the runner mounts the workspace with the rights of its own user, and root alone can always read it.
FROM scratch
COPY --from=build /digest-gate /digest-gate
ENTRYPOINT ["/digest-gate"]
