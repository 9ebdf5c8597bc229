# One image for everything of ours: the worker, the publisher, the notifier and the one-shot preparation.
FROM python:3.11-slim-bookworm

RUN useradd --create-home cx
WORKDIR /app
COPY requirements.lock ops/installer.lock ./
RUN pip install --no-cache-dir --require-hashes -r installer.lock \
    && uv pip install --system --no-cache --require-hashes -r requirements.lock
COPY pyproject.toml README.md LICENSE ./
COPY connectors connectors
COPY stream stream
COPY dbt_project dbt_project
COPY expectations expectations
COPY ops ops
RUN uv pip install --system --no-cache --no-deps --no-build-isolation --editable . && mkdir .run && chown -R cx .run dbt_project

USER cx
ENTRYPOINT ["cx"]
