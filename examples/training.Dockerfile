# An image that trains, samples, evaluates and exports. Build it at the root of the repository:
#   docker build -f examples/training.Dockerfile -t biggan-tf:0.2.0 .
#   docker build -f examples/training.Dockerfile --build-arg=CUDA=1 -t biggan-tf:0.2.0-cuda .
#   docker run --gpus=all --shm-size=1g -v "$PWD/data:/data:ro" -v "$PWD/runs:/runs" biggan-tf:0.2.0-cuda \
#     biggan-train --config=biggan_128 --config.data.path=/data/imagenet/128 --workdir=/runs/biggan_128
FROM python:3.11-slim-bookworm

WORKDIR /opt/biggan_tf
COPY requirements.lock pyproject.toml README.md LICENSE ./
RUN pip install --no-cache-dir --require-hashes -r requirements.lock
# The libraries of CUDA come as wheels; the host brings the driver alone.
ARG CUDA=""
RUN if [ -n "$CUDA" ]; then pip install --no-cache-dir "tensorflow[and-cuda]==2.21.0"; fi
COPY biggan_tf biggan_tf
COPY pipeline pipeline
COPY serving serving
COPY configs configs
RUN pip install --no-cache-dir --no-deps --no-build-isolation .

# The mounted /runs must be writable for this user.
RUN useradd --uid 10001 --create-home biggan && mkdir /runs && chown biggan /runs
USER 10001
WORKDIR /home/biggan
CMD ["biggan-train", "--help"]
