# The image of the service: docs/operations.md, "Containers". 28 MB on top of its base, which needs Node 24, npm and a POSIX shell.
ARG BASE=node:24-trixie-slim

FROM ${BASE} AS build
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci --engine-strict --ignore-scripts --no-audit --no-fund
COPY tsconfig.json tsconfig.build.json ./
COPY src src
RUN node_modules/.bin/tsc -p tsconfig.build.json --sourceMap false

FROM ${BASE} AS dependencies
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci --omit=dev --engine-strict --ignore-scripts --no-audit --no-fund
# What only compilers and debuggers read is two fifths of it.
RUN find node_modules -type f \( -name '*.map' -o -name '*.d.ts' -o -name '*.d.cts' -o -name '*.d.mts' \) -delete
# Made here, so that the last stage runs nothing and only copies.
RUN mkdir journal

FROM ${BASE}
ARG BASE
ARG VERSION=2.0.0
ARG REVISION=
ARG CREATED=
LABEL org.opencontainers.image.title="token-pool-service" \
      org.opencontainers.image.description="Keeps a pool of always-valid OAuth2 access tokens for every owner and hands one out at once." \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${CREATED}" \
      org.opencontainers.image.base.name="${BASE}"
ENV NODE_ENV=production \
    TOKENPOOL_JOURNAL_FOLDER=/var/lib/token-pool-service/journal
WORKDIR /var/lib/token-pool-service
WORKDIR /app
COPY --from=dependencies /app/node_modules node_modules
COPY --from=build /app/dist dist
COPY package.json LICENSE ./
COPY dbscripts dbscripts
COPY deploy/image/init.sh deploy/image/healthcheck.mjs ./
# The one place that is written to; the folder around it is root's. A number, so that Kubernetes can tell that it is not root.
COPY --from=dependencies --chown=10001:10001 /app/journal /var/lib/token-pool-service/journal
USER 10001:10001
VOLUME /var/lib/token-pool-service/journal
EXPOSE 8181 8282
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
  CMD ["node", "/app/healthcheck.mjs"]
ENTRYPOINT ["/bin/sh", "/app/init.sh", "node", "/app/dist/main.js"]
CMD ["server"]
