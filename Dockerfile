# The binary `headwater` for every role; docker-compose.yml says which container is which.

# The build has the whole image of Rust: a crate below compiles C.
FROM rust:1.95.0-bookworm AS build
WORKDIR /src
COPY . .
# Without line tables the binary is a fraction as large; the symbols stay, so that a panic still names its functions.
ENV CARGO_PROFILE_RELEASE_DEBUG=false CARGO_PROFILE_RELEASE_STRIP=debuginfo
# The caches keep crates and objects for the next build; what is to stay must leave them in the same step.
RUN --mount=type=cache,target=/usr/local/cargo/registry --mount=type=cache,target=/src/target \
    cargo build --release --locked --bin headwater && cp target/release/headwater /headwater

# The same release of Debian, so the same libc.
FROM debian:12.13-slim
# Certificates: an event store or a database may be reached by TLS. The folder: a new volume takes owner and mode of what
# it is mounted on.
RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates && rm -rf /var/lib/apt/lists/* \
    && groupadd --gid 10001 headwater \
    && useradd --uid 10001 --gid headwater --home-dir /var/lib/headwater --no-create-home --shell /usr/sbin/nologin headwater \
    && install -d -o headwater -g headwater /var/lib/headwater
COPY --from=build /headwater /usr/local/bin/headwater
USER 10001:10001
ENV HEADWATER_DATA_DIR=/var/lib/headwater
# REST or GraphQL, the node, metrics and health, the sandbox.
EXPOSE 8080 2113 9464 8090
# The image has no program that could ask by HTTP, so the binary asks itself; it knows the address from its settings.
HEALTHCHECK --interval=10s --timeout=6s --start-period=60s --retries=3 CMD ["headwater", "health"]
ENTRYPOINT ["headwater"]
CMD ["--help"]
