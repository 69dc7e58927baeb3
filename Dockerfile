# Postern in a container. There is no build step: Node runs the TypeScript sources as they are.
#
#   docker build -t postern .
#   docker run -p 8080:8080 -v ./gateway.config.yaml:/app/gateway.config.yaml:ro -v postern-data:/app/data --stop-timeout 35 postern
#
# Tokens live in /app/data: a volume on a local disk. --stop-timeout covers the drain of the config (30 s by
# default). For probes from outside the container, say health: { address: 0.0.0.0:8082 } in the config.
FROM node:24-bookworm-slim

WORKDIR /app
ENV NODE_ENV=production

# No install scripts: the one native module brings its binaries. TypeScript would come along as an optional
# peer of valibot, for types alone.
COPY package.json package-lock.json .npmrc ./
RUN npm ci --omit=dev --ignore-scripts && rm -rf node_modules/typescript node_modules/@typescript

COPY policy ./policy
COPY store ./store
COPY gateway ./gateway
COPY gateway.config.yaml gateway.config.schema.json LICENSE ./

RUN mkdir data && chown node:node data
USER node
VOLUME /app/data

EXPOSE 8080 8082
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s --retries=3 \
  CMD ["node", "-e", "fetch('http://127.0.0.1:8082/readyz').then((answer) => process.exit(answer.ok ? 0 : 1), () => process.exit(1))"]
CMD ["node", "gateway/start.cjs", "serve", "--config", "gateway.config.yaml"]
