# One image for every process of Truetape; docker-compose.yml gives each its command.
ARG PYTHON_IMAGE=python:3.11-slim-bookworm
FROM ${PYTHON_IMAGE}

ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
RUN useradd --system --uid 10001 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin truetape
WORKDIR /app

# Dependencies first: they change less often than the code.
COPY requirements.lock ./
RUN pip install -r requirements.lock

COPY pyproject.toml README.md ./
COPY scripts/healthy scripts/
COPY schemas schemas
COPY truetape truetape
COPY venues venues
COPY services services
RUN pip install --no-deps --editable . && python -m compileall -q truetape venues services

RUN install --directory --owner=truetape /data
USER truetape
CMD ["truetape", "--help"]
