# syntax=docker/dockerfile:1
# Waypost in a container: the pinned Node and packages of package-lock.json on a slim Debian, run by a user without
# rights, with everything that must outlive the container in /data. See docs/self-hosting.md.

# What npm installs; nothing of npm itself gets into the image.
FROM node:26-bookworm-slim AS packages
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
COPY server/package.json server/
COPY sdk/package.json sdk/
COPY cli/package.json cli/
RUN npm ci --omit=dev --ignore-scripts --no-audit --no-fund \
  && cp package-lock.json node_modules/.waypost-lock.json \
  && rm -rf node_modules/node-linux-*/include node_modules/node-linux-*/share

FROM debian:bookworm-slim
RUN apt-get update \
  && apt-get install --yes --no-install-recommends libatomic1 libstdc++6 \
  && rm -rf /var/lib/apt/lists/* \
  && groupadd --gid 10001 waypost \
  && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin waypost \
  && install --directory --owner=waypost --group=waypost --mode=0700 /data
WORKDIR /app
COPY --from=packages /app ./
COPY LICENSE waypost ./
COPY tools/launch.mjs tools/with-sdk.mjs tools/
COPY deploy/healthcheck.mjs deploy/prepare-image.mjs deploy/
COPY cli/words.txt cli/
COPY cli/src cli/src
COPY sdk/src sdk/src
COPY server/assets server/assets
COPY server/src server/src
# Whoever runs this may not write here: the links of PostgreSQL's libraries and what Node makes of the sources are made now.
ENV NODE_COMPILE_CACHE=/app/node_modules/.cache/compiled
RUN ./waypost run deploy/prepare-image.mjs && ./waypost help > /dev/null

ENV WAYPOST_DATA_DIR=/data WAYPOST_HOST=0.0.0.0
USER 10001:10001
VOLUME /data
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 CMD ["./waypost", "run", "deploy/healthcheck.mjs"]
ENTRYPOINT ["./waypost"]
CMD ["serve"]
