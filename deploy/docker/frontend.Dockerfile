# The web page: Vite builds it, a small server hands out the files.
ARG NODE_IMAGE=node:20-bookworm-slim
ARG PYTHON_IMAGE=python:3.11-slim-bookworm

FROM ${NODE_IMAGE} AS page
WORKDIR /page
COPY frontend/package.json frontend/package-lock.json frontend/.npmrc* ./
RUN --mount=type=cache,target=/root/.npm npm ci --no-audit --no-fund --loglevel=error
COPY frontend ./
RUN npm run --silent build

FROM ${PYTHON_IMAGE} AS packages
ENV UV_LINK_MODE=copy UV_COMPILE_BYTECODE=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
RUN --mount=type=cache,target=/root/.cache/pip pip install --quiet uv && python -m venv --without-pip /opt/venv
COPY constraints.txt /
RUN --mount=type=cache,target=/root/.cache/uv \
    uv pip install --python /opt/venv/bin/python -c /constraints.txt starlette uvicorn

FROM ${PYTHON_IMAGE} AS runtime
RUN useradd --uid 10001 --user-group --home-dir /tmp --no-create-home --shell /usr/sbin/nologin oficina
COPY --from=packages /opt/venv /opt/venv
WORKDIR /app
COPY --chmod=0755 deploy/__init__.py deploy/page_server.py ./deploy/
COPY --chmod=0755 --from=page /page/dist ./page
ENV PATH=/opt/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 HOME=/tmp \
    HOST=0.0.0.0 PORT=8007 STATIC_DIR=/app/page
USER 10001:10001
CMD ["python", "-m", "deploy.page_server"]
