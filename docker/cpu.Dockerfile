# The whole repository on a plain CPU, with what its tests need. From the repository's root:
#   docker build -t model-zoo:cpu -f docker/cpu.Dockerfile .
#   docker run --rm --ipc=host model-zoo:cpu                        the quickstart
#   docker run --rm --ipc=host model-zoo:cpu bash run_tests.sh      the tests
FROM debian:bookworm-slim

# Python; compilers and libraries of the CPU kernels and of the 310 harness; git for the tests.
RUN apt-get update \
    && apt-get install -y --no-install-recommends \
        ca-certificates git python3.11 python3.11-dev python3.11-venv \
        clang-format clang-tidy cmake g++ libgtest-dev libjpeg-dev libopencv-imgcodecs-dev libopencv-imgproc-dev make \
        ninja-build nlohmann-json3-dev \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --create-home zoo \
    && install -d -o zoo -g zoo /opt/model_zoo

USER zoo
ENV PIP_NO_CACHE_DIR=1
WORKDIR /opt/model_zoo

# Apart from the rest, so that a change of the code installs nothing again.
COPY --chown=zoo:zoo requirements.txt requirements-dev.txt requirements.lock requirements-dev.lock ./
COPY --chown=zoo:zoo utils/tools/environment.sh utils/tools/mend_environment.py utils/tools/
RUN bash -c 'source utils/tools/environment.sh && make_environment "$PWD" "$PWD/requirements-dev.txt"'

COPY --chown=zoo:zoo . .
CMD ["bash", "quickstart.sh"]
