# The whole repository for an accelerator. From the repository's root:
#   docker build -t model-zoo:ascend -f docker/ascend.Dockerfile . --build-arg FROM_IMAGE_NAME=IMAGE
# IMAGE has Python 3.11 or 3.12 and the libraries of the device (CANN on Ascend); its MindSpore, if it has one, is kept.
ARG FROM_IMAGE_NAME
FROM ${FROM_IMAGE_NAME}

ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore PIP_BREAK_SYSTEM_PACKAGES=1

RUN python3 -c 'import sys; sys.exit(sys.version_info[:2] not in ((3, 11), (3, 12)) and "FROM_IMAGE_NAME has Python %d.%d, wanted an image with Python 3.11 or 3.12" % sys.version_info[:2])'

WORKDIR /opt/model_zoo
COPY requirements.txt ./
RUN python3 -m pip show --quiet mindspore || python3 -m pip install mindspore==2.10.0
RUN grep -v '^mindspore==' requirements.txt > /tmp/requirements.txt \
    && python3 -m pip install -r /tmp/requirements.txt \
    && rm /tmp/requirements.txt

# The same module without libGL, which images for servers lack.
RUN python3 -m pip install --no-deps --force-reinstall opencv-python-headless==4.11.0.86

COPY . .
CMD ["bash"]
