# One image for every role of the service: API, runner, Ray head, Ray worker (see docker-compose.yml).
# Pinned by version; docker-compose.yml says how to pin the digest.
FROM python:3.11.13-slim-bookworm

RUN apt-get update \
    && apt-get install --yes --no-install-recommends libsndfile1 \
    && rm -rf /var/lib/apt/lists/*

WORKDIR /opt/taskgraft
COPY pyproject.toml README.md LICENSE ./
COPY src ./src
RUN pip install --no-cache-dir ".[demo,postgres]"

# Ray writes below HOME; the data folder is shared by every role.
RUN useradd --create-home --uid 1000 taskgraft && mkdir /data && chown taskgraft /data
USER taskgraft
VOLUME /data
ENV TASKGRAFT_DATA_DIR=/data TASKGRAFT_HOST=0.0.0.0
EXPOSE 8080
CMD ["taskgraft", "serve"]
