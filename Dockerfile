# The suite's own image, to run it inside a cluster: docker build --tag netpol-conformance .
# BASE is any image with Python 3.11 or later, its venv and pip; of the network only a Python package index is needed.
# Its default is pinned, so that a build of the same commit is of the same image; .github/dependabot.yml keeps it fresh.
ARG BASE=docker.io/library/python:3.13.15-slim-trixie@sha256:7c61056e61ac89e852de05f3dc6fa51a6dd2181797bceed46aa725dd7cb2cd3b

FROM ${BASE} AS build
WORKDIR /src
COPY . .
# A virtual environment without pip: what is not needed to run stays behind.
RUN python3 -m venv --without-pip /opt/netpol-conformance \
 && python3 -m pip --python /opt/netpol-conformance/bin/python3 install --no-cache-dir --disable-pip-version-check .

FROM ${BASE}
COPY --from=build /opt/netpol-conformance /opt/netpol-conformance
ENV PATH=/opt/netpol-conformance/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
USER 65534:65534
WORKDIR /tmp
ENTRYPOINT ["netpol-conformance"]
