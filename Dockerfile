# Two images: `proxy` (the default) has codexlb and Codex, `login` has codexlb and a browser. docs/docker.md says how to
# use them, and docker-bake.hcl builds both for amd64 and arm64.
#
# Each base image is named once, below. scripts/release/pin-images.ts adds digests, and Dependabot renews them.

# Runs on the building machine, whatever platform the image is for: Bun and npm can write and fetch for other platforms.
FROM --platform=$BUILDPLATFORM node:24-bookworm AS tools

FROM tools AS build
WORKDIR /src
COPY package.json bun.lock bunfig.toml tsconfig.json ./
COPY scripts scripts
RUN node scripts/get-bun.mjs \
  && .tools/bun install --frozen-lockfile --ignore-scripts --production
COPY src src
ARG TARGETARCH
# There is no git here: docker-bake.hcl passes the version, the commit's 12 digits and its day. Without them, the version
# is that of package.json, and the commit is unknown.
ARG VERSION
ARG COMMIT
ARG DATE
# An image cannot choose by processor features, so the one for amd64 holds the build that needs no AVX2.
RUN case "${TARGETARCH}" in amd64) target=linux-x64-baseline ;; *) target="linux-${TARGETARCH}" ;; esac \
  && .tools/bun scripts/compile.ts --target "${target}" --out /out/usr/local/bin/codexlb \
    ${VERSION:+--version "${VERSION}"} ${COMMIT:+--commit "${COMMIT}"} ${DATE:+--date "${DATE}"}

FROM tools AS codex
ARG TARGETARCH
ARG CODEX_NPM_VERSION=latest
# The argument is the version.
# hadolint ignore=DL3016
RUN case "${TARGETARCH}" in amd64) cpu=x64 ;; *) cpu="${TARGETARCH}" ;; esac \
  && npm install --global --prefix /out/usr/local --os linux --cpu "${cpu}" --libc glibc \
    --ignore-scripts --no-fund --no-audit "@openai/codex@${CODEX_NPM_VERSION}" \
  # The slim image has no certificates, which Codex needs.
  && mkdir -p /out/etc/ssl/certs /out/data \
  && cp /etc/ssl/certs/ca-certificates.crt /out/etc/ssl/certs/

# What `codexlb login-with --docker-image` runs: a browser, and the same executable.
#   docker build --target login -t codexlb-login .
FROM debian:bookworm-slim AS login
# Debian keeps only the newest version of a package, so that a pinned one cannot be installed for long.
# hadolint ignore=DL3008
RUN apt-get update \
  && apt-get install -y --no-install-recommends ca-certificates chromium fonts-liberation \
  && rm -rf /var/lib/apt/lists/*
COPY --from=build /out/ /
LABEL org.opencontainers.image.title="codexlb login" \
  org.opencontainers.image.description="Logs an account in for codexlb, with a browser" \
  org.opencontainers.image.licenses="MIT"
STOPSIGNAL SIGTERM
# As root, because the browser has no sandbox of its own: the container is the sandbox, and it ends after one login.
# hadolint ignore=DL3002
USER 0:0
ENTRYPOINT ["codexlb", "login-with"]

FROM node:24-bookworm-slim AS proxy
COPY --from=build /out/ /
COPY --from=codex /out/usr/ /usr/
COPY --from=codex /out/etc/ /etc/
# A new volume gets the owner and the mode of this directory.
COPY --from=codex --chown=1000:1000 --chmod=0700 /out/data /data
# Codex and codexlb keep their files in HOME and CODEXLB_ROOT, whichever user the container runs as.
ENV HOME=/data \
  CODEXLB_ROOT=/data \
  CODEXLB_CONTAINER_LISTEN=0.0.0.0:8765 \
  CODEXLB_ALLOW_UNAUTHENTICATED=1
LABEL org.opencontainers.image.title="codexlb" \
  org.opencontainers.image.description="Runs OpenAI's Codex CLI over several ChatGPT accounts of your own" \
  org.opencontainers.image.licenses="MIT"
USER 1000:1000
WORKDIR /data
EXPOSE 8765
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s --retries=3 CMD ["codexlb", "status", "--short"]
ENTRYPOINT ["codexlb"]
CMD ["proxy"]
