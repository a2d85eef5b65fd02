# Builds two images: `proxy` (the default) contains codexlb and Codex, `login` contains codexlb and a browser.
# docs/docker.md describes how to use them. docker-bake.hcl builds both for amd64 and arm64.
#
# Each base image is named once. scripts/release/pin-images.ts adds digests, and Dependabot updates them.

# Runs on the build machine's platform, because Bun and npm can build and download for other platforms.
FROM --platform=$BUILDPLATFORM node:24-bookworm AS tools

FROM tools AS build
WORKDIR /src
COPY package.json bun.lock bunfig.toml tsconfig.json ./
COPY scripts scripts
RUN node scripts/get-bun.mjs \
  && .tools/bun install --frozen-lockfile --ignore-scripts --production
COPY src src
ARG TARGETARCH
# The build context has no git repository, so docker-bake.hcl passes the version, the commit's 12 digits and its day.
# Without them, the version comes from package.json and the commit is unknown.
ARG VERSION
ARG COMMIT
ARG DATE
# An image cannot choose by processor features, so the amd64 image contains the build that needs no AVX2.
RUN case "${TARGETARCH}" in amd64) target=linux-x64-baseline ;; *) target="linux-${TARGETARCH}" ;; esac \
  && .tools/bun scripts/compile.ts --target "${target}" --out /out/usr/local/bin/codexlb \
    ${VERSION:+--version "${VERSION}"} ${COMMIT:+--commit "${COMMIT}"} ${DATE:+--date "${DATE}"}

FROM tools AS codex
ARG TARGETARCH
ARG CODEX_NPM_VERSION=latest
# The version is pinned by the argument, which hadolint cannot see.
# hadolint ignore=DL3016
RUN case "${TARGETARCH}" in amd64) cpu=x64 ;; *) cpu="${TARGETARCH}" ;; esac \
  && npm install --global --prefix /out/usr/local --os linux --cpu "${cpu}" --libc glibc \
    --ignore-scripts --no-fund --no-audit "@openai/codex@${CODEX_NPM_VERSION}" \
  # Codex needs certificates, which the slim image lacks.
  && mkdir -p /out/etc/ssl/certs /out/data \
  && cp /etc/ssl/certs/ca-certificates.crt /out/etc/ssl/certs/

# `codexlb login-with --docker-image` runs this image, with a browser and the same executable.
#   docker build --target login -t codexlb-login .
FROM debian:bookworm-slim AS login
# Debian keeps only the newest version of a package, so a pinned version soon becomes unavailable.
# hadolint ignore=DL3008
RUN apt-get update \
  && apt-get install -y --no-install-recommends ca-certificates chromium fonts-liberation \
  && rm -rf /var/lib/apt/lists/*
COPY --from=build /out/ /
LABEL org.opencontainers.image.title="codexlb login" \
  org.opencontainers.image.description="Logs in to an account for codexlb, with a browser" \
  org.opencontainers.image.licenses="MIT"
STOPSIGNAL SIGTERM
# Runs as root, because the browser has no sandbox of its own: the container is the sandbox, and exits after one login.
# hadolint ignore=DL3002
USER 0:0
ENTRYPOINT ["codexlb", "login-with"]

FROM node:24-bookworm-slim AS proxy
COPY --from=build /out/ /
COPY --from=codex /out/usr/ /usr/
COPY --from=codex /out/etc/ /etc/
# Docker gives a new volume the owner and the mode of this directory.
COPY --from=codex --chown=1000:1000 --chmod=0700 /out/data /data
# HOME and CODEXLB_ROOT are where Codex and codexlb keep their files, whichever user the container runs as.
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
