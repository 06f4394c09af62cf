# One text for the gateway and every service; docker-compose.yml names the service.
#   SERVICE  folder of the package, such as svc-chat      MODULE  what `python -m` starts
#   NATIVE   `llama` compiles llama.cpp for any AVX2 processor, `none` does not
#   LLAMA_IMAGE  an image that holds a finished build of llama.cpp, instead of compiling it
#   APT      Debian packages that the service runs         TORCH   cpu, auto or a CUDA name (cu128)
# Package indexes come from the build environment; nothing here names one.
ARG PYTHON_IMAGE=python:3.11-slim-bookworm
ARG NATIVE=none
ARG LLAMA_IMAGE=llama-build

# ---- tools shared by every build
FROM ${PYTHON_IMAGE} AS tools
ENV UV_LINK_MODE=copy UV_COMPILE_BYTECODE=1 UV_HTTP_TIMEOUT=180 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
RUN --mount=type=cache,target=/root/.cache/pip pip install --quiet uv && python -m venv --without-pip /opt/venv

# ---- llama.cpp with one backend per instruction set (docs/decisions/llama-portable-build.md)
FROM tools AS pins
COPY constraints.txt /constraints.txt
RUN grep '^llama-cpp-python==' /constraints.txt > /llama.txt

FROM tools AS llama-build
RUN --mount=type=cache,target=/var/cache/apt,sharing=locked --mount=type=cache,target=/var/lib/apt,sharing=locked \
    rm -f /etc/apt/apt.conf.d/docker-clean && apt-get update -qq && apt-get install -y -qq --no-install-recommends build-essential >/dev/null
COPY --from=pins /llama.txt /llama.txt
COPY deploy/docker/build_llama.sh /build_llama.sh
RUN --mount=type=cache,target=/root/.cache/pip sh /build_llama.sh /native /opt/llama-backends

FROM ${LLAMA_IMAGE} AS native-llama

FROM tools AS native-none
RUN mkdir -p /native /opt/llama-backends

FROM native-${NATIVE} AS native

# ---- the packages of this service
FROM tools AS packages
ARG SERVICE
# `[training]`, say: optional dependencies of the service
ARG EXTRAS=""
ARG TORCH=cpu
WORKDIR /app
COPY --from=native /native /native
COPY constraints.txt overrides.txt ./
COPY deploy/__init__.py deploy/torch_index.py deploy/docker_packages.py ./deploy/
COPY servicekit/pyproject.toml ./servicekit/
COPY ${SERVICE}/pyproject.toml ./${SERVICE}/
RUN --mount=type=cache,target=/root/.cache/uv \
    python -m deploy.docker_packages --torch ${TORCH} --wheels /native 'servicekit[tracing]' "${SERVICE}${EXTRAS}"

# ---- what runs
FROM ${PYTHON_IMAGE} AS runtime
ARG APT=""
RUN --mount=type=cache,target=/var/cache/apt,sharing=locked --mount=type=cache,target=/var/lib/apt,sharing=locked \
    rm -f /etc/apt/apt.conf.d/docker-clean; \
    if [ -n "${APT}" ]; then apt-get update -qq && apt-get install -y -qq --no-install-recommends ${APT} >/dev/null; fi \
    && useradd --uid 10001 --user-group --home-dir /data --shell /usr/sbin/nologin oficina \
    && mkdir -p /data /identity /run/code /stack/gateway /stack/svc-chat /stack/svc-image-gen /stack/svc-vision \
       /stack/svc-translate /stack/svc-rag /stack/svc-tts \
    && chown -R 10001:10001 /data /identity /run/code /stack
COPY --from=native /opt/llama-backends /opt/llama-backends
COPY --from=packages /opt/venv /opt/venv
ARG SERVICE
ARG MODULE
WORKDIR /app
# whatever the modes in the working tree: the service's user reads all of it
COPY --chmod=0755 servicekit ./servicekit
COPY --chmod=0755 ${SERVICE} ./${SERVICE}
# the container `backup` of docker-compose.yml
COPY --chmod=0755 deploy/__init__.py deploy/console.py deploy/files.py deploy/layout.py ./deploy/
COPY --chmod=0755 deploy/backup ./deploy/backup
# as in the repository: a service finds its built-in models beside its sources
RUN printf '/app/servicekit/src\n/app/%s/src\n' "${SERVICE}" > /opt/venv/lib/python3.11/site-packages/oficina.pth \
    && /opt/venv/bin/python -m compileall -q /app
ENV PATH=/opt/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 \
    HOME=/tmp HOST=0.0.0.0 DATA_DIR=/data MODULE=${MODULE} \
    OMP_WAIT_POLICY=PASSIVE GOMP_SPINCOUNT=1000 KMP_BLOCKTIME=0 MALLOC_ARENA_MAX=2 TOKENIZERS_PARALLELISM=false
USER 10001:10001
VOLUME /data
CMD ["sh", "-c", "exec python -m \"$MODULE\""]
