# A Beam worker with this package. Build it at the root of the repository:
#   docker build -f pipeline/worker.Dockerfile -t REGISTRY/biggan-tf-worker:0.2.0 .
# The version of Beam here must be that of the machine that submits the job (requirements.lock).
FROM apache/beam_python3.11_sdk:2.77.0

WORKDIR /opt/biggan_tf
COPY requirements.lock pyproject.toml README.md LICENSE ./
RUN pip install --no-cache-dir --require-hashes -r requirements.lock
COPY biggan_tf biggan_tf
COPY pipeline pipeline
COPY serving serving
COPY configs configs
RUN pip install --no-cache-dir --no-deps --no-build-isolation . && useradd --uid 10001 --create-home biggan
USER 10001

# One image at a time on each worker; no GPU.
ENV CUDA_VISIBLE_DEVICES=-1 OMP_NUM_THREADS=1
