# compress in a container: built in one stage, and only what it needs to run in the other.
#
#   docker build -t compress .
#   docker run --rm -v "$PWD:/work" compress apply recipe.yaml --out out
FROM debian:12 AS build
WORKDIR /source
COPY tools/packages tools/
RUN tools/packages
COPY . .
RUN meson setup /build --buildtype=release -Dtests=false --prefix=/usr && \
    ninja -C /build && \
    DESTDIR=/install meson install -C /build --no-rebuild --tags runtime,man

FROM debian:12-slim
RUN apt-get update && \
    apt-get install -y --no-install-recommends libdnnl2 libfyaml0 libgomp1 libjansson4 libjpeg62-turbo libopenblas0-openmp \
        libpng16-16 libprotobuf-c1 libzstd1 zlib1g && \
    rm -rf /var/lib/apt/lists/*
COPY --from=build /install /
WORKDIR /work
ENTRYPOINT ["compress"]
