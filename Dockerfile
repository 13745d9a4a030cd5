# One image with the three programs of Batchkeeper (the last stage), and one with the development server (--target temporal).
# Both hold static programs and nothing else, not even a shell, and run as a user without rights.

FROM golang:1.26.8 AS source
ENV CGO_ENABLED=0 GOFLAGS="-trimpath -buildvcs=false"
WORKDIR /src
COPY . .
# The directories that the programs write to; a new volume takes over their owner.
RUN mkdir -p /rootfs/data /rootfs/tmp && chown 65532:65532 /rootfs/data /rootfs/tmp

FROM source AS build
RUN --mount=type=cache,target=/go/pkg/mod --mount=type=cache,target=/root/.cache/go-build \
    go build -ldflags="-s -w" -o /rootfs/bin/ ./worker ./webhookbridge ./starter

FROM source AS build-temporal
RUN --mount=type=cache,target=/go/pkg/mod --mount=type=cache,target=/root/.cache/go-build \
    go build -C devstack/temporal -ldflags="-s -w" -o /rootfs/bin/temporal-dev .

FROM scratch AS base
COPY --from=source /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
ENV PATH=/bin
USER 65532:65532

FROM base AS temporal
COPY --from=build-temporal /rootfs/ /
EXPOSE 7233 8233
ENTRYPOINT ["temporal-dev", "--ip", "0.0.0.0", "--db-filename", "/data/temporal.db"]

FROM base
COPY --from=build /rootfs/ /
ENV BATCHKEEPER_STORE=file:///data/store
EXPOSE 8088
CMD ["worker"]
