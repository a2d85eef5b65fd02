# The proxy with a Codex beside it. Publish the port on loopback only: whoever reaches it uses your accounts.
#   docker build -t codexlb .
#   docker run -p 127.0.0.1:8765:8765 -v ~/.codex-lb:/data --user "$(id -u):$(id -g)" codexlb

FROM node:22-bookworm AS build
WORKDIR /src
COPY . .
RUN make build

# What `codexlb login-with --docker-image` runs: a browser, and the same executable.
#   docker build --target login -t codexlb-login .
FROM debian:bookworm-slim AS login
RUN apt-get update \
  && apt-get install -y --no-install-recommends ca-certificates chromium fonts-liberation \
  && rm -rf /var/lib/apt/lists/*
COPY --from=build /src/dist/codexlb /usr/local/bin/codexlb
# As root, without a sandbox of its own: the container is the browser's sandbox, and it is gone after one login.
ENTRYPOINT ["codexlb", "login-with"]

FROM node:22-bookworm-slim
ARG CODEX_NPM_VERSION=latest
RUN npm install --global "@openai/codex@${CODEX_NPM_VERSION}" && npm cache clean --force
COPY --from=build /src/dist/codexlb /usr/local/bin/codexlb
RUN mkdir --mode 0777 /data
# Codex keeps its own files in HOME, whichever user the container runs as.
ENV HOME=/data
# In a container every address is "all addresses"; what may reach it is decided by how the port is published.
ENV CODEXLB_ALLOW_UNAUTHENTICATED=1
WORKDIR /data
EXPOSE 8765
ENTRYPOINT ["codexlb"]
CMD ["proxy", "--root", "/data", "--listen", "0.0.0.0:8765"]
